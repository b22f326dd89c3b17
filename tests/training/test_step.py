"""Optimizer, schedule and batches of one replica."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from memae_jax.training import experiment, step
from tests import helpers


def test_one_step_is_adam_on_the_stated_loss():
  exp = experiment.build(helpers.digits(**{'fleet.normal_classes': (3,)}))
  state = exp.init()
  replica = jax.tree.map(lambda x: np.asarray(x)[0], state)
  hyper = jax.tree.map(lambda x: np.asarray(x)[0], exp.hyper)
  data = jax.tree.map(lambda x: np.asarray(x)[0], exp.programs.data)
  batch = step.batch_at(data, exp.programs.inputs, hyper.seed, 0, 16)
  split = exp.splits[0]
  raw = exp.source.inputs[split.train].astype(np.float32) / 127.5 - 1
  for row in np.asarray(batch):  # Each is a training normal, in [-1, 1].
    assert np.isclose(raw, row, atol=1e-6).all(axis=(1, 2, 3)).any()

  def loss(params):
    out = exp.trainer.model.apply({'params': params}, batch, hyper.knobs)
    error = jnp.mean((batch - out.reconstruction) ** 2)
    return error + 2e-4 * jnp.mean(out.read.entropy)

  adam = optax.adam(1e-3)
  grads = jax.grad(loss)(replica.params)
  updates, _ = adam.update(grads, adam.init(replica.params))
  expected = optax.apply_updates(replica.params, updates)
  value = loss(replica.params)
  after, sums = exp.run(state, 0, 1)
  np.testing.assert_allclose(sums.loss[0], value, rtol=1e-5)
  for one, two in zip(
    jax.tree.leaves(after.params), jax.tree.leaves(expected), strict=True
  ):
    np.testing.assert_allclose(one[0], two, rtol=1e-4, atol=1e-6)


def test_schedules():
  config = helpers.digits(
    **{
      'train.schedule': 'cosine',
      'train.warmup_steps': 10,
    }
  ).train
  factor = step.schedule(config, 110)
  assert factor(0) == 0 and factor(5) == pytest.approx(0.5)
  assert factor(10) == pytest.approx(1)
  assert factor(60) == pytest.approx(0.5, abs=1e-3)
  assert factor(110) == pytest.approx(0, abs=1e-6)
  constant = step.schedule(helpers.digits().train, 110)
  assert constant(0) == constant(109) == 1


def test_clipping_and_weight_decay():
  config = helpers.digits(
    **{
      'train.clip_norm': 1.0,
      'train.weight_decay': 0.1,
    }
  ).train
  params = {'w': jnp.asarray([3.0, 4.0])}
  clipping = step.optimizer(config)
  plain = step.optimizer(helpers.digits().train)
  large = {'w': jnp.asarray([300.0, 400.0])}
  small = {'w': jnp.asarray([0.6, 0.8])}
  clipped, _ = clipping.update(large, clipping.init(params), params)
  expected, _ = plain.update(small, plain.init(params), params)
  np.testing.assert_allclose(
    clipped['w'], expected['w'] + 0.1 * params['w'], rtol=1e-5
  )


def test_scores_leave_padding_out():
  exp = experiment.build(helpers.digits())
  state = exp.init()
  rows = [split.test for split in exp.splits]
  whole = jax.device_get(exp.score(state, rows))
  for i, row in enumerate(rows):
    for k in (0, len(row) - 1):
      single = jax.device_get(
        exp.score(state, [r[min(k, len(r) - 1) :][:1] for r in rows])
      )
      np.testing.assert_allclose(
        whole.error[i, min(k, len(row) - 1)], single.error[i, 0], rtol=1e-5
      )
  np.testing.assert_array_equal(whole.reads.queries, [len(row) for row in rows])
  np.testing.assert_allclose(
    np.sum(whole.reads.usage, axis=1),
    np.asarray(whole.reads.queries) - np.asarray(whole.reads.dead),
    rtol=1e-4,
  )
