"""The step and the scores of one replica."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from memae_jax.training import experiment, step
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
