"""Which runs a comparison takes, and where its page stands."""

import shutil

import pytest

from memae_jax.comparison import differences, folders, page
from memae_jax.runtime import atomic, errors, strict_json


def test_a_run_without_results_is_named_and_left_out(made, tmp_path, caplog):
  shutil.copytree(made / 'a', tmp_path / 'a')
  for name in ('c', 'd'):
    atomic.write(tmp_path / name / 'config.json', '{}')
  both = [str(tmp_path / 'c'), str(tmp_path / 'a'), str(made / 'b')]
  comparison = differences.compare(both, 0)
  assert comparison['left_out'] == [str(tmp_path / 'c')]
  assert {row['run'] for row in comparison['entries']} == {'a', 'b'}
  (line,) = caplog.messages
  assert line == f'warning: {tmp_path / "c"} has no results yet; it is left out'
  text = page.write(comparison, tmp_path / 'page').read_text()
  assert f'{tmp_path / "c"} has no results yet' in text
  with pytest.raises(errors.UserError, match='c is no finished run'):
    differences.compare([str(tmp_path / 'c'), str(tmp_path / 'd')], 0)


def test_a_study_that_is_not_done_stands_for_what_is(made, tmp_path):
  shutil.copytree(made / 'a', tmp_path / 'runs/one')
  atomic.write(tmp_path / 'runs/two/config.json', '{}')
  comparison = differences.compare(
    [str(tmp_path)], 0
  )  # Not even study.json yet.
  assert comparison['left_out'] == [str(tmp_path / 'runs/two')]
  atomic.write(tmp_path / 'study.json', '{}')
  assert differences.compare([str(tmp_path)], 0) == comparison


def test_a_run_by_two_names_counts_once(made, tmp_path, monkeypatch):
  monkeypatch.chdir(made)
  (tmp_path / 'link').symlink_to(made / 'a')
  names = [
    'a',
    './a',
    f'../{made.name}/a',
    str(made / 'a'),
    str(tmp_path / 'link'),
  ]
  finished, waiting = folders.find([str(name) for name in names])
  assert len(finished) == 1 and not waiting


def test_each_comparison_has_its_place_beside_the_runs(made, tmp_path):
  for name in ('a', 'b'):
    shutil.copytree(made / name, tmp_path / name)
    shutil.copytree(made / name, tmp_path / 'more' / name)

  def write(*names):
    paths = [str(tmp_path / name) for name in names]
    comparison = differences.compare(paths, 0)
    place = folders.place(comparison, paths)
    atomic.write(place / 'compare.json', strict_json.text(comparison))
    return str(place.relative_to(tmp_path))

  assert write('a', 'b') == 'comparison-a-b'
  assert write('a') == 'comparison-a'
  assert write('a', 'b') == 'comparison-a-b'  # The same runs again.
  assert write('b', 'a') == 'comparison-b-a'
  assert write('more/a', 'b') == 'comparison-a-b-2'  # Others of these names.
  assert write('more/a', 'b') == 'comparison-a-b-2'
  assert write('more/a', 'more/b') == 'more/comparison-a-b'
  assert write('more/../a') == 'comparison-a'
  (tmp_path / 'comparison-b').mkdir()  # Of somebody else.
  assert write('b') == 'comparison-b-2'


def test_a_study_without_a_finished_run(tmp_path):
  (tmp_path / 'study.json').write_text('{}')
  with pytest.raises(errors.UserError, match='study without a finished run'):
    folders.find([str(tmp_path)])
