"""AE-Conv3D: the published layers, its losses, and the frames that it sees."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import losses
from memae_jax.methods import base
from memae_jax.methods.videos import zhao
from memae_jax.runtime import errors
from tests import helpers

SMALL = {
  'methods.zhao.widths': (3, 4),
  'methods.zhao.decoder_widths': (3,),
}
_SHAPE = (8, 8, 12, 1)


def _method(shape=_SHAPE, **fields):
  config = helpers.clips(**{'fleet.variants': ('zhao',)} | fields)
  return zhao.build(config, shape, ())


def _variables(method, shape=_SHAPE):
  init = jax.jit(lambda x: method.init(jax.random.key(1), x, ()))
  return init(jnp.zeros((1, *shape)))


def test_the_published_layers():
  shape = (32, 128, 128, 1)
  method = _method(shape)
  x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
  variables = jax.eval_shape(lambda x: method.init(jax.random.key(0), x, ()), x)
  of = lambda part: sum(
    leaf.size for leaf in jax.tree.leaves(variables['params'][part])
  )
  layers = lambda wide: sum(27 * a * b + b for a, b in zip(wide, wide[1:]))
  encoder, decoder = (1, 32, 48, 64, 64), (64, 48, 32, 32, 1)
  # A norm has a factor and a shift for each channel.
  assert of('encoder') == layers(encoder) + 2 * sum(encoder[1:])
  assert of('rebuilder') == layers(decoder) + 2 * sum(decoder[1:-1])
  assert of('foreteller') == of('rebuilder')
  assert method.network.encoder.plan.code_shape == (1, 8, 8, 64)
  predicted = jax.eval_shape(
    lambda v, x: method.predict(v, x, (), None, None), variables, x
  )
  assert predicted.output.shape == (1, 16, 128, 128, 1)


@pytest.mark.parametrize('frames', [1, 5, 16])
def test_weights_fall_linearly_with_time(frames):
  found = zhao.weights(frames)
  expected = [(frames - t) / (frames * frames) for t in range(frames)]
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  np.testing.assert_allclose(np.diff(found), -1 / frames**2, rtol=1e-4)


@pytest.mark.parametrize('weight', [0.0, 0.5])
def test_the_loss_is_that_of_both_halves_without_padding(weight):
  method = _method(**SMALL | {'methods.zhao.prediction': weight})
  x = jax.random.uniform(jax.random.key(0), (5, *_SHAPE), minval=-1)
  variables = _variables(method)
  mask = np.arange(5) < 3
  batch = base.Batch(x, jnp.asarray(mask), None, 3)
  loss = jax.jit(lambda v, batch: method.loss(v, batch, (), base.Across()))
  parts = loss(variables, batch)
  apply = functools.partial(method.network.apply, mutable=['batch_stats'])
  (rebuilt, foretold), _ = jax.jit(apply, static_argnums=2)(
    variables, x[:3, :4], True
  )
  first, later = np.split(np.asarray(x[:3], float), 2, axis=1)
  error = np.mean((np.asarray(rebuilt, float) - first) ** 2)
  ahead = 0
  for t in range(4):
    of_frame = np.mean((np.asarray(foretold[:, t], float) - later[:, t]) ** 2)
    ahead += (4 - t) / 16 * of_frame
  np.testing.assert_allclose(parts.terms['reconstruction'], error, rtol=1e-5)
  np.testing.assert_allclose(parts.terms['prediction'], ahead, rtol=1e-5)
  np.testing.assert_allclose(parts.loss, error + weight * ahead, rtol=1e-5)


def test_decoders_have_weights_of_their_own():
  method = _method(**SMALL)
  variables = _variables(method)
  x = jax.random.uniform(jax.random.key(0), (2, *_SHAPE), minval=-1)

  def error(params, part):
    batch = base.Batch(x, None, None, 2)
    given = {**variables, 'params': params}
    return method.loss(given, batch, (), base.Across()).terms[part]

  for part, other in (
    ('reconstruction', 'foreteller'),
    ('prediction', 'rebuilder'),
  ):
    gradient = jax.jit(jax.grad(error), static_argnums=1)(
      variables['params'], part
    )
    largest = {
      name: max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(of_part))
      for name, of_part in gradient.items()
    }
    assert largest.pop(other) == 0
    assert min(largest.values()) > 1e-4


def test_scores_are_of_the_frames_around_the_scored_one():
  method = _method(**SMALL)
  variables = _variables(method)
  x = jax.random.uniform(jax.random.key(0), (1, *_SHAPE), minval=-1)

  predict = jax.jit(lambda x: method.predict(variables, x, (), None, None))
  found = predict(x)
  seen = jax.grad(lambda x: predict(x).scores['mse'][0])(x)
  moved = np.abs(np.asarray(seen)).max((0, 2, 3, 4)) > 0
  assert np.flatnonzero(moved).tolist() == [2, 3, 4, 5]
  np.testing.assert_array_equal(found.target, x[:, 2:6])
  # What is compared is the scored frame of the sample.
  error = np.square(np.asarray(found.output[0, 2]) - np.asarray(x[0, 4]))
  np.testing.assert_allclose(
    found.scores['mse_centre'][0], error.mean(), rtol=1e-5
  )
  np.testing.assert_allclose(
    found.maps['mse'][0], error.mean(-1), rtol=1e-4, atol=1e-7
  )
  scored = losses.scored_frame(found.target)
  np.testing.assert_array_equal(scored, losses.scored_frame(x))


@pytest.mark.parametrize(
  'shape,fields,words',
  [
    ((5, 8, 8, 1), {}, r'shape \(5, 8, 8, 1\); set data.clip_frames to an ev'),
    ((8, 8, 1), {}, r'shape \(8, 8, 1\); set data.clip_frames'),
    (_SHAPE, {'methods.zhao.widths': (4, 4)}, 'decoder_widths" is .48, 32'),
    (_SHAPE, {'methods.zhao.widths': ()}, 'methods.zhao.widths has'),
  ],
)
def test_what_does_not_fit_is_refused(shape, fields, words):
  with pytest.raises(errors.UserError, match=words):
    _method(shape, **fields)


def test_it_does_not_predict_the_last_frame():
  with pytest.raises(errors.UserError, match='"zhao" of fleet.variants cannot'):
    helpers.clips(**{'fleet.variants': ('zhao',), 'model.task': 'predict'})
