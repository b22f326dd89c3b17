"""Block matching, beside loops of NumPy and textures that are shifted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.data.videos import block_matching
from tests.data.videos import textures

_OPTIONS = block_matching.Options()


def _by_loops(first, second, options):
  """Independent displacement [h, w, 2] of two frames, in cells."""
  side = options.shrink
  small = lambda frame: np.array(
    [
      [
        frame[side * i : side * i + side, side * j : side * j + side].mean()
        for j in range(frame.shape[1] // side)
      ]
      for i in range(frame.shape[0] // side)
    ],
    np.float64,
  )
  a, b = small(first), small(second)
  height, width = a.shape
  most_x, most_y = options.reach
  half = options.window // 2
  costs = {}
  for y in range(-most_y, most_y + 1):
    for x in range(-most_x, most_x + 1):
      rows = np.clip(np.arange(height) + y, 0, height - 1)
      columns = np.clip(np.arange(width) + x, 0, width - 1)
      error = np.abs(a - b[np.ix_(rows, columns)])
      cost = np.empty_like(a)
      for i in range(height):
        for j in range(width):
          part = error[
            max(i - half, 0) : i + half + 1, max(j - half, 0) : j + half + 1
          ]
          cost[i, j] = part.mean() + options.penalty * np.sqrt(x * x + y * y)
      costs[x, y] = cost
  out = np.empty((height, width, 2))
  for i in range(height):
    for j in range(width):
      here = {shift: cost[i, j] for shift, cost in costs.items()}
      best = min(here, key=here.get)
      out[i, j] = best
      if best == (0, 0):
        continue
      for axis in (0, 1):
        step = np.eye(2, dtype=int)[axis]
        two = [tuple(np.add(best, sign * step)) for sign in (-1, 1)]
        if all(shift in here for shift in two):
          low, high = (here[shift] for shift in two)
          bend = low - 2 * here[best] + high
          out[i, j, axis] += (low - high) / (2 * bend) if bend > 0 else 0
  return out


def _matched(first, second, options=_OPTIONS, apart=1):
  found = block_matching.match(
    first[None], second[None], jnp.asarray([apart]), options
  )
  return np.asarray(found)[0]


@pytest.mark.parametrize(
  ('x', 'y'), [(0, 0), (2, 0), (-5.5, 3.0), (7.3, -2.6), (10.4, 4.6)]
)
def test_shifted_textures_as_by_loops_and_as_shifted(x, y):
  first, second = textures.texture(), textures.texture(x=x, y=y)
  found = _matched(first, second)
  assert found.shape == (24, 32, 2) and found.dtype == np.float32
  by_loops = 2 * _by_loops(first, second, _OPTIONS)
  near = np.abs(found - by_loops) < 1e-3
  assert near.mean() > 0.999  # Two shifts may cost the same but for rounding.
  # Four frames lie between the two; the bar is 0.1 pixels per frame.
  inside = found[6:-6, 9:-9] / 4
  far = np.abs(inside - np.array([x, y]) / 4).max(axis=-1)
  assert np.median(far) < 0.05 and np.mean(far < 0.1) > 0.95


def test_what_stands_still_is_zero_even_if_it_flickers():
  frame = textures.texture(seed=3)
  assert not _matched(frame, frame).any()
  assert not _matched(frame, (frame + 0.03).clip(0, 1)).any()
  flat = np.full((48, 64), 0.5, np.float32)
  assert not _matched(flat, flat).any() and not _matched(flat, flat + 0.2).any()


def test_a_patch_that_moves_over_still_ground_is_found_where_it_is():
  ground, patch = textures.texture(seed=1), textures.texture(30, 26, seed=2)
  first, second = ground.copy(), ground.copy()
  first[10:40, 20:46] = patch
  second[10:40, 28:54] = patch
  found = _matched(first, second, apart=4)
  inside = found[9:16, 14:19]
  np.testing.assert_allclose(inside[..., 0], 2, atol=0.1)
  np.testing.assert_allclose(inside[..., 1], 0, atol=0.1)
  assert not found[:, :3].any()


def test_bytes_are_as_numbers_and_a_batch_as_its_frames():
  moved = (0, 0), (0, 4), (1, 2)
  raw = [textures.texture(seed=seed, x=x) for seed, x in moved]
  raw = np.stack([np.round(255 * frame).astype(np.uint8) for frame in raw])
  first, second, apart = raw[:2], raw[1:], np.array([2, 4])
  found = np.asarray(block_matching.match(first, second, apart, _OPTIONS))
  for i in range(2):
    alone = _matched(first[i] / np.float32(255), second[i] / np.float32(255))
    np.testing.assert_allclose(found[i], alone / apart[i], atol=1e-5)


def test_odd_sizes_and_other_settings_have_a_result():
  options = block_matching.Options(
    shrink=3, reach=(2, 1), window=3, penalty=0.01
  )
  first, second = textures.texture(31, 41), textures.texture(31, 41, x=3, y=-3)
  found = _matched(first, second, options)
  assert found.shape == (11, 14, 2)
  by_loops = 3 * _by_loops(first[:30, :39], second[:30, :39], options)
  # The cells that jut out of the frame are not whole, and change the windows
  # beside them.
  np.testing.assert_allclose(found[:7, :9], by_loops[:7, :9], atol=1e-3)
  still = np.zeros((1, 5), np.float32)
  assert not _matched(still, still, options).any()


def test_one_frame_has_no_motion_and_no_gradient_flows():
  frame = textures.texture()
  assert not _matched(frame, np.roll(frame, 3, 1), apart=0).any()

  def total(frames):
    moved = block_matching.match(
      frames[None], jnp.roll(frames, 3, 1)[None], jnp.asarray([1]), _OPTIONS
    )
    return moved.sum()

  assert not jax.grad(total)(jnp.asarray(frame)).any()
