"""A run of several families: killed between and inside them, and resumed."""

import jax
import numpy as np
import pytest

from memae_jax.methods import base, fitted
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, run_folder
from tests import helpers

FIELDS = {'fleet.variants': ('memae', 'ae', 'pca', 'mean'), 'train.epochs': 1.0}


class Killed(Exception):
  """Raised where a SIGKILL would end the process."""


def _build():
  return experiment.build(helpers.digits(**FIELDS))


def _weights(exp, run):
  """Returns the state of the newest checkpoint of each family."""
  states = []
  for member in exp.members:
    with run_folder.opened(member, run) as checkpoints:
      at, state, _ = run_folder.trained(member, checkpoints, run)
    assert at == member.steps
    states.append(jax.device_get(state))
  return states


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
  run = tmp_path_factory.mktemp('straight')
  exp = _build()
  loop.train(exp, run)
  assert [member.place for member in exp.members] == ['', 'pca', 'mean']
  kept = {path.name for path in (run / 'checkpoints').iterdir()}
  assert {'pca', 'mean', str(exp.steps)} <= kept
  return _weights(exp, run)


@pytest.mark.parametrize('where', ['between', 'inside'])
def test_what_was_killed_goes_on_bit_for_bit(
  where, straight, tmp_path, monkeypatch
):
  real = fitted.Fitted.finish

  def killed(self, *given):
    if where == 'inside' or self.name == 'mean':
      raise Killed
    return real(self, *given)

  exp = _build()
  with monkeypatch.context() as patch, pytest.raises(Killed):
    patch.setattr(fitted.Fitted, 'finish', killed)
    loop.train(exp, tmp_path)
  assert (tmp_path / 'checkpoints' / str(exp.steps)).is_dir()
  exp = _build()
  loop.train(exp, tmp_path)
  for one, two in zip(straight, _weights(exp, tmp_path), strict=True):
    jax.tree.map(np.testing.assert_array_equal, one, two)


def test_stages_follow_one_another():
  exp = _build()
  pca = exp.others[0]
  assert pca.steps == 1 and pca.stage(0) == (0, 1, 0)
  assert isinstance(pca.trainer.method.stages[0], base.Collect)
  assert exp.stage(exp.steps - 1) == (0, exp.steps, 0)
  member, index = exp.find('pca/normal_class=1')
  assert member is pca and member.replicas[index].normal_class == 1
  with pytest.raises(errors.UserError, match='did you mean "pca'):
    exp.find('pca/normal_class=7')
