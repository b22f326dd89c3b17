"""The autoencoders of pictures of defects: layers, losses, what they lack."""

import jax
import numpy as np
import pytest
import scipy.ndimage

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.config import presets
from memae_jax.features import lite0
from memae_jax.memory import addressing
from memae_jax.methods import autoencoder
from memae_jax.methods.images import autoencoders
from memae_jax.models import memae
from memae_jax.runtime import errors
from tests.methods import fitting


def _config(patch):
  config = config_lib.default()
  config.data.protocol = 'given'
  presets.defect_network(config, patch)
  config.model.memory.init = 'uniform'
  return config


def _built(name, shape=(128, 128, 1), patch=128):
  config = _config(patch)
  config.fleet.variants = (name,)
  config = config_lib.resolve(config)
  build = autoencoder.build if name == 'memae' else autoencoders.build
  return build(config, shape, fitting.replicas(config))


def _sizes(method, shape=(128, 128, 1)):
  """Returns the shapes of the kernels, and the number of all parameters."""
  knobs = memae.Knobs(True, False, 1.0, 50)
  variables = jax.eval_shape(
    lambda: method.model.init(
      jax.random.key(0), np.zeros((1, *shape), np.float32), knobs
    )
  )
  params = variables['params']
  count = sum(leaf.size for leaf in jax.tree.leaves(params))
  kernels = {
    side: [
      params[side][f'Conv_{i}']['kernel'].shape
      for i in range(len(params[side]))
    ]
    for side in ('encoder', 'decoder')
  }
  return kernels, count


def test_the_layers_are_those_of_the_paper():
  """Table 1 of Bergmann et al. (2018); parameters counted by hand."""
  method = _built('memae')
  assert method.model.code_shape == (1, 1, 100)
  kernels, count = _sizes(method)
  widths = (1, 32, 32, 32, 64, 64, 128, 64, 32, 100)
  sides = (4, 4, 3, 4, 3, 4, 3, 3, 8)
  table = [(k, k, a, b) for k, a, b in zip(sides, widths, widths[1:])]
  assert kernels['encoder'] == table
  of = [np.prod(shape) for shape in table]
  back = list(widths[::-1])
  biases = sum(widths[1:]) + sum(back[1:])
  assert count == 2 * sum(of) + biases + 50 * 100  # And fifty slots.
  sizes = [level.size[0] for level in method.model.encoder.plan.levels]
  assert sizes == [128, 64, 32, 32, 16, 16, 8, 8, 8]


def test_memae_of_positions_lacks_the_last_layer():
  method = _built('memae_positions')
  assert method.model.code_shape == (8, 8, 32) and method.queries == 64
  kernels, _ = _sizes(method)
  assert len(kernels['encoder']) == len(kernels['decoder']) == 8


@pytest.mark.parametrize('patch', [32, 64])
def test_smaller_patches_have_a_code_of_one_position(patch):
  method = _built('memae', (patch, patch, 3), patch)
  assert method.model.code_shape == (1, 1, 100)


def test_the_code_and_the_output_are_linear():
  """A code of negative values; leaky ReLU would shrink these by five."""
  method = _built('memae', (32, 32, 1), 32)
  knobs = memae.Knobs(False, False, 1.0, 50)
  x = np.random.default_rng(0).normal(size=(4, 32, 32, 1)).astype(np.float32)
  variables = method.model.init(jax.random.key(0), x, knobs)
  kernel = variables['params']['encoder']['Conv_8']['kernel']
  code = method.model.apply(variables, x, method=memae.MemAE.encode)
  turned = variables | {
    'params': variables['params']
    | {
      'encoder': variables['params']['encoder']
      | {
        'Conv_8': variables['params']['encoder']['Conv_8'] | {'kernel': -kernel}
      }
    }
  }
  other = method.model.apply(turned, x, method=memae.MemAE.encode)
  assert np.min(code) < 0
  np.testing.assert_allclose(other, -code, atol=1e-6)


def _images(count=2, side=16):
  rng = np.random.default_rng(1)
  x, out = rng.uniform(-1, 1, (2, count, side, side, 1)).astype(np.float32)
  return x, out


def _similarity(x, y, side=11):
  """Returns the structural similarity of [H, W] images in [0, 1], float64."""
  window = lambda z: scipy.ndimage.uniform_filter(z, side)
  sample = side**2 / (side**2 - 1)
  mean_x, mean_y = window(x), window(y)
  of_x, of_y, both = (
    sample * (window(a * b) - window(a) * window(b))
    for a, b in ((x, x), (y, y), (x, y))
  )
  alike = (2 * mean_x * mean_y + 0.01**2) * (2 * both + 0.03**2)
  return alike / ((mean_x**2 + mean_y**2 + 0.01**2) * (of_x + of_y + 0.03**2))


def test_ae_ssim_is_trained_and_scored_by_it():
  method = _built('ae_ssim', (32, 32, 1), 32)
  x, out = _images()
  value = method.rule.score(x, out)
  for i in range(2):
    unit = [(image[i, ..., 0].astype(np.float64) + 1) / 2 for image in (x, out)]
    expected = 1 - _similarity(*unit).mean()
    np.testing.assert_allclose(value[i], expected, atol=1e-6)
  assert method.criterion[0] == method.score == 'ssim'


def test_feature_matching_adds_distances_of_unit_features(monkeypatch):
  """By features that are simple: the picture itself, and one minus it."""
  features = lambda weights, x, names: {
    'b2': np.concatenate([x[:, ::4, ::4], 255 - x[:, ::4, ::4]], axis=-1)
    if isinstance(x, np.ndarray)
    else jax.numpy.concatenate([x[:, ::4, ::4], 255 - x[:, ::4, ::4]], -1)
  }
  monkeypatch.setattr(lite0, 'features', features)
  monkeypatch.setattr(lite0, 'select', lambda weights, names: weights)
  x, out = _images()
  rule = autoencoders.matching({}, ('b2',), 0.5)
  plain = autoencoders.matching({}, ('b2',), 0.0)
  np.testing.assert_allclose(plain.errors(x, out), losses.squared(x, out))
  np.testing.assert_allclose(rule.errors(x, x), 0, atol=1e-6)
  more = np.asarray(rule.errors(x, out) - losses.squared(x, out))
  assert more.min() >= 0 and 0 < more.max() <= 0.5 * 4
  slope = jax.grad(lambda y: rule.score(x, y).sum())(out)
  squares = jax.grad(lambda y: plain.score(x, y).sum())(out)
  assert np.abs(slope - squares).max() > 1e-5  # Rounding has a gradient.
  unit = addressing.normalise(np.ones((1, 2), np.float32))
  np.testing.assert_allclose(unit, 0.5**0.5)


@pytest.mark.parametrize('name', ['ae_ssim', 'fm_ae'])
def test_other_scalings_and_tables_are_refused(name):
  with pytest.raises(errors.UserError, match=f'"{name}" needs pictures'):
    _built(name, (30,))


def test_speeds_are_no_pictures():
  """They lie outside of [-1, 1], where similarity would clip them."""
  config = _config(32)
  config.data.motion, config.data.input = 'difference', 'speed'
  config.fleet.variants = ('ae_ssim',)
  config = config_lib.resolve(config)
  with pytest.raises(errors.UserError, match='data.input "speed"'):
    autoencoders.build(config, (32, 32, 1), fitting.replicas(config))


def test_positions_need_layers():
  config = config_lib.default()
  config.data.protocol = 'given'
  config.fleet.variants = ('memae_positions',)
  config = config_lib.resolve(config)
  with pytest.raises(errors.UserError, match='two layers'):
    autoencoders.build(config, (30,), fitting.replicas(config))
