"""MNAD: losses, reads and moved slots against plain NumPy; it detects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from memae_jax.methods import base, mnad
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, step
from tests import helpers

_FIELDS = {
  'fleet.variants': ('mnad',),
  'fleet.normal_classes': (3,),
  'model.network': 'conv',
  'model.code': 3,
  'model.widths': (8, 8),
  'model.kernels': (3, 3),
  'model.strides': (2, 2),
  'model.memory.slots': 6,
}


def _unit(rows):
  return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def _moved(slots, query):
  """The update as the paper writes it: softmax over queries, then maximum."""
  score = query @ slots.T
  weight = np.exp(score) / np.exp(score).sum(axis=0)
  weight /= weight.max(axis=0)
  out = slots.copy()
  for k, i in enumerate(score.argmax(axis=1)):
    out[i] += weight[k, i] * query[k]
  return _unit(out)


def test_slots_move_as_published_over_ten_steps():
  rng = np.random.default_rng(0)
  slots = _unit(rng.random((5, 7)))
  found = jnp.asarray(slots, jnp.float32)
  for _ in range(10):
    query = _unit(rng.normal(size=(30, 7)))
    slots = _moved(slots, query)
    padded = np.concatenate([query, _unit(rng.normal(size=(4, 7)))])
    index = np.argmax(padded @ np.asarray(found).T, axis=1)
    found = mnad.moved(
      found,
      jnp.asarray(padded, jnp.float32),
      index,
      np.arange(34) < 30,
      base.Across(),
    )
    np.testing.assert_allclose(found, slots, atol=1e-5)


@pytest.fixture(scope='module')
def exp():
  return experiment.build(helpers.digits(**_FIELDS))


def test_the_loss_is_that_of_the_equations(exp):
  method = exp.trainer.method
  x = jax.random.uniform(jax.random.key(0), (9, 8, 8, 1), minval=-1)
  variables = method.init(jax.random.key(1), x[:1], np.int32(6))
  np.testing.assert_allclose(
    np.linalg.norm(variables['mnad']['slots'], axis=1), 1, rtol=1e-6
  )
  batch = base.Batch(x, None, None, 9)
  parts = method.loss(variables, batch, np.int32(6), base.Across())
  net, slots = method.network, np.asarray(variables['mnad']['slots'], float)
  weights = {'params': variables['params']}
  query = np.asarray(net.apply(weights, x, method=mnad.Network.queries), float)
  assert query.shape == (9 * 4, 8)
  score = query @ slots.T
  soft = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
  out = net.apply(
    weights,
    np.float32(query),
    np.float32(soft @ slots),
    method=mnad.Network.decode,
  )
  order = np.argsort(-score, axis=1)
  first, second = slots[order[:, 0]], slots[order[:, 1]]
  far = lambda slot: np.linalg.norm(query - slot + 1e-6, axis=1)
  expected = {
    'reconstruction': np.mean((out - x) ** 2),
    'compactness': np.mean((query - first) ** 2),
    'separateness': np.mean(np.maximum(far(first) - far(second) + 1, 0)),
  }
  for name, value in expected.items():
    np.testing.assert_allclose(parts.terms[name], value, rtol=1e-5)
  total = expected['reconstruction'] + 0.1 * (
    expected['compactness'] + expected['separateness']
  )
  np.testing.assert_allclose(parts.loss, total, rtol=1e-5)
  moved = parts.collections['mnad']['slots']
  np.testing.assert_allclose(moved, _moved(slots, query), atol=1e-5)


def test_slots_are_no_parameters(exp):
  state = exp.programs.init()
  assert 'mnad' not in state.params and 'mnad' in state.collections


def _scores(**fields):
  exp = experiment.build(
    helpers.digits(**{**_FIELDS, 'train.epochs': 1.0, **fields})
  )
  state, now = exp.programs.init(), 0
  while now < exp.steps:
    state, now, _ = loop.advance(exp, state, now)
  rows = [split.test for split in exp.splits]
  return exp.programs.score(step.weights(state), rows).scores


def test_a_fleet_of_two_sizes_equals_single_runs():
  both = _scores(**{'fleet.slots': (4, 6)})['mse']
  for i, slots in enumerate((4, 6)):
    alone = _scores(**{'fleet.slots': (slots,)})['mse'][0]
    np.testing.assert_allclose(both[i], alone, rtol=1e-4)


@pytest.mark.slow
def test_slots_may_be_spread_over_devices():
  alone = _scores(**{'model.memory.slots': 5})
  spread = _scores(**{'model.memory.slots': 5, 'mesh.memory': 2})
  for rule in ('mse', 'memory_distance'):
    np.testing.assert_allclose(spread[rule], alone[rule], rtol=1e-3)


@pytest.mark.parametrize('slots', [1, 2])
def test_two_slots_are_the_fewest(slots):
  config = helpers.digits(
    **{**_FIELDS, 'model.memory.slots': slots, 'model.memory.threshold': 0.5}
  )
  if slots == 2:
    experiment.build(config)
    return
  with pytest.raises(errors.UserError, match='two nearest slots'):
    experiment.build(config)


@pytest.mark.slow
def test_it_finds_foreign_digits():
  config = helpers.digits(**{**_FIELDS, 'train.epochs': 60.0})
  exp = experiment.build(config)
  state, now = exp.programs.init(), 0
  while now < exp.steps:
    state, now, _ = loop.advance(exp, state, now)
  (split,) = exp.splits
  scored = exp.programs.score(step.weights(state), [split.test]).scores
  auroc = lambda rule: sklearn.metrics.roc_auc_score(
    split.anomalous, scored[rule][0, : len(split.test)]
  )
  assert auroc('mse') > 0.9
  assert auroc('memory_distance') > 0.5
