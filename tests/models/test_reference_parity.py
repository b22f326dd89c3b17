"""The video network gives the numbers of the released implementation."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.accelerator import golden as golden_lib
from memae_jax.models import conv, memae, reference_weights
from memae_jax.training import experiment, step
from tests import helpers

SLOTS = 60
ZERO = 1e-10  # The gradient of a bias before a norm is rounding, below this.


@pytest.fixture(scope='module')
def golden():
  with np.load(helpers.GOLDEN / 'video.npz') as arrays:
    return dict(arrays)


@pytest.fixture(scope='module')
def exp():
  """The golden network and its training, as an experiment on other clips."""
  return experiment.build(
    helpers.clips(
      **{
        'model.widths': (96, 128, 256, 256),
        'model.memory.shrink_gradient': 'published',
        'model.memory.slots': SLOTS,
        'model.memory.threshold': 0.01 * SLOTS,
        'train.learning_rate': 1e-4,
      }
    )
  )


@pytest.fixture
def run(exp, lowering, monkeypatch):
  """Trainer, hyper-parameters and shapes, with convolutions in one lowering."""
  for name in ('conv', 'conv_transpose'):
    forced = functools.partial(getattr(conv, name), lowering=lowering)
    monkeypatch.setattr(conv, name, forced)
  hyper = jax.tree.map(lambda x: np.asarray(x)[0], exp.programs.hyper)
  shapes = jax.eval_shape(
    exp.trainer.init, hyper, jnp.zeros((1, *exp.source.inputs.shape[1:]))
  )
  return exp.trainer, hyper, step.weights(shapes).variables


def _channels_last(array):
  return np.moveaxis(array, 1, -1)


def _train_twice(exp, run, x):
  """Losses of the first two steps in float64, and the first gradients."""
  trainer, hyper, like = run
  with jax.enable_x64(True):
    x = jnp.asarray(_channels_last(x), jnp.float64)
    model = memae.build(exp.config.model, x.shape[1:], SLOTS, dtype=x.dtype)
    method = dataclasses.replace(trainer.method, model=model)
    trainer = trainer._replace(method=method, batch_size=len(x))
    variables = golden_lib.weights(like, x.dtype)
    adam = trainer.optimizer.init(variables['params'])
    state = step.ReplicaState(*step.split(variables), adam, best=None)
    one = jax.jit(trainer.step)
    after, first = one(state, hyper, x, 0)
    _, second = one(after, hyper, x, 1)
    after, losses = jax.device_get((after, (first.loss, second.loss)))
  # After one step the first moment of Adam is a tenth of the gradient.
  grads = jax.tree.map(lambda m: m / (1 - 0.9), after.opt_state[0].mu)
  return losses, reference_weights.to_reference({'params': grads})


@pytest.mark.parametrize('lowering', ['cpu', 'xla'])
def test_evaluation(golden, run):
  trainer, hyper, like = run
  x = _channels_last(golden['input'])
  variables = golden_lib.weights(like, np.float32)
  out = jax.jit(trainer.method.model.apply)(variables, x, hyper.method.knobs)
  assert out.reconstruction.dtype == np.float32
  close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
  close(out.code, _channels_last(golden['eval_encoding']))
  close(out.read.entropy, golden['eval_entropy'])
  np.testing.assert_array_equal(out.read.kept, golden['eval_kept'])
  close(out.reconstruction, _channels_last(golden['eval_recon']))


@pytest.mark.slow
@pytest.mark.parametrize('lowering', ['cpu'])  # XLA's takes many minutes here.
def test_training(golden, exp, run):
  losses, grads = _train_twice(exp, run, golden['input'])
  close = functools.partial(np.testing.assert_allclose, rtol=1e-6)
  close(losses[0], golden['train_loss'])
  close(losses[1], golden['train_loss_after_one_adam_step'])
  assert len(grads) == 31
  for name, grad in grads.items():
    norm = golden[f'gradnorm/{name}']
    assert grad.dtype == np.float64
    close(np.linalg.norm(grad), norm, atol=ZERO, err_msg=name)
    # The golden input is rounded to float32, which moves the entries that are
    # small for their parameter: see the next test.
    atol = max(ZERO, 1e-6 * norm)
    close(grad.ravel()[:8], golden[f'grad8/{name}'], atol=atol, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize('lowering', ['cpu'])
def test_gradients_are_those_of_pytorch(golden, exp, run):
  """Every entry is compared; the inputs are the same to the last bit."""
  torch = pytest.importorskip('torch', reason='PyTorch is not installed')
  from tests import torch_peer

  weights = reference_weights.to_reference(
    golden_lib.weights(run[2], np.float64)
  )
  peer = torch_peer.Peer((96, 128, 256, 256), slots=SLOTS).double().train()
  assert list(peer.state_dict()) == list(weights)
  peer.load_state_dict({n: torch.from_numpy(a) for n, a in weights.items()})
  x = torch.from_numpy(golden['input']).double()
  reconstruction, entropy = peer(x)
  loss = ((reconstruction - x) ** 2).mean() + 2e-4 * entropy.mean()
  loss.backward()
  losses, grads = _train_twice(exp, run, golden['input'])
  np.testing.assert_allclose(losses[0], loss.item(), rtol=1e-9)
  for name, parameter in peer.named_parameters():
    want = parameter.grad.numpy()
    atol = max(ZERO, 1e-9 * np.abs(want).max())
    np.testing.assert_allclose(grads[name], want, atol=atol, err_msg=name)
