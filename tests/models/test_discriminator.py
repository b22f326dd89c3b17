"""The discriminator of patches against plain NumPy, and its published size."""

import jax
import numpy as np

from memae_jax.models import discriminator


def _conv(x, layer, stride):
  """4x4 convolution of [B, H, W, C] with two zeros on each side."""
  kernel = np.asarray(layer['kernel'], float)
  x = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
  rows, columns = (n - 4 + 1 for n in x.shape[1:3])
  out = sum(
    x[:, a : a + rows, b : b + columns] @ kernel[a, b]
    for a in range(4)
    for b in range(4)
  )
  return out[:, ::stride, ::stride] + np.asarray(layer['bias'])


def test_it_judges_each_patch():
  network = discriminator.Discriminator((3, 4, 5))
  x = np.random.default_rng(0).uniform(-1, 1, (2, 9, 12, 2))
  x = x.astype(np.float32)
  shapes = jax.eval_shape(lambda x: network.init(jax.random.key(0), x), x)
  rng = np.random.default_rng(1)
  draw = lambda leaf: rng.normal(0, 0.2, leaf.shape).astype(np.float32)
  params = jax.tree.map(draw, shapes['params'])
  found = jax.jit(network.apply)({'params': params}, x)
  for i, stride in enumerate((2, 2, 1)):
    x = _conv(x, params[f'Conv_{i}'], stride)
    x = np.where(x < 0, 0.2 * x, x)
  expected = 1 / (1 + np.exp(-_conv(x, params['Conv_3'], 1)))
  assert found.shape == expected.shape == (2, 5, 6, 1)
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_its_published_size():
  network = discriminator.Discriminator((128, 256, 512, 512))
  x = jax.ShapeDtypeStruct((1, 256, 256, 3), np.float32)
  out, variables = jax.eval_shape(
    lambda x: network.init_with_output(jax.random.key(0), x), x
  )
  assert out.shape == (1, 35, 35, 1)
  channels = (3, 128), (128, 256), (256, 512), (512, 512), (512, 1)
  expected = sum(16 * before * after + after for before, after in channels)
  count = sum(leaf.size for leaf in jax.tree.leaves(variables))
  assert count == expected == 6_831_489
