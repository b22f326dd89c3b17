"""MNAD: losses, reads and moved slots against plain NumPy; it detects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from memae_jax.methods import base, mnad
from memae_jax.models import conv_net
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, step
from tests import helpers
from tests.methods import moved_slots
from tests.methods.videos import predicting

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


def test_slots_move_as_published_over_ten_steps():
  rng = np.random.default_rng(0)
  slots = moved_slots.unit(rng.random((5, 7)))
  found = jnp.asarray(slots, jnp.float32)
  for _ in range(10):
    query = moved_slots.unit(rng.normal(size=(30, 7)))
    slots = moved_slots.moved(slots, query)
    padded = np.concatenate([query, moved_slots.unit(rng.normal(size=(4, 7)))])
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
  query, above = net.apply(weights, x, method=mnad.Network.queries)
  query = np.asarray(query, float)
  assert above == () and query.shape == (9 * 4, 8)
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
  np.testing.assert_allclose(moved, moved_slots.moved(slots, query), atol=1e-5)


@pytest.fixture(scope='module')
def predicts():
  """Method, random variables and four samples where frames are predicted."""
  config = predicting.config(
    'mnad', **{'methods.mnad.widths': (4, 6, 8), 'model.batch_norm': False}
  )
  exp = experiment.build(config)
  method, x = exp.trainer.method, predicting.samples(exp, 4)
  variables = predicting.filled(method, x.shape[1:], np.int32(6))
  variables['mnad']['slots'] = moved_slots.unit(variables['mnad']['slots'])
  return method, variables, x


def test_it_predicts_by_a_unet_around_the_memory(predicts):
  """Queries at the bottleneck, skips beside them, the last frame wanted."""
  method, variables, x = predicts
  net, slots = method.network, np.asarray(variables['mnad']['slots'], float)

  def apply(method, *args):
    weights = {'params': variables['params']}
    return jax.jit(lambda *a: net.apply(weights, *a, method=method))(*args)

  seen = np.concatenate([x[:, i] for i in range(4)], axis=-1)
  query, above = apply(mnad.Network.queries, seen)
  assert query.shape == (4 * 4 * 6, 8)
  assert [m.shape[1:] for m in above] == [(16, 24, 4), (8, 12, 6)]
  query = np.asarray(query, float)
  score = query @ slots.T
  soft = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
  pair = np.float32(query), np.float32(soft @ slots)
  out = np.asarray(apply(mnad.Network.decode, *pair, above), float)
  errors_ = np.square(out - x[:, 4]).mean(axis=(1, 2, 3))
  nearest = slots[score.argmax(axis=1)]
  far = np.linalg.norm(query - nearest, axis=1).reshape(4, -1).mean(axis=1)

  def both(x):
    mask = np.ones(4, bool)
    found = method.predict(variables, x, np.int32(6), mask, None)
    batch = base.Batch(x, None, None, 4)
    parts = method.loss(variables, batch, np.int32(6), base.Across())
    return found, parts.terms, parts.collections

  found, terms, new = jax.jit(both)(x)
  np.testing.assert_allclose(found.output, out, atol=1e-5)
  np.testing.assert_array_equal(found.target, x[:, 4])
  np.testing.assert_allclose(found.scores['mse'], errors_, rtol=1e-5)
  np.testing.assert_allclose(found.scores['memory_distance'], far, rtol=1e-5)
  np.testing.assert_allclose(terms['reconstruction'], errors_.mean(), rtol=1e-5)
  np.testing.assert_allclose(
    new['mnad']['slots'], moved_slots.moved(slots, query), atol=1e-5
  )


def test_the_predicted_frame_is_not_seen(predicts):
  method, variables, x = predicts
  seen = predicting.sensitivity(method, variables, x, np.int32(6))
  assert (seen[:4] > 0).all() and seen[4] == 0


_WIDE = {'methods.mnad.widths': (64, 128, 256, 512), 'model.batch_norm': True}
_DOWN = (64, 128), (128, 256), (256, 512)


def _layers(channels, up, wide):
  """(channels in, out) of the published layers, but for the last of the code.

  Args:
    channels: of the input.
    up: channels of the transposed convolutions.
    wide: of what comes after each of them.
  """
  encoder = [(channels, 64), (64, 64)]
  encoder += [pair for a, b in _DOWN for pair in ((a, b), (b, b))][:-1]
  decoder, before = [(1024, 512), (512, 512)], 512
  for out, joined, after in zip(up, wide, (256, 128, 64)):
    decoder += [(before, out), (joined, after), (after, after)]
    before = after
  return encoder + decoder


@pytest.mark.parametrize(
  ('fields', 'shape', 'layers'),
  [
    (_WIDE, (5, 256, 256, 3), _layers(12, (256, 128, 64), (512, 256, 128))),
    (
      _WIDE
      | {
        'model.task': 'reconstruct',
        'methods.mnad.network': 'no_skips',
        'data.clip_frames': 1,
      },
      (256, 256, 3),
      _layers(3, (512, 256, 128), (512, 256, 128)),
    ),
  ],
  ids=['prediction', 'reconstruction'],
)
def test_published_networks_have_published_sizes(fields, shape, layers):
  method = predicting.built(predicting.config('mnad', **fields), shape)
  # Each layer has a norm; two have none, the last of the code and of all.
  expected = sum(9 * a * b + 3 * b for a, b in layers)
  expected += 9 * 512 * 512 + 512 + 9 * 64 * 3 + 3
  found = predicting.shapes(method, shape, np.int32(6))
  assert predicting.count(found) == expected
  assert method.network.code_shape == (32, 32, 512)


def test_a_reconstruction_has_no_skips(exp):
  assert isinstance(exp.trainer.method.network.encoder, conv_net.ConvEncoder)
  shape, network = (8, 8, 1), 'methods.mnad.network'
  with pytest.raises(errors.UserError, match='skips would copy'):
    predicting.built(helpers.digits(**_FIELDS, **{network: 'unet'}), shape)
  plain = {network: 'no_skips', 'methods.mnad.widths': (3, 4)}
  method = predicting.built(helpers.digits(**_FIELDS, **plain), shape)
  decoder = method.network.decoder
  assert not decoder.skips and decoder.bounded
  variables = predicting.shapes(method, shape, np.int32(6))
  up = variables['params']['decoder']['Conv_0']['kernel']
  assert up.shape == (3, 3, 4, 6)  # Twice as wide as what it leads to.


@pytest.mark.slow
@pytest.mark.parametrize('network', ['model', 'unet'])
def test_networks_that_predict_on_many_devices(network):
  fields = {
    'methods.mnad.network': network,
    'model.network': 'conv',
    'model.batch_norm': True,
    'model.memory.slots': 5,
    'train.batch_size': 13,
  }
  alone, spread = (
    predicting.trained(
      experiment.build(predicting.config('mnad', **fields | mesh))
    )
    for mesh in ({}, {'mesh.data': 4, 'mesh.memory': 2})
  )
  # What the sums of a norm are rounded to grows over the steps.
  for rule in ('mse', 'memory_distance'):
    np.testing.assert_allclose(spread[rule], alone[rule], rtol=1e-2)


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


@pytest.mark.slow  # It trains three networks.
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


@pytest.mark.slow
def test_it_finds_what_moves_otherwise():
  """Trained for half a minute on a laptop, to predict."""
  found = predicting.auroc_of_shapes('mnad', **{'model.batch_norm': True})
  assert found['psnr'] >= 0.9
  assert found['memory_distance'] > 0.5
