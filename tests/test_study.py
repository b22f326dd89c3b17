"""Studies from the command line: shared, stopped, killed, extended, failing."""

import csv
import json
import os
import random
import signal
import time

import pytest

from memae_jax.runtime import errors
from tests import helpers

pytestmark = pytest.mark.slow
_UNEQUAL = ('wall_seconds',)  # Of equal studies.
POINTS = """grid.product(
    grid.sweep('model.memory.similarity', ('cosine', 'dot')),
    grid.chain(grid.sweep('slots', (3, 5)), grid.point(variant='ae')),
  )"""


def _study(folder, points=POINTS, **changes):
  """Writes a study of digits; the arguments of a command that does it."""
  folder.mkdir(exist_ok=True)
  base = helpers.digits(
    **{'train.epochs': 30.0, 'eval.bootstrap': 20, 'eval.pseudo': False}
    | changes
  )
  helpers.write_config(folder / 'base.py', base)
  (folder / 'study.py').write_text(
    'from memae_jax.studies import grid\n\n\ndef get_study():\n'
    f"  return grid.Study('base.py', {points})\n"
  )
  return f'--config={folder / "study.py"}', f'--workdir={folder / "study"}'


def _start(*argv, **options):
  return helpers.start(*argv, module='memae_jax.study', **options)


def _end(process):
  out, err = process.communicate(timeout=300)
  return process.returncode, out, err


def _table(folder):
  """The rows of study.csv that must not depend on interruptions."""
  with (folder / 'study/study.csv').open() as file:
    rows = list(csv.DictReader(file))
  return [{k: v for k, v in row.items() if k not in _UNEQUAL} for row in rows]


def _attempts(folder):
  """Codes of the attempts at each run."""
  found = {}
  for path in sorted((folder / 'study/runs').glob('*/attempts.jsonl')):
    events = [json.loads(line) for line in path.read_text().splitlines()]
    found[path.parent.name] = [e['code'] for e in events if e['event'] == 'end']
  return found


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """Folder and table of a study that two jobs did at once."""
  folder = tmp_path_factory.mktemp('studies') / 'whole'
  command = _study(folder)
  jobs = [_start(*command) for _ in range(2)]
  ends = [_end(job) for job in jobs]
  assert [code for code, _, _ in ends] == [0, 0], ends
  assert all('study.html' in out for _, out, _ in ends)
  return folder, _table(folder)


@pytest.mark.thorough
def test_two_jobs_share_a_study(whole):
  whole, rows = whole
  assert [row['state'] for row in rows] == ['finished'] * 5
  assert all(0 <= float(row['auroc']) <= 1 for row in rows)
  assert all(float(row['validation_error']) > 0 for row in rows)
  assert [row['variant'] for row in rows] == ['memae', 'memae', 'ae'] + [
    'memae',
    'memae',
  ]
  assert float(rows[1]['used']) <= 5 and rows[2]['used'] == ''
  assert [row['run_replicas'] for row in rows] == ['6'] * 3 + ['4'] * 2
  assert list(_attempts(whole).values()) == [[0], [0]]  # Nothing twice.
  found = json.loads((whole / 'study/study.json').read_text())
  assert [one['rule'] for one in found['best'] if one['oracle']] == ['oracle']
  page = (whole / 'study/study.html').read_text()
  assert 'Oracle: best on the test set' in page and '<svg' not in page
  assert 'src="http' not in page and 'AUROC against slots' in page


@pytest.mark.thorough
def test_only_new_points_are_trained(whole):
  whole, before = whole
  points = POINTS.replace('(3, 5)', '(4, 3, 5)').replace("'dot'", '')
  command = _study(whole, points)
  code, out, err = _end(_start(*command, '--dry_run'))
  assert code == 0, err
  assert out.count('1 point, 2 replicas, new') == 1
  assert out.count('3 points, 6 replicas, finished') == 1
  code, _, err = _end(_start(*command))
  assert code == 0, err
  assert sorted(_attempts(whole).values()) == [[0], [0], [0]]
  after = {row['model.memory.slots']: row for row in _table(whole)}
  assert list(after) == ['4', '3', '5', '']
  assert after['3']['auroc'] == before[0]['auroc']
  assert after['3']['run'] != after['4']['run']


def _lines(folder):
  """Log events of all runs, and the runs with results."""
  return sum(
    len(path.read_text().splitlines())
    for path in (folder / 'study/runs').glob('*/metrics.jsonl')
  ) + 20 * len(list((folder / 'study/runs').glob('*/results.json')))


@pytest.mark.thorough
def test_killed_studies_end_as_if_never_killed(whole, tmp_path):
  _, expected = whole
  command = _study(tmp_path / 'killed')
  folder, rng, codes = tmp_path / 'killed', random.Random(0), []
  for number in (signal.SIGTERM, signal.SIGKILL):
    process = _start(*command, start_new_session=True)
    target = _lines(folder) + rng.randint(8, 80)
    while process.poll() is None and _lines(folder) < target:
      time.sleep(0.01)
    time.sleep(rng.random() * 0.1)
    if process.poll() is None:
      if number == signal.SIGTERM:  # The study tells its child.
        process.send_signal(number)
      else:
        os.killpg(process.pid, number)
    code, _, err = _end(process)
    codes.append(code)
    if number == signal.SIGTERM:
      assert code == errors.Preempted.exit_code, err
      assert 'run the same command' in err.splitlines()[-1]
  assert 0 not in codes
  code, _, err = _end(_start(*command))
  assert code == 0, err
  assert _table(folder) == expected
  assert all(codes[-1] == 0 for codes in _attempts(folder).values())
  assert all(codes.count(0) == 1 for codes in _attempts(folder).values())


@pytest.mark.thorough
def test_a_failed_point_is_recorded_and_the_others_go_on(tmp_path):
  points = "grid.sweep('learning_rate', (0.01, 1e30))"
  command = _study(tmp_path, points, **{'train.epochs': 2.0})
  code, out, err = _end(_start(*command))
  assert code == 2 and 'Traceback' not in err
  assert '1 of 2 runs failed' in err.splitlines()[-1]
  assert 'not finite' in err.splitlines()[-1]
  rows = _table(tmp_path)
  assert [row['state'] for row in rows] == ['finished', 'failed']
  assert 'not finite' in rows[1]['error'] and rows[1]['auroc'] == ''
  page = (tmp_path / 'study/study.html').read_text()
  assert '<strong>Failed</strong>' in page
  assert sorted(_attempts(tmp_path).values()) == [[0], [3], [3]]


def test_one_clear_line():
  code, _, err = _end(_start('--config=configs/studies/seeds.py'))
  assert code == 2 and err.startswith('error: --workdir is missing')
  assert len(err.splitlines()) == 1
