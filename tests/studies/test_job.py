"""A job's share, and what its end says."""

import pathlib

import pytest

from memae_jax.runtime import errors, processes
from memae_jax.studies import grid, job, runs
from tests.studies import test_grid


@pytest.mark.parametrize('text,found', [('0/1', (0, 1)), ('3/4', (3, 4))])
def test_shards(text, found):
  assert job.shard(text) == found


@pytest.mark.parametrize(
  'text', ['', '1', '2/2', '-1/2', '0/0', 'a/b', '1/2/3']
)
def test_other_shards(text):
  with pytest.raises(errors.UserError, match='--shard is .*from 0 to n - 1'):
    job.shard(text)


def _runs(*states):
  return [
    runs.Run(
      pathlib.Path(f'run{i}'), None, (), state, 'why' * (state == 'failed')
    )
    for i, state in enumerate(states)
  ]


def _end(states, tried=(), stopped=False):
  job.conclude(_runs(*states), set(tried), stopped, pathlib.Path('study'))


def test_the_end_of_a_job():
  _end(['finished', 'finished'])
  with pytest.raises(errors.Preempted, match='0 of 2'):  # One rule to the end.
    _end(['finished', 'finished'], stopped=True)
  _end(['finished', 'new'])  # Of another job.
  with pytest.raises(errors.Preempted, match='1 of 2 runs to do'):
    _end(['finished', 'new'], stopped=True)
  with pytest.raises(errors.Preempted):  # Its child alone was stopped.
    _end(['finished', 'stopped'], tried=['run1'])
  with pytest.raises(errors.UserError, match='1 of 2 runs failed.*run1: why'):
    _end(['finished', 'failed'])


def test_every_shard_has_a_run(tmp_path):
  points = test_grid.points(tmp_path, grid.sweep('slots', (3, 4, 5)))
  planned = lambda jobs, most=0: len(
    runs.plan(points, tmp_path, job.most_replicas(points, most, jobs))
  )
  assert planned(1) == 1 and planned(3) == 3
  assert planned(2) >= 2
  assert planned(8) == 3  # A point is not divided.
  assert planned(8, most=100) == 1  # As asked for.


def test_a_study_is_no_distributed_run(monkeypatch):
  assert not processes.is_one_of_several()
  for name, value in (
    ('JAX_NUM_PROCESSES', '2'),
    ('SLURM_STEP_NUM_TASKS', '4'),
    ('TPU_WORKER_HOSTNAMES', 'a,b'),
  ):
    with monkeypatch.context() as told:
      told.setenv(name, value)
      assert processes.is_one_of_several()
      told.setenv('JAX_NUM_PROCESSES', '1')
      assert not processes.is_one_of_several()
  monkeypatch.setenv('SLURM_STEP_NUM_TASKS', '2(x1)')
  with pytest.raises(errors.UserError, match=r'is "2\(x1\)", not a number'):
    processes.is_one_of_several()


def test_a_dry_run_writes_nothing(tmp_path, capsys):
  test_grid.points(tmp_path, [{}])  # Writes the base.
  (tmp_path / 'study.py').write_text(
    'from memae_jax.studies import grid\n\n\ndef get_study():\n'
    "  return grid.Study('base.py', grid.sweep('slots', (3, 5)))\n"
  )
  job.dry_run(str(tmp_path / 'study.py'), tmp_path / 'work', most=2)
  out = capsys.readouterr().out.splitlines()
  assert out[0] == 'study: 2 points in 2 runs of base.py'
  assert len(out) == 3 and out[1].endswith(': 1 point, 2 replicas, new')
  assert not (tmp_path / 'work').exists()
