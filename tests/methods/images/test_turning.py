"""Parts that are turned, against the same parts upright."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from memae_jax.methods.images import turning

SIZE = 40, 46


def bar(degrees, shift=(0.0, 0.0), size=SIZE):
  """A dark bar with a thick end, whose longer side is at that angle."""
  rows, columns = np.indices(size)
  rows = rows - (size[0] - 1) / 2 - shift[0]
  columns = columns - (size[1] - 1) / 2 - shift[1]
  turn = np.deg2rad(degrees)
  along = np.cos(turn) * columns + np.sin(turn) * rows
  across = np.cos(turn) * rows - np.sin(turn) * columns
  soft = lambda inside: 1 / (1 + np.exp(-2 * inside))
  body = soft(13 - np.abs(along)) * soft(2.5 - np.abs(across))
  head = soft(3 - np.abs(along - 10)) * soft(6 - np.abs(across))
  return np.float32(0.8 - 0.6 * np.maximum(body, head))


def _alike(one, other):
  return np.corrcoef(np.ravel(one), np.ravel(other))[0, 1]


@jax.jit
def _there_and_back(x):
  at = turning.pose(x)
  upright = turning.upright(x, at)
  return at, upright, turning.back(upright, at, x.shape)


@pytest.mark.parametrize('degrees', [0, 45, 100, 197, 300])
def test_a_turned_bar_comes_upright_and_lies_again_as_it_was(degrees):
  moved = bar(degrees, (2.3, -3.1))
  at, upright, again = _there_and_back(moved)
  angle = np.rad2deg(at.angle)
  assert abs((angle - degrees + 90) % 180 - 90) < 1
  _, expected, _ = _there_and_back(bar(0))
  likeness = _alike(upright, expected), _alike(upright[::-1, ::-1], expected)
  assert max(likeness) > 0.98 and min(likeness) < 0.95
  expects = likeness[1] > likeness[0]
  assert turning.is_reversed(upright, expected) == expects
  seen = turning.back(np.ones_like(upright), at, moved.shape) > 0.99
  assert seen.mean() > 0.85 and _alike(again[seen], moved[seen]) > 0.99
  if degrees % 90:
    assert _alike(moved, bar(0)) < 0.6


def test_a_pose_is_that_of_second_moments():
  x = bar(30, (1, 2))
  dark = np.abs(x - 0.8) > turning.FOREGROUND
  at = jax.jit(turning.pose)(x)
  np.testing.assert_allclose(
    at.centre, scipy.ndimage.center_of_mass(dark), atol=1e-3
  )
  places = np.argwhere(dark)
  _, vectors = np.linalg.eigh(np.cov(places.T))
  row, column = vectors[:, -1]
  slope = np.rad2deg(np.arctan(row / column))
  assert np.rad2deg(at.angle) == pytest.approx(slope, abs=0.1)
  assert at.level == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize('size', [(9, 12), (1, 7)])
def test_background_alone_stays_as_it_is(size):
  """Noise below the threshold is background, too; padding is its level."""
  noise = np.random.default_rng(0).uniform(0.5, 0.55, size)
  x = jnp.asarray(noise, jnp.float32)
  at, upright, again = _there_and_back(x)
  assert float(at.angle) == 0
  assert upright.shape == turning.canvas(*size)
  assert np.hypot(*size) <= min(upright.shape)
  np.testing.assert_allclose(again, x, atol=1e-6)
  more = [(n - m) // 2 for n, m in zip(upright.shape, size, strict=True)]
  expected = np.pad(
    x, [(n, n) for n in more], constant_values=np.median(turning.border(x))
  )
  np.testing.assert_allclose(upright, expected, atol=1e-6)


def test_the_border_has_each_outer_pixel_once():
  x = np.arange(20).reshape(4, 5)
  inner = {6, 7, 8, 11, 12, 13}
  assert sorted(turning.border(x).tolist()) == sorted(set(range(20)) - inner)
