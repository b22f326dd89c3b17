"""Losses of the variants, and the weights that they start from."""

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax.methods import base
from memae_jax.training import experiment, step
from tests import helpers


def _first_loss(variant, **fields):
  """The loss of the first step of one replica, and what it is made of."""
  config = helpers.digits(
    **{
      'fleet.normal_classes': (3,),
      'fleet.variants': (variant,),
      'train.code_l1': 0.25,
      'train.noise': 0.5,
      'train.kl_weight': 0.125,
    }
    | fields
  )
  exp = experiment.build(config)
  state = exp.programs.init()
  params = jax.tree.map(lambda x: np.asarray(x)[0], state.params)
  hyper = jax.tree.map(lambda x: np.asarray(x)[0], exp.programs.hyper)
  data = jax.tree.map(lambda x: np.asarray(x)[0], exp.programs.data)
  batch = step.batch_at(data, exp.programs.inputs, hyper.seed, 0, 16)
  keys = step.sample_keys(hyper.seed, 0, jnp.arange(16))
  part = base.Batch(batch, None, keys, 16)
  noise = part.normal((8,), 1)

  def reconstruct(x):
    out = exp.trainer.method.model.apply(
      {'params': params}, x, hyper.method.knobs, train=True, code_noise=noise
    )
    return out, jnp.mean((batch - out.reconstruction) ** 2)

  _, sums = exp.programs.run(state, 0, 1)
  return float(sums.loss[0]), part, reconstruct


def test_ae_l1_adds_the_size_of_the_code():
  loss, part, reconstruct = _first_loss('ae_l1')
  out, error = reconstruct(part.x)
  assert out.read is None and out.divergence is None
  expected = error + 0.25 * jnp.mean(jnp.abs(out.code))
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  assert loss > float(error) * 1.001


def test_dae_reconstructs_clean_inputs_from_noisy_ones():
  loss, part, reconstruct = _first_loss('dae')
  noise = part.normal(part.x.shape[1:])
  np.testing.assert_allclose(
    loss, reconstruct(part.x + 0.5 * noise)[1], rtol=1e-5
  )
  assert abs(loss - reconstruct(part.x)[1]) > 1e-5


def test_vae_adds_the_divergence_of_its_code():
  loss, part, reconstruct = _first_loss('vae')
  out, error = reconstruct(part.x)
  expected = error + 0.125 * jnp.mean(out.divergence) / 64
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  assert float(out.divergence.min()) > 0


def test_variants_of_one_seed_start_from_the_same_weights():
  exp = experiment.build(
    helpers.digits(
      **{
        'fleet.normal_classes': (3,),
        'fleet.variants': ('memae', 'ae', 'ae_l1', 'dae', 'vae'),
        'model.memory.init': 'encodings',
      }
    )
  )
  state = exp.programs.init()
  for leaf in jax.tree.leaves(state.params):
    for row in np.asarray(leaf)[1:]:
      np.testing.assert_array_equal(row, np.asarray(leaf)[0])
  slots = np.asarray(state.params['bank']['slots'])[0]
  assert len(np.unique(slots, axis=0)) == len(slots)
