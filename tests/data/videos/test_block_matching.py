"""Block matching, beside loops of NumPy and textures that are shifted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.data.videos import block_matching

_OPTIONS = block_matching.Options()


def _texture(height, width, seed=0, x=0.0, y=0.0):
  """A smooth periodic texture in [0, 1], moved by (x, y) pixels exactly."""
  rng = np.random.default_rng(seed)
  down, across = np.meshgrid(
    np.fft.fftfreq(height), np.fft.fftfreq(width), indexing='ij'
  )
  smooth = np.exp(-0.5 * (np.hypot(down, across) / 0.08) ** 2)
  waves = np.fft.fft2(rng.normal(size=(height, width))) * smooth
  waves *= np.exp(-2j * np.pi * (x * across + y * down))
  texture = np.fft.ifft2(waves).real
  return (0.5 + 0.15 * texture / texture.std()).clip(0, 1).astype(np.float32)


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
  first, second = _texture(48, 64), _texture(48, 64, x=x, y=y)
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
  frame = _texture(48, 64, seed=3)
  assert not _matched(frame, frame).any()
  assert not _matched(frame, (frame + 0.03).clip(0, 1)).any()
  flat = np.full((48, 64), 0.5, np.float32)
  assert not _matched(flat, flat).any() and not _matched(flat, flat + 0.2).any()


def test_a_patch_that_moves_over_still_ground_is_found_where_it_is():
  ground, patch = _texture(48, 64, seed=1), _texture(30, 26, seed=2)
  first, second = ground.copy(), ground.copy()
  first[10:40, 20:46] = patch
  second[10:40, 28:54] = patch
  found = _matched(first, second, apart=4)
  inside = found[9:16, 14:19]
  np.testing.assert_allclose(inside[..., 0], 2, atol=0.1)
  np.testing.assert_allclose(inside[..., 1], 0, atol=0.1)
  assert not found[:, :3].any()


def test_bytes_are_as_numbers_and_a_batch_as_its_frames():
  raw = [_texture(48, 64, seed, x) for seed, x in ((0, 0), (0, 4), (1, 2))]
  raw = np.stack([np.round(255 * frame).astype(np.uint8) for frame in raw])
  first, second, apart = raw[:2], raw[1:], np.array([2, 4])
  found = np.asarray(block_matching.match(first, second, apart, _OPTIONS))
  for i in range(2):
    alone = _matched(first[i] / np.float32(255), second[i] / np.float32(255))
    np.testing.assert_allclose(found[i], alone / apart[i], atol=1e-5)


def test_odd_sizes_and_other_settings_have_a_result():
  options = block_matching.Options(
    shrink=3, gap=1, reach=(2, 1), window=3, penalty=0.01
  )
  first, second = _texture(31, 41), _texture(31, 41, x=3, y=-3)
  found = _matched(first, second, options)
  assert found.shape == (*options.cells(31, 41), 2) == (11, 14, 2)
  by_loops = 3 * _by_loops(first[:30, :39], second[:30, :39], options)
  # The cells that jut out of the frame are not whole, and change the windows
  # beside them.
  np.testing.assert_allclose(found[:7, :9], by_loops[:7, :9], atol=1e-3)
  still = np.zeros((1, 5), np.float32)
  assert not _matched(still, still, options).any()


def test_one_frame_has_no_motion_and_no_gradient_flows():
  frame = _texture(48, 64)
  assert not _matched(frame, np.roll(frame, 3, 1), apart=0).any()

  def total(frames):
    moved = block_matching.match(
      frames[None], jnp.roll(frames, 3, 1)[None], jnp.asarray([1]), _OPTIONS
    )
    return moved.sum()

  assert not jax.grad(total)(jnp.asarray(frame)).any()


@pytest.mark.parametrize(
  ('length', 'first', 'second'),
  [
    (1, [0], [0]),
    (2, [0, 0], [1, 1]),
    (4, [0] * 4, [3] * 4),
    (5, [0] * 5, [4] * 5),
    (7, [0, 0, 0, 1, 2, 2, 2], [4, 4, 4, 5, 6, 6, 6]),
  ],
)
def test_frames_that_are_matched_at_the_ends(length, first, second):
  found = block_matching.pairs(length, 2)
  assert [part.tolist() for part in found] == [first, second]
