"""AE-Conv2D: the published layers, and plain NumPy for what it computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.methods.videos import hasan
from memae_jax.runtime import errors
from tests import helpers

SMALL = {
  'methods.hasan.widths': (4, 6, 3),
  'methods.hasan.kernels': (5, 3, 3),
  'methods.hasan.stride': 2,
}


def _method(shape, **fields):
  config = helpers.clips(**{'fleet.variants': ('hasan',)} | fields)
  return hasan.build(config, shape, ())


@pytest.mark.parametrize('masks', [False, True])
def test_the_published_layers(masks):
  """227 -> 55 -> 27 -> 13 and back; weights counted by the released layers."""
  shape = (10, 227, 227, 1)
  method = _method(shape, **{'methods.hasan.masks': masks})
  sizes = [(level.size[0], level.out[0]) for level in method.network.levels]
  assert sizes == [(227, 55), (27, 27), (13, 13)]
  x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
  variables = jax.eval_shape(lambda x: method.init(jax.random.key(0), x, ()), x)
  count = sum(
    kernel**2 * inputs * outputs + outputs
    for kernel, inputs, outputs in (
      (11, 10, 256),
      (5, 256 // 2, 128),  # Two groups see one half of the channels each.
      (3, 128, 64),
      (3, 64, 128),
      (5, 128, 256),
      (11, 256, 10),
    )
  )
  leaves = jax.tree.leaves(variables)
  assert sum(leaf.size for leaf in leaves) == count
  predicted = jax.eval_shape(
    lambda v, x: method.predict(v, x, (), None, None), variables, x
  )
  assert predicted.output.shape == (1, *shape)


@pytest.mark.parametrize('side', [32, 64, 128])
def test_other_sizes_come_back(side):
  shape = (4, side, side + side // 2, 1)
  method = _method(shape)
  x = jnp.zeros((2, *shape))
  variables = jax.eval_shape(lambda x: method.init(jax.random.key(0), x, ()), x)
  out = jax.eval_shape(
    lambda v, x: method.predict(v, x, (), None, None), variables, x
  ).output
  assert out.shape == x.shape


@pytest.mark.parametrize('kernel,stride', [(11, 4), (5, 2), (4, 4), (3, 1)])
def test_the_least_padding_that_reaches_every_pixel(kernel, stride):
  def reached(size, padding):
    padded = np.zeros(size + 2 * padding, bool)
    for start in range(0, len(padded) - kernel + 1, stride):
      padded[start : start + kernel] = True
    return padded[padding : padding + size].all()

  for size in range(1, 60):
    least = next(p for p in range(kernel) if reached(size, p))
    assert hasan.covering(size, kernel, stride) == least
  assert hasan.covering(227, 11, 4) == 0


def _convolved(x, kernel, bias, stride, padding):
  """[H, W, I] by [k, k, I, O]."""
  k = len(kernel)
  x = np.pad(x, [(p, p) for p in padding] + [(0, 0)])
  rows, columns = ((n - k) // stride + 1 for n in x.shape[:2])
  out = np.zeros((rows, columns, kernel.shape[-1]))
  for i, j in np.ndindex(rows, columns):
    window = x[i * stride : i * stride + k, j * stride : j * stride + k]
    out[i, j] = np.einsum('rci,rcio->o', window, kernel) + bias
  return out


def _transposed(y, kernel, bias, level):
  """[h, w, I] by [k, k, I, O] to the size that entered a level."""
  k, stride = len(kernel), level.stride
  padded = [n + 2 * p + stride for n, p in zip(level.size, level.padding)]
  out = np.zeros((*padded, kernel.shape[-1]))
  for i, j in np.ndindex(y.shape[:2]):
    part = np.einsum('i,rcio->rco', y[i, j], kernel)
    out[i * stride : i * stride + k, j * stride : j * stride + k] += part
  (p, q), (rows, columns) = level.padding, level.size
  return out[p : p + rows, q : q + columns] + bias


def _pooled(x):
  """Maxima of [H, W, C] and, for each, its row and column."""
  rows, columns = (-(-(n - 3) // 2) + 1 for n in x.shape[:2])
  out, at = np.zeros((rows, columns, x.shape[2])), {}
  for i, j, c in np.ndindex(out.shape):
    window = x[2 * i : 2 * i + 3, 2 * j : 2 * j + 3, c]
    r, s = np.unravel_index(window.argmax(), window.shape)
    out[i, j, c], at[i, j, c] = window[r, s], (2 * i + r, 2 * j + s)
  return out, at


def _back(y, at, size, masks):
  out = np.zeros((*size, y.shape[2]))
  if masks:
    for (i, j, c), (row, column) in at.items():
      out[row, column, c] += y[i, j, c]
    return out
  for row, column in np.ndindex(*size):
    i, j = min(row // 2, len(y) - 1), min(column // 2, y.shape[1] - 1)
    out[row, column] = y[i, j]
  return out


def _by_hand(params, levels, x, masks):
  """The network in float64, one image at a time."""
  weights = lambda name: [
    np.asarray(params[name][part], float) for part in ('kernel', 'bias')
  ]
  places = []
  for i, level in enumerate(levels):
    if i:
      x, at = _pooled(x)
      places.append(at)
    groups = np.split(x, level.groups, axis=-1)
    x = np.concatenate(
      [
        _convolved(
          group,
          *(
            np.asarray(params[f'Grouped_{i}'][f'Conv_{g}'][part], float)
            for part in ('kernel', 'bias')
          ),
          level.stride,
          level.padding,
        )
        for g, group in enumerate(groups)
      ],
      axis=-1,
    )
    x = np.tanh(x)
  for number, level in enumerate(levels[::-1]):
    x = np.tanh(_transposed(x, *weights(f'Conv_{number}'), level))
    before = len(levels) - 2 - number
    if before >= 0:
      x = _back(x, places[before], levels[before].out, masks)
  return x


@pytest.mark.parametrize('masks', [False, True])
def test_what_it_computes(masks):
  shape = (3, 15, 20, 1)
  method = _method(shape, **SMALL | {'methods.hasan.masks': masks})
  x = jax.random.uniform(jax.random.key(0), (2, *shape), minval=-1)
  variables = jax.jit(lambda x: method.init(jax.random.key(1), x, ()))(x)
  predict = jax.jit(lambda v, x: method.predict(v, x, (), None, None))
  found = predict(variables, x)
  network = method.network
  for clip, out in zip(np.asarray(x, float), found.output):
    image = np.moveaxis(clip[..., 0], 0, -1)  # Frames are the channels.
    by_hand = _by_hand(variables['params'], network.levels, image, masks)
    expected = np.moveaxis(by_hand, -1, 0)[..., None]
    np.testing.assert_allclose(out, expected, atol=1e-5)
  error = np.square(found.output - x).mean((1, 2, 3, 4))
  np.testing.assert_allclose(found.scores['mse'], error, rtol=1e-5)


def test_frames_are_channels_and_come_back_in_order():
  x = jnp.arange(2 * 3 * 4 * 5 * 2.0).reshape(2, 3, 4, 5, 2)
  image = hasan.stacked(x)
  assert image.shape == (2, 4, 5, 6)
  np.testing.assert_array_equal(image[..., 2:4], x[:, 1])
  np.testing.assert_array_equal(hasan.unstacked(image, x.shape[1:]), x)
  assert hasan.stacked(image) is image
  assert hasan.unstacked(image, image.shape[1:]) is image


@pytest.mark.parametrize(
  'fields,words',
  [
    ({'methods.hasan.widths': (8,)}, 'kernels" is .11, 5, 3., but .*8'),
    ({'methods.hasan.kernels': (11, 4, 3)}, 'after the first must be odd'),
    ({'methods.hasan.stride': 12}, 'stride" is 12, more than the first'),
    ({'methods.hasan.widths': (8, 5, 4)}, 'groups" is 2, which does not'),
  ],
)
def test_settings_that_do_not_fit(fields, words):
  with pytest.raises(errors.UserError, match=words):
    _method((4, 32, 32, 1), **fields)


def test_rows_of_tables_are_refused():
  with pytest.raises(errors.UserError, match='"hasan" takes clips or images'):
    _method((7,))
