"""Maps of errors of images against their definitions."""

import jax
import numpy as np
import pytest
import scipy.ndimage
import scipy.special

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


def test_ssim_is_its_definition():
  """As scikit-image computes it, with one window of 11 x 11 at each pixel."""
  x, out = (np.clip((v + 1) / 2, 0, 1) for v in _images((1, 16, 13, 1)))
  padded = [np.pad(v[0, :, :, 0], 5, 'symmetric') for v in (x, out)]
  expected = np.empty((16, 13))
  for i, j in np.ndindex(expected.shape):
    a, b = (v[i : i + 11, j : j + 11].ravel() for v in padded)
    (var_a, both), (_, var_b) = np.cov(a, b)
    mean_a, mean_b = a.mean(), b.mean()
    expected[i, j] = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
    expected[i, j] /= mean_a**2 + mean_b**2 + 1e-4
    expected[i, j] /= var_a + var_b + 9e-4
  found = image_errors.ssim(2 * x - 1, 2 * out - 1)
  np.testing.assert_allclose(found[0, :, :, 0], 1 - expected, atol=2e-5)


def test_ssim_of_flat_bright_images_in_single_precision():
  x = np.full((1, 32, 32, 1), 0.98, np.float32)
  out = x - np.float32(1e-3)
  with jax.enable_x64(True):
    exact = image_errors.ssim(x.astype(np.float64), out.astype(np.float64))
  np.testing.assert_allclose(image_errors.ssim(x, out), exact, atol=1e-4)


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
