"""Optimizer, schedule and batches of one replica."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from memae_jax.methods import base
from memae_jax.runtime import errors
from memae_jax.training import experiment, optimization, step
from tests import helpers


def test_one_step_is_adam_on_the_stated_loss():
  exp = experiment.build(helpers.digits(**{'fleet.normal_classes': (3,)}))
  state = exp.programs.init()
  replica = jax.tree.map(lambda x: np.asarray(x)[0], state)
  hyper = jax.tree.map(lambda x: np.asarray(x)[0], exp.programs.hyper)
  data = jax.tree.map(lambda x: np.asarray(x)[0], exp.programs.data)
  batch = step.batch_at(data, exp.programs.inputs, hyper.seed, 0, 16)
  split = exp.splits[0]
  raw = exp.source.inputs[split.train].astype(np.float32) / 127.5 - 1
  for row in np.asarray(batch):  # Each is a training normal, in [-1, 1].
    assert np.isclose(raw, row, atol=1e-6).all(axis=(1, 2, 3)).any()

  def loss(params):
    out = exp.trainer.method.model.apply(
      {'params': params}, batch, hyper.method.knobs
    )
    error = jnp.mean((batch - out.reconstruction) ** 2)
    return error + 2e-4 * jnp.mean(out.read.entropy)

  value, grads = jax.value_and_grad(loss)(replica.params)
  after, sums = exp.programs.run(state, 0, 1)
  np.testing.assert_allclose(sums.loss[0], value, rtol=1e-5)
  # The gradient that was taken, from Adam's first moment.
  moment = optax.tree_utils.tree_get(after.opt_state, 'mu')
  taken = jax.tree.map(lambda x: np.asarray(x)[0] / np.float32(0.1), moment)
  for one, two in zip(
    jax.tree.leaves(taken), jax.tree.leaves(grads), strict=True
  ):
    largest = np.abs(two).max()
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6 * largest)
  # The first step divides a gradient by its own size: of one near 0, it makes
  # its rounding a whole step. So the step is checked of the gradient taken.
  adam = optax.adam(1e-3)
  updates, _ = adam.update(taken, adam.init(replica.params))
  expected = optax.apply_updates(replica.params, updates)
  for one, two in zip(
    jax.tree.leaves(after.params), jax.tree.leaves(expected), strict=True
  ):
    np.testing.assert_allclose(one[0], two, rtol=1e-6, atol=1e-7)


def test_schedules():
  config = helpers.digits(
    **{
      'train.schedule': 'cosine',
      'train.warmup_steps': 10,
    }
  ).train
  factor = optimization.schedule(config, 110)
  assert factor(0) == 0 and factor(5) == pytest.approx(0.5)
  assert factor(10) == pytest.approx(1)
  assert factor(60) == pytest.approx(0.5, abs=1e-3)
  assert factor(110) == pytest.approx(0, abs=1e-6)
  constant = optimization.schedule(helpers.digits().train, 110)
  assert constant(0) == constant(109) == 1


def test_clipping_and_weight_decay():
  config = helpers.digits(
    **{
      'train.clip_norm': 1.0,
      'train.weight_decay': 0.1,
    }
  ).train
  params = {'w': jnp.asarray([3.0, 4.0])}
  clipping = optimization.optimizer(config)
  plain = optimization.optimizer(helpers.digits().train)
  large = {'w': jnp.asarray([300.0, 400.0])}
  small = {'w': jnp.asarray([0.6, 0.8])}
  clipped, _ = clipping.update(large, clipping.init(params), params)
  expected, _ = plain.update(small, plain.init(params), params)
  np.testing.assert_allclose(
    clipped['w'], expected['w'] + 0.1 * params['w'], rtol=1e-5
  )


def test_scores_leave_padding_out():
  exp = experiment.build(helpers.digits())
  state = exp.programs.init()
  rows = [split.test for split in exp.splits]
  whole = jax.device_get(exp.programs.score(state, rows))
  for i, row in enumerate(rows):
    for k in (0, len(row) - 1):
      single = jax.device_get(
        exp.programs.score(state, [r[min(k, len(r) - 1) :][:1] for r in rows])
      )
      np.testing.assert_allclose(
        whole.scores['mse'][i, min(k, len(row) - 1)],
        single.scores['mse'][i, 0],
        rtol=1e-5,
      )
  np.testing.assert_array_equal(
    whole.totals['bank'].queries, [len(row) for row in rows]
  )
  np.testing.assert_allclose(
    np.sum(whole.totals['bank'].usage, axis=1),
    np.asarray(whole.totals['bank'].queries)
    - np.asarray(whole.totals['bank'].dead),
    rtol=1e-4,
  )


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


def test_more_slots_than_encodings_are_refused():
  fields = {'model.memory.slots': 500, 'model.memory.init': 'encodings'}
  with pytest.raises(errors.UserError, match='start from the encodings of 500'):
    experiment.build(helpers.digits(**fields))
  experiment.build(helpers.digits(**fields | {'model.memory.init': 'uniform'}))
