"""Max-pooling of windows that overlap, and two ways back to the size before.

Windows are of 3 x 3 pixels, and begin every 2 pixels; the last ones may reach
beyond the image. `unpool` puts values where the maxima were, which is more than
the pooled values say; `spread` knows nothing of these places.
"""

from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp

from memae_jax.models import blocks

SIDE, STRIDE = 3, 2


def pooled(size: int) -> int:
  """Returns how many windows it takes to hold all of `size` pixels."""
  return max(-(-(size - SIDE) // STRIDE), 0) + 1


def _reach(count: int) -> int:
  """Returns how many pixels some windows side by side reach over."""
  return STRIDE * (count - 1) + SIDE


def _places() -> Iterator[tuple[int, int, int]]:
  """Yields the number of each place in a window, its row and its column."""
  for number in range(SIDE**2):
    yield number, number // SIDE, number % SIDE


def max_pool(x: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Takes the maximum of each window: [B, H, W, C] -> [B, h, w, C].

  Args:
    x: [B, H, W, C].

  Returns:
    The maxima, and where they are: [B, h, w, C] int32 from 0 to 8, row by row
    within the window; of equal values the first.
  """
  count = [pooled(n) for n in x.shape[1:3]]
  ends = [(0, _reach(m) - n, 0) for n, m in zip(x.shape[1:3], count)]
  x = jax.lax.pad(
    x, jnp.array(-jnp.inf, x.dtype), [(0, 0, 0), *ends, (0, 0, 0)]
  )
  highest = place = None
  for number, row, column in _places():
    value = x[:, row:, column:][:, ::STRIDE, ::STRIDE]
    value = value[:, : count[0], : count[1]]
    if highest is None:
      highest, place = value, jnp.zeros(value.shape, jnp.int32)
      continue
    is_higher = value > highest
    highest = jnp.where(is_higher, value, highest)
    place = jnp.where(is_higher, number, place)
  return highest, place


def unpool(y: jax.Array, place: jax.Array, size: Sequence[int]) -> jax.Array:
  """Puts values where the maxima were, and zeros elsewhere.

  Windows that share their maximum add up there: it is the adjoint of the
  pooling.

  Args:
    y: [B, h, w, C].
    place: of the maxima, from `max_pool`.
    size: H and W of the images that were pooled.

  Returns:
    [B, H, W, C].
  """
  nothing, total = jnp.zeros((), y.dtype), 0
  for number, row, column in _places():
    part = jnp.where(place == number, y, nothing)
    # Zeros between values; what lies beyond the image is cut.
    ends = [
      (first, n - first - STRIDE * (m - 1) - 1, STRIDE - 1)
      for first, n, m in zip((row, column), size, y.shape[1:3])
    ]
    total += jax.lax.pad(part, nothing, [(0, 0, 0), *ends, (0, 0, 0)])
  return total


def spread(y: jax.Array, size: Sequence[int]) -> jax.Array:
  """Gives each pixel the value of a window that holds it.

  Args:
    y: [B, h, w, C].
    size: H and W of the result.

  Returns:
    [B, H, W, C]: pixel i has the value of window i // 2, or the last one.
  """
  whole = [min(n, STRIDE * m) for n, m in zip(size, y.shape[1:3])]
  y = blocks.up_sample(y, (STRIDE, STRIDE), whole)
  for axis, n in enumerate(size, 1):
    if n > y.shape[axis]:
      last = jax.lax.slice_in_dim(y, y.shape[axis] - 1, None, axis=axis)
      y = jnp.concatenate([y, last], axis)
  return y
