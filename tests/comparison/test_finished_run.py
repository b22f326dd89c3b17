"""Runs that are torn, changed or of another version: one line, never more."""

import io
import json
import os
import random
import shutil
import zipfile

import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.comparison import (
  attempts,
  differences,
  finished_run,
  folders,
  page,
)
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.report import training_log
from memae_jax.evaluation.results import history, measure
from memae_jax.evaluation.scoring import scores
from memae_jax.runtime import atomic, errors, metrics_log, strict_json
from memae_jax.studies import runs
from tests import helpers

_MUTANTS = 2000 if os.environ.get('MEMAE_TEST_THOROUGH') == '1' else 150
_KINDS = ('missing', 'null', 'text', 'list', 'object', 'huge', 'tiny', 'true')


def _replica(variant, seed, is_video=False):
  rng = np.random.default_rng(seed)
  anomalous = np.tile([False, True, False, False], 6)
  score = (rng.random(24) + anomalous).astype(np.float32)
  frames = frames_lib.FrameScores(
    score,
    anomalous,
    np.repeat([0, 1], 12),
    np.tile(np.arange(2, 14), 2),
    ('a', 'b'),
    (16, 16),
  )
  return scores.ReplicaScores(
    name=f'{variant}/seed={seed}',
    fields={'variant': variant, 'seed': seed, 'slots': 9, 'threshold': 1.0,
            'alpha': 2e-4, 'learning_rate': 1e-4},
    score=score,
    anomalous=anomalous,
    sample=np.arange(24, dtype=np.int32),
    validation_score=score[:5],
    frames=frames if is_video else None,
    step=7,
  )  # fmt: skip


def _write(folder, is_video=False, **changes):
  """Writes a run as an evaluation leaves it, without a network."""
  networks = [_replica(v, s, is_video) for v in ('memae', 'ae') for s in (0, 1)]
  config = helpers.digits(**changes)
  memory = {
    r.name: {'slots': 9, 'used': 7.0, 'dead_read_rate': 0.1, 'mean_kept': 2.0}
    for r in networks[:2]
  }
  results = {
    'config': config.to_dict(),
    'dataset': {'data_sha256': 'a1', 'label_sha256': 'b2'},
    'score': {'name': 'mse'},
    'checkpoint': {'step': 7, 'of_steps': 7},
    **measure.measure(networks, networks[2:], memory, config.eval),
    'paper': None,
    'throughput': {'training_seconds': 1.5},
    'environment': {'device': 'cpu', 'peak_memory': {'host_bytes': 5}},
  }
  arrays = {
    f'{r.name}/{part}': getattr(r, part)
    for r in networks
    for part in ('score', 'anomalous', 'sample', 'validation_score')
  }
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays)
  atomic.write(folder / 'eval/7/scores.npz', buffer.getvalue())
  atomic.write(folder / 'results.json', json.dumps(results))
  atomic.write(folder / 'config.json', config_lib.to_json(config))
  return results


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  folder = tmp_path_factory.mktemp('damaged')
  _write(folder / 'a')
  _write(folder / 'b', **{'train.learning_rate': 0.5})
  _write(folder / 'video', is_video=True)
  return folder


def _compared(*folders):
  """Returns what a comparison writes, but for pictures; None if refused."""
  try:
    comparison = differences.compare([str(folder) for folder in folders], 3)
    return (
      strict_json.text(comparison),
      page.as_csv(comparison),
      page.text(comparison),
    )
  except errors.UserError as error:
    assert str(folders[-1]) in str(error) and '\n' not in str(error)
    return None


def _mutant_of_bytes(data: bytes, rng: random.Random) -> bytes:
  """Torn, overwritten, or with a part of it gone or twice."""
  at, kind = rng.randrange(len(data)), rng.randrange(5)
  many = rng.randint(1, 40)
  if kind == 0:
    return data[:at]
  if kind == 1:
    return data[:at] + rng.randbytes(many) + data[at + many :]
  if kind == 2:
    return data[:at] + b'\0' * many + data[at + many :]
  if kind == 3:
    return data[:at] + data[at + many :]
  return data[: at + many] + data[at:]


def _mutant_of_value(value, rng: random.Random):
  """A value of which one part is of another kind, or gone."""
  places = []

  def walk(node):
    keys = node if isinstance(node, dict) else range(len(node))
    for key in keys:
      places.append((node, key))
      if isinstance(node[key], (dict, list)):
        walk(node[key])

  walk(value)
  node, key = rng.choice(places)
  kind = rng.choice(_KINDS)
  if kind == 'missing':
    del node[key]
    return value
  node[key] = {
    'null': None,
    'text': '=1+1',
    'list': [node[key]],
    'object': {'min': 'a', 'max': 2},
    'huge': rng.choice([1e99, -1e300, 10**30]),
    'tiny': -1e-300,
    'true': True,
  }[kind]
  return value


@pytest.mark.parametrize('run', ['a', 'video'])
def test_mutants_of_results(made, tmp_path, run):
  shutil.copytree(made / run, tmp_path / 'run')
  path, rng = tmp_path / 'run/results.json', random.Random(1)
  whole = path.read_bytes()
  assert _compared(made / 'b', tmp_path / 'run')
  refused = 0
  for number in range(_MUTANTS // 2):
    if number % 2:
      data = _mutant_of_bytes(whole, rng)
    else:
      data = json.dumps(_mutant_of_value(json.loads(whole), rng)).encode()
    path.write_bytes(data)
    refused += _compared(made / 'b', tmp_path / 'run') is None
  assert _MUTANTS // 8 < refused < _MUTANTS // 2


@pytest.mark.parametrize('run', ['a', 'video'])
def test_mutants_of_scores(made, tmp_path, run):
  shutil.copytree(made / run, tmp_path / 'run')
  path, rng = tmp_path / 'run/eval/7/scores.npz', random.Random(2)
  whole = path.read_bytes()
  same = _compared(made / 'b', tmp_path / 'run')
  for _ in range(_MUTANTS // 2):
    path.write_bytes(_mutant_of_bytes(whole, rng))
    written = _compared(made / 'b', tmp_path / 'run')
    assert written is None or written == same  # Checksums see every change.


def _npz(path, **arrays):
  """Rewrites some arrays of a run's scores."""
  with np.load(path) as there:
    arrays = dict(there) | arrays
  np.savez_compressed(path, **arrays)


@pytest.mark.parametrize(
  'array,words',
  [
    (np.arange(24.0)[:, None], 'float64 of shape'),
    (np.arange(23.0), 'different lengths'),
    (np.full(24, np.nan), 'not finite'),
    (np.arange(24), 'int64 of shape'),
    (np.array(['a'] * 24), 'of shape'),
    (np.array([None] * 24), 'allow_pickle'),
  ],
)
def test_arrays_of_another_kind(made, tmp_path, array, words):
  shutil.copytree(made / 'a', tmp_path / 'run')
  _npz(tmp_path / 'run/eval/7/scores.npz', **{'memae/seed=0/score': array})
  with pytest.raises(errors.UserError, match=f'scores.npz .*{words}'):
    finished_run.read(tmp_path / 'run')


def test_scores_that_unpack_to_more_than_there_is(made, tmp_path):
  shutil.copytree(made / 'a', tmp_path / 'run')
  path = tmp_path / 'run/eval/7/scores.npz'
  header = io.BytesIO()
  np.lib.format.write_array_header_1_0(
    header, {'descr': '<f4', 'fortran_order': False, 'shape': (2**40,)}
  )
  with np.load(path) as there:
    arrays = dict(there)
  del arrays['memae/seed=0/score']
  np.savez_compressed(path, **arrays)
  with zipfile.ZipFile(path, 'a') as archive:
    archive.writestr('memae/seed=0/score.npy', header.getvalue())
  with pytest.raises(errors.UserError, match='scores.npz is no readable'):
    finished_run.read(tmp_path / 'run')


@pytest.mark.parametrize(
  'text,words',
  [
    ('', 'Expecting value'),
    ('[]', 'not an object'),
    ('"run"', 'not an object'),
    ('{}', 'is missing'),
    ('{"checkpoint": {"step": 7}}', 'config is missing'),
    ('\0' * 4096, 'Expecting value'),
  ],
)
def test_what_is_no_results_file(made, tmp_path, text, words):
  """Comparison, study and history name the file and say what to do."""
  shutil.copytree(made / 'a', tmp_path / 'run')
  (tmp_path / 'run/results.json').write_text(text)
  with pytest.raises(errors.UserError, match=f'results.json .*{words}.*eval'):
    differences.compare([str(tmp_path / 'run')], 0)
  with pytest.raises(errors.UserError, match=f'results.json .*{words}.*remove'):
    runs.results(tmp_path / 'run')


def test_results_of_other_versions(made, tmp_path):
  shutil.copytree(made / 'a', tmp_path / 'run')
  path = tmp_path / 'run/results.json'
  results = json.loads(path.read_text())
  newer = results | {'more': {'of': 'it'}}
  newer['methods']['memae']['new_metric'] = {'mean': 0.5, 'more': 1}
  newer['paper'] = {'metrics': ['new_metric', 'auroc']}
  path.write_text(json.dumps(newer))
  comparison = differences.compare([str(tmp_path / 'run')], 0)
  assert comparison['metrics'][0] == 'auroc'
  del results['replicas'][1]['reasons']
  path.write_text(json.dumps(results))
  with pytest.raises(errors.UserError, match='replicas.1.reasons is missing'):
    differences.compare([str(tmp_path / 'run')], 0)


def test_a_torn_evaluation_is_left_out_of_the_course(made, tmp_path, caplog):
  now = json.loads((made / 'a/results.json').read_text())
  now['dataset']['trained_on'] = None
  for at, text in (
    (3, json.dumps(now | {'checkpoint': {'step': 3}})),
    (5, '{'),
  ):
    atomic.write(tmp_path / f'eval/{at}/results.json', text)
  assert history.stored(tmp_path, now)['steps'] == [3, 7]
  (line,) = caplog.messages
  assert 'eval/5/results.json' in line and 'left out of the history' in line


def _events():
  return [
    {'step': step, 'time': 100.0 + step, 'split': split, 'loss': 1 / (step + 1),
     'replicas': {'loss': [1.0, None, 0.5, 0.25]}}
    for step in range(12) for split in ('train', 'validation')
  ]  # fmt: skip


def test_mutants_of_the_log(tmp_path):
  path, rng = tmp_path / 'metrics.jsonl', random.Random(3)
  lines = [json.dumps(event) + '\n' for event in _events()]
  replicas = [_replica(v, s) for v in ('memae', 'ae') for s in (0, 1)]
  for number in range(_MUTANTS):
    if number % 2:
      data = _mutant_of_bytes(''.join(lines).encode(), rng)
    else:
      mine = [*lines]
      at = rng.randrange(len(mine))
      event = _mutant_of_value(json.loads(mine[at]), rng)
      mine[at] = json.dumps(event) + '\n'
      data = ''.join(mine).encode()
    path.write_bytes(data)
    try:
      events = metrics_log.read_events(path)
    except errors.UserError as error:
      assert 'metrics.jsonl line ' in str(error) and '\n' not in str(error)
      continue
    training_log.curves(events, replicas)
    whole = [line for line in data.rstrip(b'\0').splitlines()]
    alone = [json.loads(line) for line in whole[: len(events)]]
    assert events == alone and len(whole) - len(events) <= 1
    metrics_log.MetricsWriter(tmp_path, 5).close()
    assert all(e['step'] <= 5 for e in metrics_log.read_events(path))


@pytest.mark.parametrize(
  'end,count',
  [
    (b'', 24),
    (b'{"step": 12, "ti', 24),
    (b'{"step": 12, "time": 1.0, "split": "train"}', 25),  # Whole.
    (b'\0' * 512, 24),
    (b'{"step": 12, "ti' + b'\0' * 512, 24),
    (b'\xff\xfe\x80garbage', 24),
  ],
)
def test_the_torn_end_of_a_log_is_left_out(tmp_path, end, count):
  path = tmp_path / 'metrics.jsonl'
  lines = [json.dumps(event) + '\n' for event in _events()]
  path.write_bytes(''.join(lines).encode() + end)
  assert len(metrics_log.read_events(path)) == count


@pytest.mark.parametrize(
  'line,words',
  [
    ('{"st', 'Expecting|Unterminated'),
    ('[1, 2]', 'not an object'),
    ('7', 'not an object'),
    ('{"time": 1.0, "split": "train"}', 'step is missing'),
    ('{"step": 1, "split": "train"}', 'time is missing'),
    ('{"step": 1, "time": 1.0}', 'split is missing'),
    ('{"step": "1", "time": 1.0, "split": "train"}', 'step is not a whole'),
    ('{"step": 1, "time": null, "split": "train"}', 'time is not a number'),
    ('{"step": 1, "time": 1, "split": "a", "loss": "x"}', 'loss is not a num'),
    (
      '{"step": 1, "time": 1, "split": "a", "replicas": {"loss": 1}}',
      'replicas.loss is not a list',
    ),
    ('\0\0\0', 'Expecting'),
  ],
)
def test_another_line_of_a_log_is_named(tmp_path, line, words):
  path = tmp_path / 'metrics.jsonl'
  lines = [json.dumps(event) + '\n' for event in _events()]
  path.write_text(''.join((*lines[:3], line + '\n', *lines[3:])))
  with pytest.raises(
    errors.UserError, match=f'line 4 is not an event .*{words}'
  ):
    metrics_log.read_events(path)


def test_a_torn_line_of_attempts_does_not_spoil_the_next(tmp_path):
  attempts.note(tmp_path, event='start')
  with (tmp_path / 'attempts.jsonl').open('a') as file:
    file.write('{"event": "e')
  attempts.note(tmp_path, event='start')
  attempts.note(tmp_path, event='end', seconds=2.5, code=0)
  assert attempts.costs(tmp_path) == attempts.Costs(2.5, 2, 1)


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
  assert f'{tmp_path / "c"} has no results yet' in page._page(comparison)
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
