"""Stages make each row once, however often their command is ended."""

import json

import pytest

from benchmarks.accelerator import measuring, stages
from memae_jax.runtime import errors

_FACTS = {'note': stages.NOT_RUN}


def _stage(made, rows=('a', 'b', 'c'), **special):
  """A stage that notes which rows it makes."""

  def task(key):
    def run(left):
      made.append(key)
      return special[key](left) if key in special else {'value': key}

    return stages.Task(key, run)

  return stages.Stage('1_fake', 'nothing', lambda: map(task, rows), 1.0)


def _book(stage, *folders, device='cpu', elsewhere=()):
  return stages.Book(stage, folders, device, _FACTS, elsewhere)


def _read(folder):
  return json.loads((folder / '1_fake.json').read_text())


def test_rows_are_made_once(tmp_path):
  made = []
  stage = _stage(made)
  stages.run(stage, _book(stage, tmp_path), stages.Clock(1))
  assert made == ['a', 'b', 'c']
  first = _read(tmp_path)
  assert first['complete'] and first['cut'] is None
  assert first['note'] == 'not run on an accelerator'
  before = (tmp_path / '1_fake.json').stat().st_mtime_ns
  stages.run(stage, _book(stage, tmp_path), stages.Clock(1))
  assert made == ['a', 'b', 'c']
  assert (tmp_path / '1_fake.json').stat().st_mtime_ns == before


def test_an_ended_command_goes_on_at_the_first_missing_row(tmp_path):
  class Killed(BaseException):
    pass

  def killed(left):
    raise Killed

  made = []
  stage = _stage(made, b=killed)
  with pytest.raises(Killed):
    stages.run(stage, _book(stage, tmp_path), stages.Clock(1))
  assert list(_read(tmp_path)['rows']) == ['a']
  stage = _stage(made)
  stages.run(stage, _book(stage, tmp_path), stages.Clock(1))
  assert made == ['a', 'b', 'b', 'c']
  assert list(_read(tmp_path)['rows']) == ['a', 'b', 'c']


def test_minutes_cut_a_stage_before_a_row(tmp_path):
  made = []
  stage = _stage(made)._replace(least=60.0)
  stages.run(stage, _book(stage, tmp_path), stages.Clock(0.5))
  found = _read(tmp_path)
  assert not made and not found['complete']
  assert 'before row 1 of 3' in found['cut']
  assert 'run the command again' in found['cut']


def test_a_row_that_had_too_little_time_is_tried_again(tmp_path):
  def late(left):
    raise stages.OutOfTime

  made = []
  stage = _stage(made, b=late)
  stages.run(stage, _book(stage, tmp_path), stages.Clock(1))
  assert list(_read(tmp_path)['rows']) == ['a']
  assert '"b", had 60 s' in _read(tmp_path)['cut']
  stages.run(stage, _book(stage, tmp_path), stages.Clock(10))  # In vain.
  assert 'it took over 600 s' in _read(tmp_path)['rows']['b']['failed']
  assert _read(tmp_path)['complete']


def test_a_row_that_was_slow_does_not_block_the_next_call(tmp_path):
  made = []
  stage = _stage(made)
  book = _book(stage, tmp_path)
  book.add('a', {}, 500.0)
  stages.run(stage, book, stages.Clock(9))
  assert made == ['b', 'c']


def test_a_task_that_keeps_what_it_has_is_never_given_up(tmp_path):
  def late(left):
    raise stages.OutOfTime

  made = []
  stage = _stage(made, b=late)._replace(keeps=True)
  stages.run(stage, _book(stage, tmp_path), stages.Clock(10))
  assert list(_read(tmp_path)['rows']) == ['a']
  assert not _read(tmp_path)['complete']


def test_an_unfinished_row_is_made_again(tmp_path):
  made = []
  stage = _stage(made, b=lambda left: {'unfinished': True})
  stages.run(stage, _book(stage, tmp_path), stages.Clock(1))
  assert _read(tmp_path)['cut'] == 'unfinished: b'
  stage = _stage(made)
  stages.run(stage, _book(stage, tmp_path), stages.Clock(1))
  assert made == ['a', 'b', 'c', 'b']
  assert _read(tmp_path)['complete']


def test_results_may_be_elsewhere(tmp_path):
  """OUT is empty again, and --work is kept; or earlier files are given."""
  made = []
  stage = _stage(made)
  out, work, new = (tmp_path / name for name in ('out', 'work', 'new'))
  stages.run(stage, _book(stage, out, work), stages.Clock(1))
  (out / '1_fake.json').unlink()
  stages.run(stage, _book(stage, out, work), stages.Clock(1))
  stages.run(stage, _book(stage, new, elsewhere=[out]), stages.Clock(1))
  assert made == ['a', 'b', 'c']
  assert _read(out) == _read(work) == _read(new)


def test_results_of_another_device_are_not_overwritten(tmp_path):
  made = []
  stage = _stage(made)
  stages.run(stage, _book(stage, tmp_path, device='a card'), stages.Clock(1))
  with pytest.raises(errors.UserError, match='measured on "a card"'):
    _book(stage, tmp_path)
  # Of a folder that is only read they are passed over.
  _book(stage, tmp_path / 'other', elsewhere=[tmp_path])
  assert not _read(tmp_path / 'other')['rows']


@pytest.mark.parametrize('text', ['{', '[]', '{"stage": "1_fake"}'])
def test_a_damaged_file_is_named(tmp_path, text):
  (tmp_path / '1_fake.json').write_text(text)
  with pytest.raises(errors.UserError, match='1_fake.json'):
    _book(_stage([]), tmp_path)


def test_names_are_those_that_can_be_brought_back(tmp_path):
  with pytest.raises(ValueError, match='not a name of a file'):
    _book(_stage([])._replace(name='a b'), tmp_path)


@pytest.mark.parametrize(
  'kind, known',
  [
    ('NVIDIA H100 80GB HBM3', 'H100 80GB HBM3'),
    ('NVIDIA H200', 'H200'),
    ('NVIDIA A100-SXM4-80GB', 'A100'),
    ('Tesla V100-SXM2-16GB', 'V100'),
    ('Tesla T4', 'Tesla T4'),
    ('NVIDIA L4', 'L4'),
    ('NVIDIA L40S', None),
    ('NVIDIA GeForce RTX 4090', 'RTX 4090'),
    ('NVIDIA TITAN X (Pascal)', 'TITAN X'),
    ('cpu', None),
  ],
)
def test_cards_are_known_by_their_names(kind, known):
  want = measuring.PEAKS[known] if known else ()
  assert tuple(measuring.peaks(kind).values()) == want
