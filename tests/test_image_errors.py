"""Maps of errors of images against their definitions."""

import jax
import numpy as np
import pytest
import scipy.ndimage
import scipy.special
from skimage import metrics

from memae_jax import image_errors, losses


def _images(shape=(3, 17, 23, 2), seed=0):
  rng = np.random.default_rng(seed)
  return rng.uniform(-1, 1, (2, *shape))


def _flat(x):
  return x.reshape(len(x), -1)


@pytest.mark.parametrize('sigma', [0, 0.7, 1, 2.5])
@pytest.mark.parametrize('shape', [(2, 28, 28, 1), (1, 5, 40, 3), (1, 3, 2, 1)])
def test_blur_is_that_of_scipy(shape, sigma):
  x = _images(shape)[0]
  expected = x
  if sigma:
    expected = scipy.ndimage.gaussian_filter(x, sigma, axes=(1, 2))
  np.testing.assert_allclose(
    image_errors.blurred(x, sigma), expected, rtol=1e-5, atol=1e-6
  )


def test_blur_unit():
  x, out = _images()
  out = 1.3 * out  # Beyond [-1, 1] it is clipped.

  def direction(image):
    image = np.clip((image + 1) / 2, 0, 1)
    image = _flat(scipy.ndimage.gaussian_filter(image, 1, axes=(1, 2)))
    return image / np.linalg.norm(image, axis=1, keepdims=True)

  expected = ((direction(x) - direction(out)) ** 2).sum(axis=1)
  errors = image_errors.blur_unit(x, out)
  assert errors.shape == x.shape
  np.testing.assert_allclose(_flat(errors).mean(axis=1), expected, rtol=1e-4)


def test_contrast_unit_sees_neither_brightness_nor_contrast():
  x, out = _images()
  score = lambda *pair: _flat(image_errors.contrast_unit(*pair)).mean(axis=1)
  centred = [_flat(v) - _flat(v).mean(axis=1, keepdims=True) for v in (x, out)]
  norms = [np.linalg.norm(v, axis=1) for v in centred]
  cosine = (centred[0] * centred[1]).sum(axis=1) / norms[0] / norms[1]
  np.testing.assert_allclose(score(x, out), 2 - 2 * cosine, rtol=1e-4)
  np.testing.assert_allclose(
    score(0.1 * x + 0.3, 4 * out - 1), score(x, out), rtol=1e-3
  )


def _grey(seed=0):
  """Pairs of pictures in [0, 1], and the error allowed in single precision."""
  rng = np.random.default_rng(seed)
  shape = 48, 37
  texture, other = rng.uniform(size=(2, *shape))
  noise, more = 1e-3 * rng.standard_normal((2, *shape))
  bright, dark = np.full(shape, 0.98), np.full(shape, 0.02)
  ramp = np.tile(np.linspace(0, 1, shape[1]), (shape[0], 1))
  half = np.where(ramp < 0.5, dark, bright)
  return {
    'texture, another': (texture, other, 1e-6),
    'texture, nearly': (texture, texture + 50 * noise, 1e-6),
    'texture, flat': (texture, bright, 1e-6),
    'bright, noise in one': (bright, bright + noise, 1e-6),
    'bright, noise in both': (bright + more, bright + noise, 1e-6),
    'bright, a level below': (bright, bright - 1e-3, 1e-6),
    'dark, noise in one': (dark, dark + noise, 1e-6),
    'bright, dark': (bright, dark, 1e-6),
    'ramp, noise in one': (ramp, ramp + noise, 1e-6),
    'halves, noise in one': (half, half + noise, 1e-6),
    # The worst: flat, and far apart in one half only.
    'bright, halves': (bright + more, half, 2e-4),
  }


@pytest.mark.parametrize('dtype', [np.float64, np.float32])
def test_ssim_is_that_of_scikit_image(dtype):
  *pairs, allowed = zip(*_grey().values())
  x, out = (2 * np.clip(v, 0, 1).astype(dtype) - 1 for v in np.stack(pairs))
  with jax.enable_x64(dtype is np.float64):
    found = jax.jit(image_errors.ssim)(x[..., None], out[..., None])
  assert found.dtype == dtype
  for i, name in enumerate(_grey()):
    expected = metrics.structural_similarity(
      *((v[i].astype(float) + 1) / 2 for v in (x, out)),
      win_size=11,
      data_range=1,
      full=True,
    )[1]
    np.testing.assert_allclose(
      found[i, ..., 0],
      1 - expected,
      rtol=0,
      atol=1e-10 if dtype is np.float64 else allowed[i],
      err_msg=name,
    )


def test_slopes_of_ssim_in_single_precision():
  """Of bright pictures that differ by noise, where squares nearly cancel."""
  x, out, _ = _grey()['bright, noise in both']
  pair = [(2 * v - 1)[None, :, :, None] for v in (out, x)]
  slopes = jax.grad(lambda out, x: image_errors.ssim(x, out).mean())
  found = jax.jit(slopes)(*(v.astype(np.float32) for v in pair))
  with jax.enable_x64(True):
    exact = jax.jit(slopes)(*pair)
  np.testing.assert_allclose(found, exact, atol=1e-3 * np.abs(exact).max())


def test_gradient():
  x, out = _images((1, 4, 5, 1))
  error = (out - x)[0, :, :, 0]
  expected = np.zeros_like(error)
  expected[:-1] += np.diff(error, axis=0) ** 2
  expected[:, :-1] += np.diff(error, axis=1) ** 2
  found = image_errors.gradient(x, out)[0, :, :, 0]
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


RULES = ('blur_unit', 'contrast_unit', 'ssim', 'gradient')


@pytest.mark.parametrize('name', RULES)
def test_constant_images_and_perfect_ones_are_finite(name):
  rule = losses.find(name)
  x, out = (v.astype(np.float32) for v in _images((2, 12, 12, 1)))
  for flat in (np.full_like(x, -1), np.zeros_like(x), np.ones_like(x)):
    for pair in ((flat, out), (x, flat), (flat, flat)):
      value, slopes = jax.value_and_grad(
        lambda out, x=pair[0]: rule.reduce(rule.errors(x, out)).sum()
      )(pair[1])
      assert np.isfinite(value) and np.isfinite(slopes).all()
  best = rule.reduce(rule.errors(x, x))
  assert (best < rule.reduce(rule.errors(x, out))).all()
  np.testing.assert_allclose(best, 0, atol=1e-5)


def test_rules_of_other_scalings_do_not_fit():
  names = lambda *how: [rule.name for rule in losses.fitting(*how)]
  assert set(RULES) <= set(names(losses.IMAGE, 'fixed'))
  assert not {'blur_unit', 'ssim'} & set(names(losses.IMAGE, 'contrast'))
  assert 'contrast_unit' in names(losses.IMAGE, 'contrast')
  assert not set(RULES) & set(names(losses.CLIP))


def test_maps_lie_where_their_positions_are():
  maps = np.random.default_rng(0).uniform(size=(2, 3, 4)).astype(np.float32)
  centres = (0, 4, 8), (1, 4, 7, 10)
  large = np.asarray(image_errors.enlarged(maps, (12, 12), 0.0, centres))
  assert large.shape == (2, 12, 12)
  np.testing.assert_allclose(large[:, :9:4, 1::3], maps, rtol=1e-5)
  between = (maps[:, 0] + maps[:, 1]) / 2
  np.testing.assert_allclose(large[:, 2, 1::3], between, rtol=1e-5)
  np.testing.assert_array_equal(large[:, 8], large[:, 11])
  cells = (1.5, 5.5, 9.5), (1, 4, 7, 10)
  np.testing.assert_allclose(
    image_errors.enlarged(maps, (12, 12), 2.0, cells),
    image_errors.enlarged(maps, (12, 12), 2.0),
    rtol=1e-5,
  )


def test_edges_by_hand():
  """Of 3x3 pixels; the last row and column have no next ones."""
  x = np.array([[0, 1, 1], [2, 0, 0], [0, 0, -1]], float)
  out = np.array([[0, -1, 0], [0, 0, 0], [0, 0, 0]], float)
  # Sizes to the right: x 1 0, 2 0, 0 1; out 1 1, 0 0, 0 0.
  right = [[0, 1, 0], [2, 0, 0], [0, 1, 0]]
  # Sizes downwards: x 2 1 1, 2 0 1; out 0 1 0, 0 0 0.
  down = [[2, 0, 1], [2, 0, 1], [0, 0, 0]]
  found = image_errors.edges(x[None, ..., None], out[None, ..., None])
  np.testing.assert_array_equal(found[0, ..., 0], np.add(right, down))
  assert not image_errors.edges(-x[None, ..., None], x[None, ..., None]).any()


def _coins(seed=0):
  """Inputs and outputs in [0, 1], the ends among them."""
  x, out = np.random.default_rng(seed).uniform(size=(2, 4, 6, 5, 2))
  x[0], x[1] = x[0] < 0.5, 1e-9
  out[2, 0], out[2, 1] = 0, 1
  return x, out


def _entropy(x):
  return -scipy.special.xlogy(x, x) - scipy.special.xlogy(1 - x, 1 - x)


def test_cross_entropy_less_that_of_the_input_is_its_definition():
  x, out = _coins()
  sure = np.clip(out, 2**-23, 1 - 2**-23)
  expected = -x * np.log(sure) - (1 - x) * np.log(1 - sure) - _entropy(x)
  for dtype in (np.float64, np.float32):
    with jax.enable_x64(dtype is np.float64):
      found = image_errors.cross_entropy(x.astype(dtype), out.astype(dtype))
    assert found.dtype == dtype and (np.asarray(found) >= 0).all()
    # Inputs keep away from the ends as outputs do, by 1e-7.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=4e-6)


def test_cross_entropy_is_zero_for_the_same_and_finite_for_all():
  x, out = (part.astype(np.float32) for part in _coins())
  np.testing.assert_array_equal(image_errors.cross_entropy(x, x), 0)
  gradient = jax.grad(lambda p: image_errors.cross_entropy(x, p).sum())(out)
  assert np.isfinite(gradient).all()
  inner = (out > 1e-3) & (out < 0.999) & (np.abs(out - x) > 0.01)
  x, p = x[inner], out[inner]  # The entropy of the input has no gradient.
  np.testing.assert_allclose(
    gradient[inner], (p - x) / (p * (1 - p)), rtol=1e-3
  )
