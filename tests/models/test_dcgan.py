"""Generator and discriminator against plain NumPy, and their sizes."""

import jax
import numpy as np
import pytest

from memae_jax.models import dcgan

SIZE = 9, 7  # Odd ones: 9 -> 5, and 7 -> 4, where it ends.


def _filled(network, x):
  """Random variables of a network, also where it starts with ones or zeros."""
  shapes = jax.eval_shape(lambda x: network.init(jax.random.key(0), x), x)
  rng = np.random.default_rng(1)
  draw = lambda leaf: rng.normal(0, 0.5, leaf.shape).astype(np.float32)
  filled = jax.tree.map(draw, shapes)
  positive = lambda leaf: np.abs(leaf) + np.float32(0.1)
  stats = jax.tree.map(positive, filled.get('batch_stats', {}))
  return filled | {'batch_stats': stats}


def _taps(size, out):
  """Yields pixel (i, j), output (a, b) and tap (s, t) that meet."""
  first = [1 + n % 2 for n in size]
  for a, b in np.ndindex(*out):
    for s, t in np.ndindex(4, 4):
      i, j = 2 * a + s - first[0], 2 * b + t - first[1]
      if 0 <= i < size[0] and 0 <= j < size[1]:
        yield (i, j), (a, b), (s, t)


@pytest.mark.parametrize(
  'size,levels',
  [
    ((8, 8), [(8, 8), (4, 4)]),
    ((16, 24), [(16, 24), (8, 12), (4, 6)]),
    ((28, 28), [(28, 28), (14, 14), (7, 7), (4, 4)]),
    ((64, 64), [(64, 64), (32, 32), (16, 16), (8, 8), (4, 4)]),
    ((100, 20), [(100, 20), (50, 10), (25, 5), (13, 3)]),
  ],
)
def test_levels_halve_the_sides_until_one_has_four_pixels(size, levels):
  assert dcgan.sizes((*size, 3)) == tuple(levels)


def test_a_generator_is_a_mirrored_encoder():
  sizes = dcgan.sizes(SIZE)
  assert sizes == (SIZE, (5, 4))
  network = dcgan.Generator(sizes, channels=2, width=3)
  z = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
  variables = _filled(network, z)
  params, stats = variables['params'], variables['batch_stats']
  dense = params['Dense_0']
  x = (z @ dense['kernel'] + dense['bias']).reshape(2, 5, 4, 3)
  norm = params['NormAct_0']['BatchNorm_0']
  stats = stats['NormAct_0']['BatchNorm_0']
  x = (x - stats['mean']) / np.sqrt(stats['var'] + 1e-5)
  x = np.maximum(x * norm['scale'] + norm['bias'], 0)
  conv = params['Conv_0']
  expected = np.zeros((2, *SIZE, 2)) + conv['bias']
  for pixel, at, tap in _taps(SIZE, (5, 4)):
    expected[:, *pixel] += x[:, *at] @ conv['kernel'][tap]
  found = jax.jit(network.apply)(variables, z)
  assert len(np.unique(np.sign(expected))) == 2
  np.testing.assert_allclose(found, np.tanh(expected), atol=1e-5)


def test_a_discriminator_judges_by_its_features():
  network = dcgan.Discriminator(dcgan.sizes(SIZE), width=3)
  x = np.random.default_rng(0).uniform(-1, 1, (2, *SIZE, 2)).astype(np.float32)
  variables = _filled(network, x)
  params = variables['params']
  conv, dense = params['Conv_0'], params['Dense_0']
  seen = np.zeros((2, 5, 4, 3)) + conv['bias']
  for pixel, at, tap in _taps(SIZE, (5, 4)):
    seen[:, *at] += x[:, *pixel] @ conv['kernel'][tap]
  expected = np.where(seen < 0, 0.2 * seen, seen).reshape(2, -1)
  logit, features = jax.jit(network.apply)(variables, x)
  np.testing.assert_allclose(features, expected, atol=1e-5)
  judged = (expected @ dense['kernel'] + dense['bias'])[:, 0]
  np.testing.assert_allclose(logit, judged, atol=1e-4)


def test_the_size_of_the_published_generator():
  """1024, 512, 256 and 128 channels, of vectors of 100; here with 4x4 taps."""
  sizes = dcgan.sizes((64, 64))
  z = jax.ShapeDtypeStruct((1, 100), np.float32)
  out, variables = jax.eval_shape(
    lambda z: dcgan.Generator(sizes, 3, 128).init_with_output(
      jax.random.key(0), z
    ),
    z,
  )
  assert out.shape == (1, 64, 64, 3)
  channels = 1024, 512, 256, 128
  expected = 101 * 16 * 1024 + sum(2 * c for c in channels)
  for before, after in zip(channels, (*channels[1:], 3)):
    expected += 16 * before * after + after
  leaves = jax.tree.leaves(variables['params'])
  assert sum(leaf.size for leaf in leaves) == expected
