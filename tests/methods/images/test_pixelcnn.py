"""PixelCNN: bits that add up, levels, and the trap of simple pictures."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from memae_jax.methods import base
from memae_jax.methods.images import pixelcnn
from memae_jax.runtime import errors
from tests import helpers
from tests.methods.videos import predicting

_TINY = {
  'fleet.variants': ('pixelcnn',),
  'fleet.normal_classes': (3,),
  'methods.pixelcnn.width': 6,
  'methods.pixelcnn.layers': 2,
  'methods.pixelcnn.levels': 4,
}


def _built(shape=(8, 8, 1), **fields):
  return predicting.built(helpers.digits(**_TINY | fields), shape)


def _everyone(shape, levels=2):
  """All pictures of a shape, at the middles of their levels."""
  values = itertools.product(range(levels), repeat=int(np.prod(shape)))
  level = np.array(list(values)).reshape(-1, *shape)
  return np.float32((2 * level + 1) / levels - 1)


def _predict(method, shape, x):
  variables = predicting.filled(method, shape, ())
  predict = jax.jit(lambda x: method.predict(variables, x, (), None, None))
  return predict(x)


@pytest.mark.parametrize('shape', [(2, 2, 1), (1, 2, 2)])
def test_likelihoods_and_plain_codes_of_all_pictures_add_up_to_one(shape):
  method = _built(shape, **{'methods.pixelcnn.levels': 2})
  scores = _predict(method, shape, _everyone(shape)).scores
  bits, excess = (4 * np.float64(scores[name]) for name in scores)
  assert list(scores) == ['bits', 'bits_excess'] and np.ptp(bits) > 1
  np.testing.assert_allclose(np.sum(2**-bits), 1, rtol=1e-5)
  np.testing.assert_allclose(np.sum(2 ** (excess - bits)), 1, rtol=1e-5)


def test_uniform_logits_take_the_logarithm_of_the_levels():
  method = _built()
  variables = predicting.shapes(method, (8, 8, 1), ())
  zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), variables)
  x = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 1)).astype(np.float32)
  found = jax.jit(lambda x: method.predict(zeros, x, (), None, None))(x)
  np.testing.assert_allclose(found.scores['bits'], 2, rtol=1e-6)
  np.testing.assert_allclose(found.maps['bits'], 2, rtol=1e-6)


def test_scores_are_means_of_maps_and_the_loss_is_the_mean_of_scores():
  """Padding has no part in it; values of one level are the same to it."""
  shape = 4, 5, 3
  method = _built(shape)
  variables = predicting.filled(method, shape, ())
  x = np.random.default_rng(0).uniform(-1.1, 1.1, (3, *shape))
  x = jnp.asarray(x, jnp.float32)
  predict = jax.jit(lambda x: method.predict(variables, x, (), None, None))
  found = predict(x)
  mean = np.mean(found.maps['bits'], axis=(1, 2))
  np.testing.assert_allclose(found.scores['bits'], mean, rtol=1e-5)
  batch = base.Batch(x, np.arange(3) < 2, None, 2)
  learn = lambda batch: method.loss(variables, batch, (), base.Across()).loss
  loss = jax.jit(learn)(batch)
  np.testing.assert_allclose(loss, mean[:2].mean(), rtol=1e-5)
  middles = (2 * pixelcnn.level_of(x, 4) + 1) / 4 - 1
  again = predict(middles)
  np.testing.assert_array_equal(again.maps['bits'], found.maps['bits'])


@pytest.mark.parametrize('levels', [2, 3, 16, 17, 255, 256])
def test_levels_have_as_many_grey_levels_each(levels):
  grey = np.arange(256)
  x = np.float32(grey) * np.float32(1 / 127.5) - np.float32(1)
  level = np.asarray(pixelcnn.level_of(x, levels))
  np.testing.assert_array_equal(level, (2 * grey + 1) * levels // 512)
  assert np.ptp(np.bincount(level)) <= 1 and len(np.bincount(level)) == levels
  beyond = pixelcnn.level_of(np.float32([-1.5, 1.5]), levels)
  np.testing.assert_array_equal(beyond, [0, levels - 1])


def test_a_plain_code_counts_differences_as_they_come():
  """One picture of two channels, value by value."""
  levels = 5
  level = np.random.default_rng(0).integers(0, levels, (1, 4, 3, 2))
  level[0, 2:] = 1
  seen, bits = np.full(levels, 0.5), 0.0
  for i, j, channel in np.ndindex(level.shape[1:]):
    at = lambda i, j, channel=channel: (
      int(level[0, i, j, channel]) if min(i, j) >= 0 else 0
    )
    left, up, corner = at(i, j - 1), at(i - 1, j), at(i - 1, j - 1)
    guess = sorted([left, up, left + up - corner])[1]
    rest = (at(i, j) - guess) % levels
    bits -= np.log2(seen[rest] / seen.sum())
    seen[rest] += 1
  found = pixelcnn.plain_bits(jnp.asarray(level), levels)
  np.testing.assert_allclose(found, [bits / level.size], rtol=1e-5)


@pytest.mark.parametrize(
  ('shape', 'fields', 'message'),
  [
    ((6,), {}, 'takes pictures'),
    ((4, 8, 8, 1), {}, 'takes pictures'),
    ((8, 8, 1), {'data.scaling': 'standard'}, 'data.scaling is "standard"'),
    ((8, 8, 3), {'methods.pixelcnn.width': 2}, 'width" is 2, but'),
  ],
)
def test_what_it_cannot_do_is_refused(shape, fields, message):
  with pytest.raises(errors.UserError, match=message):
    _built(shape, **fields)


@pytest.mark.slow  # It trains.
def test_the_likeliest_picture_is_like_no_normal_one():
  """Of noise it is blank: the trap of likelihoods, and its mend.

  Three levels are drawn independently, half of them the first. A picture takes
  1.49 bits per value on the mean, a blank one of that level 1.
  """
  shape, shares = (8, 8, 1), (0.5, 0.3, 0.2)
  fields = {'width': 2, 'layers': 1, 'levels': 3}
  method = _built(
    shape, **{f'methods.pixelcnn.{k}': v for k, v in fields.items()}
  )
  level = np.random.default_rng(0).choice(3, (256, *shape), p=shares)
  x = jnp.asarray((2 * level + 1) / 3 - 1, jnp.float32)
  variables = method.init(jax.random.key(0), x, ())
  keys, everyone = jax.random.split(jax.random.key(0), len(x)), base.Across()
  batch, adam = base.Batch(x, None, keys, len(x)), optax.adam(0.03)

  @jax.jit
  def trained(params):
    def step(carry, _):
      params, state = carry
      loss = lambda params: (
        method.loss({'params': params}, batch, (), everyone).loss
      )
      updates, state = adam.update(jax.grad(loss)(params), state)
      return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, adam.init(params)), length=60)[0][0]

  params = trained(variables['params'])
  shown = jnp.concatenate([jnp.full_like(x[:1], -1), x])
  scores = method.predict({'params': params}, shown, (), None, None).scores
  bits, excess = (np.asarray(scores[name]) for name in scores)
  entropy = -sum(share * np.log2(share) for share in shares)
  np.testing.assert_allclose(bits[1:].mean(), entropy, atol=0.05)
  assert bits[0] < bits[1:].min()
  assert excess[0] > excess[1:].max() + 0.5


@pytest.mark.parametrize('name', ['bits', 'bits_excess'])
def test_the_score_is_chosen_by_name(name):
  assert _built(**{'methods.pixelcnn.score': name}).score == name
