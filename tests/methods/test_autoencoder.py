"""Losses of the variants, and the weights that they start from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.data import transforms
from memae_jax.methods import base, selection
from memae_jax.models import dense, memae
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, step
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

  def reconstruct(x, mutable=()):
    """The output, or collections if any are asked for; and the error."""
    out, more = exp.trainer.method.model.apply(
      {'params': params},
      x,
      hyper.method.knobs,
      train=True,
      code_noise=noise,
      mutable=list(mutable),
    )
    return more or out, jnp.mean((batch - out.reconstruction) ** 2)

  _, sums = exp.programs.run(state, 0, 1)
  return float(sums.loss[0]), part, reconstruct


def test_ae_l1_adds_the_size_of_the_code():
  loss, part, reconstruct = _first_loss('ae_l1')
  out, error = reconstruct(part.x)
  assert out.read is None and out.divergence is None
  expected = error + 0.25 * jnp.mean(jnp.abs(out.code))
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  assert loss > float(error) * 1.001


def test_the_first_layer_is_penalised_by_weight_times_sum_over_batch():
  """As an activity regulariser of Keras, whose weight 0.25 / 16 would be."""
  loss, part, reconstruct = _first_loss(
    'ae_l1', **{'train.l1_of': 'first_layer'}
  )
  out, error = reconstruct(part.x, mutable=['intermediates'])
  first = dense.first_layer(out)
  assert first.shape == (16, 16)
  penalty = 0.25 / 16 * jnp.abs(first).sum() / len(first)
  np.testing.assert_allclose(loss, error + penalty, rtol=1e-5)
  assert float(penalty) > 1e-3


@pytest.mark.parametrize(
  'fields', [{'model.widths': ()}, {'model.network': 'conv'}]
)
def test_a_layer_that_is_not_there_is_not_penalised(fields):
  with pytest.raises(
    errors.UserError, match='l1_of.*"first_layer", which only'
  ):
    helpers.digits(**{'train.l1_of': 'first_layer'} | fields)


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


def _selected(**fields):
  """A fleet that selects its slots, and its states before and after that."""
  config = helpers.digits(
    **{
      'fleet.normal_classes': (3,),
      'fleet.variants': ('memae', 'ae'),
      'fleet.slots': (5, 9),
      'model.batch_norm': True,
      'model.memory.init': 'k_means',
      'eval.batch_size': 50,
      **fields,
    }
  )
  exp = experiment.build(config)
  start = exp.programs.init()
  state, now, values = loop.advance(exp, start, 0)
  assert (now, values) == (1, {})
  return exp, start, state


@pytest.mark.parametrize('select', ['k_means', 'k_centre'])
def test_slots_start_as_selected_encodings(select):
  exp, start, state = _selected(**{'model.memory.init': select})
  split = exp.splits[0]
  x = transforms.apply(exp.source.inputs[split.train], split.transform)
  encode = memae.MemAE.encode
  for i, replica in enumerate(exp.replicas):
    before, after = (exp.programs.one(s, i).variables for s in (start, state))
    slots = after['params'].pop('bank')['slots']
    random = before['params'].pop('bank')['slots']
    jax.tree.map(np.testing.assert_array_equal, before, after)
    count = replica.slots if replica.has_memory else 0
    if count:
      codes = exp.trainer.method.model.apply(before, x, method=encode)
      rng = np.random.default_rng([0, 0, 0])
      expected, _ = selection.select(np.asarray(codes), select, count, rng)
      np.testing.assert_allclose(slots[:count], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(slots[count:], random[count:])


def test_only_a_selection_takes_a_pass():
  for init, passes in (('uniform', 0), ('encodings', 0), ('k_means', 1)):
    exp = experiment.build(helpers.digits(**{'model.memory.init': init}))
    assert exp.steps - exp.gradient_steps == passes
  fields = {'model.memory.init': 'k_means', 'fleet.variants': ('ae',)}
  exp = experiment.build(helpers.digits(**fields))
  assert exp.steps == exp.gradient_steps
  fields = {'model.memory.init': 'k_means', 'model.memory.slots': 500}
  with pytest.raises(errors.UserError, match='start from the encodings of 500'):
    experiment.build(helpers.digits(**fields))


@pytest.mark.slow  # Eight devices compile.
def test_devices_share_the_selected_slots():
  exp, _, state = _selected()
  other, _, spread = _selected(**{'mesh.memory': 4, 'mesh.data': 2})
  assert tuple(other.mesh.shape.values()) == (1, 2, 4)
  for i in range(len(exp.replicas)):
    one, two = exp.programs.one(state, i), other.programs.one(spread, i)
    np.testing.assert_allclose(
      one.params['bank']['slots'],
      two.params['bank']['slots'],
      rtol=1e-4,
      atol=1e-5,
    )


def test_noisy_inputs_are_cut_to_a_range():
  fields = {'train.noise_range': (-0.25, 0.5)}  # Inputs are in [-1, 1].
  loss, part, reconstruct = _first_loss('dae', **fields)
  noisy = part.x + 0.5 * part.normal(part.x.shape[1:])
  seen = np.clip(noisy, -0.25, 0.5)
  np.testing.assert_allclose(loss, reconstruct(seen)[1], rtol=1e-5)
