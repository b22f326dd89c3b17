"""Folders of runs: what is in them, and whether they are still ours."""

import shutil

import jax
import numpy as np
import pytest

from memae_jax.evaluation.scoring import collect
from memae_jax.runtime import errors
from memae_jax.training import experiment, feeds, loop, run_folder
from tests import helpers


def test_a_checkpoint_that_was_never_finished_does_not_count(tmp_path):
  assert not run_folder.has_checkpoints(tmp_path)
  (tmp_path / 'checkpoints/20.orbax-checkpoint-tmp').mkdir(parents=True)
  assert not run_folder.has_checkpoints(tmp_path)
  (tmp_path / 'checkpoints/20').mkdir()
  assert run_folder.has_checkpoints(tmp_path)


@pytest.fixture(scope='module')
def exp():
  return experiment.build(helpers.digits(**{'train.epochs': 2.0}))


def test_a_run_in_a_folder_of_any_name(tmp_path, exp):
  run = tmp_path / 'widths=[64,32]\\**'
  expected = jax.device_get(loop.train(exp, run))
  again = jax.device_get(loop.train(exp, run))  # Reads the last checkpoint.
  for one, two in zip(jax.tree.leaves(expected), jax.tree.leaves(again)):
    np.testing.assert_array_equal(one, two)
  assert collect.restored(exp, run)[0] == exp.steps
  assert [p.name for p in tmp_path.iterdir()] == [run.name]


def _spoil(monkeypatch, exp, at, spoil):
  """Calls `spoil` after the step `at` of a training."""
  real = feeds.Resident.run

  def run(self, state, start, stop):
    if start < at <= stop:
      spoil()
    return real(self, state, start, stop)

  monkeypatch.setattr(feeds.Resident, 'run', run)


@pytest.mark.parametrize('at', [1, 9, -1])
def test_a_folder_removed_while_training(tmp_path, monkeypatch, exp, at):
  expected = jax.device_get(loop.train(exp, tmp_path / 'whole'))
  run = tmp_path / 'run'
  at = at if at > 0 else exp.steps
  with monkeypatch.context() as patch:
    _spoil(patch, exp, at, lambda: shutil.rmtree(run))
    with pytest.raises(errors.UserError, match='removed while training.*again'):
      loop.train(exp, run)
  resumed = jax.device_get(loop.train(exp, run))
  for one, two in zip(jax.tree.leaves(expected), jax.tree.leaves(resumed)):
    np.testing.assert_array_equal(one, two)


def test_a_folder_that_is_another_run_now(tmp_path, monkeypatch, exp):
  run = tmp_path / 'run'

  def replace():
    shutil.rmtree(run)
    run.mkdir()
    (run / '.lock').write_text('1 1\n')

  with monkeypatch.context() as patch:
    _spoil(patch, exp, 9, replace)
    with pytest.raises(errors.UserError, match='is another run now'):
      loop.train(exp, run)
  assert [p.name for p in run.iterdir()] == ['.lock']
