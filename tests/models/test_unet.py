"""U-Nets against plain NumPy, and what does not fit them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.models import unet
from memae_jax.runtime import errors

_WIDTHS, _SIZE = (3, 4, 5), (6, 7)


def _conv(x, layer):
  """3x3 convolution of [B, H, W, C], zeros around."""
  kernel = np.asarray(layer['kernel'], float)
  rows, columns = x.shape[1:3]
  x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  out = sum(
    x[:, a : a + rows, b : b + columns] @ kernel[a, b]
    for a in range(3)
    for b in range(3)
  )
  return out + np.asarray(layer['bias'])


def _up(x, layer, size):
  """Lays the kernel down at every second pixel, and adds what overlaps."""
  kernel = np.asarray(layer['kernel'], float)
  side, before = len(kernel), (len(kernel) - 1) // 2
  count, rows, columns, _ = x.shape
  out = np.zeros((count, 2 * rows + 2, 2 * columns + 2, kernel.shape[-1]))
  for i in range(rows):
    for j in range(columns):
      for a in range(side):
        for b in range(side):
          out[:, 2 * i + a, 2 * j + b] += x[:, i, j] @ kernel[a, b]
  out = out[:, before : before + size[0], before : before + size[1]]
  return out + np.asarray(layer['bias'])


def _halved(x):
  """Largest of each block of 2x2 pixels, cut off at the edge."""
  rows, columns = -(-x.shape[1] // 2), -(-x.shape[2] // 2)
  block = lambda i, j: x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max((1, 2))
  return np.stack(
    [
      np.stack([block(i, j) for j in range(columns)], axis=1)
      for i in range(rows)
    ],
    axis=1,
  )


def _relu(x):
  return np.maximum(x, 0)


def _expected(x, params, is_open, mixes, skips):
  """The published network, layer by layer, in float64."""
  encoder, decoder = params['encoder'], params['decoder']
  maps = []
  for i in range(3):
    layers = encoder[f'_Block_{i}']
    x = _relu(_conv(_halved(x) if i else x, layers['Conv_0']))
    x = _conv(x, layers['Conv_1'])
    x = x if is_open and i == 2 else _relu(x)
    maps.append(x)
  blocks = iter(f'_Block_{i}' for i in range(3))

  def block(x):
    layers = decoder[next(blocks)]
    return _relu(_conv(_relu(_conv(x, layers['Conv_0'])), layers['Conv_1']))

  x = block(x) if mixes else x
  for i, above in enumerate(maps[1::-1]):
    x = _relu(_up(x, decoder[f'Conv_{i}'], above.shape[1:3]))
    x = block(np.concatenate([above, x], axis=-1) if skips else x)
  return _conv(x, decoder['Conv_2'])


def _network(mixes, skips, kernel, **options):
  sizes = unet.sizes((*_SIZE, 2), _WIDTHS, 'widths')
  assert sizes == ((6, 7), (3, 4), (2, 2))
  decoder = unet.Decoder(_WIDTHS, sizes, 1, kernel, skips, mixes, **options)
  options.pop('bounded', None)
  return unet.UNet(unet.Encoder(_WIDTHS, is_open=mixes, **options), decoder)


def _images():
  x = np.random.default_rng(0).uniform(-1, 1, (3, *_SIZE, 2))
  return x.astype(np.float32)


def _variables(network, x):
  """Random numbers in the shapes of those of a network."""
  shapes = jax.eval_shape(lambda x: network.init(jax.random.key(0), x), x)
  rng = np.random.default_rng(1)

  def fill(leaf):
    scale = 1.5 / np.sqrt(np.prod(leaf.shape[:-1]))  # Of kernels.
    drawn = rng.normal(0, scale if leaf.ndim > 1 else 0.1, leaf.shape)
    return drawn.astype(np.float32)

  return jax.tree.map(fill, shapes)


@pytest.mark.parametrize(
  ('mixes', 'skips', 'kernel'),
  [(False, True, 2), (True, True, 3), (True, False, 3)],
  ids=['Frame-Pred', 'MNAD', 'MNAD without skips'],
)
def test_it_is_the_published_network(mixes, skips, kernel):
  """Also for sizes that two does not divide."""
  network, x = _network(mixes, skips, kernel), _images()
  variables = _variables(network, x)
  found = jax.jit(network.apply)(variables, x)
  expected = _expected(x, variables['params'], mixes, mixes, skips)
  assert np.std(expected) > 0.05
  np.testing.assert_allclose(found, np.tanh(expected), atol=1e-5)


def test_norms_leave_padding_out_and_results_may_be_linear():
  network = _network(True, True, 3, batch_norm=True, bounded=False)
  x = _images()
  variables = _variables(network, x)
  stats = jax.tree.map(np.ones_like, variables['batch_stats'])
  assert len(jax.tree.leaves(stats)) == 2 * (5 + 2 + 2 * 3)
  variables['batch_stats'] = stats
  variables['params']['decoder']['Conv_2']['kernel'] *= 9
  train = jax.jit(
    lambda x: network.apply(
      variables, x, True, np.arange(4) < 3, mutable=['batch_stats']
    )
  )
  padded = lambda by: np.concatenate([x, by * x[:1]])
  (one, moved), (two, also) = train(padded(9)), train(padded(-3))
  np.testing.assert_allclose(one[:3], two[:3], rtol=1e-4, atol=1e-5)
  jax.tree.map(np.testing.assert_array_equal, moved, also)
  assert np.abs(one[:3]).max() > 1 and (one[3] != two[3]).any()


def test_half_precision_comes_back_in_single():
  network, x = _network(False, True, 2, dtype=jnp.bfloat16), _images()
  variables = _variables(network, x)
  out = jax.eval_shape(network.apply, variables, x)
  assert out.shape == (3, *_SIZE, 1) and out.dtype == jnp.float32


@pytest.mark.parametrize(
  ('shape', 'widths', 'words'),
  [
    ((16, 8, 8, 1), (4, 4), 'takes images, but .* shape .16, 8, 8, 1.'),
    ((30,), (4,), 'takes images'),
    ((9, 3, 1), (4, 4, 4), '"widths" has 3 levels, .* images of 9x3 pixels'),
    ((9, 3, 1), (), '"widths" has 0 levels'),
  ],
)
def test_levels_that_do_not_fit(shape, widths, words):
  with pytest.raises(errors.UserError, match=words):
    unet.sizes(shape, widths, 'widths')


def test_levels_of_the_published_size():
  sides = [rows for rows, _ in unet.sizes((256, 256, 12), (1,) * 4, '')]
  assert sides == [256, 128, 64, 32]
