"""Detectors of one picture as methods: config to prediction."""

import jax
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.data import types
from memae_jax.methods import registry
from memae_jax.methods.alone import nkn
from memae_jax.runtime import errors, foreign
from memae_jax.training import experiment, fleet
from tests import helpers
from tests.methods import resuming


def _config(**changes):
  return config_lib.resolve(
    {'data': {'protocol': 'alone'}, 'fleet': {'variants': ('nkn',)}, **changes}
  )


def _build(name='nkn', shape=(12, 10, 1), config=None):
  replica = fleet.Replica('r', name, 3, None, 1, 1.0, 0.0, 1e-3)
  config = config or _config()
  return registry.find(name).build(config, shape, [replica]), replica


def _source(pictures, unknown=None, sizes=None):
  labels = np.zeros(len(pictures), np.int32)
  return types.Source(
    'pictures', pictures, labels, ('normal',), unknown=unknown, sizes=sizes
  )


@pytest.mark.parametrize('name', ['nkn', 'period_shift'])
def test_what_was_found_for_a_picture_is_looked_up(name, monkeypatch):
  rng = np.random.default_rng(0)
  pictures = rng.random((3, 12, 10, 1)).astype(np.float32)

  def fit(picture, missing, settings, seed):
    assert seed == 3 and not missing[:, 1:].any() and missing[:, 0].all()
    blank = np.zeros((12, 10))
    z = np.where(missing, np.nan, picture[..., 0] * 7)
    return nkn.Found(
      picture / 2, blank + 1, z, blank, blank + 2, 0.5, 1.0, -1.0,
      (np.ones(12), np.ones(10)),
    )  # fmt: skip

  monkeypatch.setattr(nkn, 'fit', fit)
  built, replica = _build(name)
  assert built.block(0) == 1
  unknown = np.zeros((12, 10), bool)
  unknown[:, 0] = True
  built = built.for_samples(np.arange(3), _source(pictures, unknown))
  np.testing.assert_array_equal(built.missing, unknown)
  seeds = built.hyper([replica], None)
  variables = built.init(jax.random.key(0), pictures[:1], seeds[0])
  kept = built.collect(variables, pictures, None, np.ones(3, bool), 0, 0)
  for round_ in range(3):
    variables, done = built.finish(variables, kept, seeds[0], 0, round_, rng)
    assert done == (round_ == 2)
  on_device = jax.tree.map(jax.numpy.asarray, variables)
  found = jax.jit(lambda x: built.predict(on_device, x, None, None, None))(
    pictures[[2, 0]]
  )
  mean = np.asarray(found.output)
  error = np.abs(pictures[[2, 0]] - mean)[..., 0] * ~unknown
  np.testing.assert_allclose(found.maps['max_abs'], error, atol=1e-6)
  np.testing.assert_allclose(
    found.scores['max_abs'], error.max(axis=(1, 2)), atol=1e-6
  )
  assert built.score == ('max_sigma' if name == 'nkn' else 'max_abs')
  assert (built.found(variables) is None) == (name != 'nkn')
  if name == 'nkn':
    np.testing.assert_allclose(mean, pictures[[2, 0]] / 2)
    wanted = 7 * pictures[[2, 0], :, 1:, 0].max(axis=(1, 2))
    np.testing.assert_allclose(found.scores['max_sigma'], wanted, rtol=1e-6)
    assert found.scores['block_distance'].tolist() == [2, 2]


@pytest.mark.parametrize('name', ['nkn', 'axis_median'])
def test_each_picture_is_fitted_at_its_own_size(name, monkeypatch):
  rng = np.random.default_rng(0)
  pages = np.full((2, 12, 16, 1), 0.25, np.float32)
  pages[0], pages[1, :8, :9] = rng.random((12, 16, 1)), rng.random((8, 9, 1))
  seen = []

  def fit(picture, missing, settings, seed):
    seen.append(picture.shape)
    size = picture.shape[:2]
    assert missing.shape == size
    return nkn.Found(
      picture + 1, np.ones(size), np.ones(size), np.zeros(size), np.ones(size),
      0.5, 1.0, -1.0, (np.ones(size[0]), np.ones(size[1])),
    )  # fmt: skip

  monkeypatch.setattr(nkn, 'fit', fit)
  built, replica = _build(name, (12, 16, 1))
  sizes = np.array([[12, 16], [8, 9]])
  built = built.for_samples(np.arange(2), _source(pages, sizes=sizes))
  variables = built.init(jax.random.key(0), pages[:1], 3)
  for round_ in range(2):
    variables, _ = built.finish(variables, pages, 3, 0, round_, rng)
  on_device = jax.tree.map(jax.numpy.asarray, variables)
  found = built.predict(on_device, jax.numpy.asarray(pages), None, None, None)
  error = np.asarray(found.maps['max_abs'][1])
  assert (error[:8, :9] > 0).any() and not error[8:].any()
  assert not error[:, 9:].any()
  np.testing.assert_array_equal(found.output[1, 8:], 0.25)
  if name == 'nkn':
    assert seen == [(12, 16, 1), (8, 9, 1)]
    says = built.found(variables)
    assert says.size.tolist() == sizes.tolist()
    assert says.block.tolist() == [1, 1] == [built.block(k) for k in range(2)]
    assert says.of(1).rows.tolist() == [1] * 8
    assert says.z[1].sum() == 8 * 9


def test_what_cannot_be_fitted_is_refused(monkeypatch):
  with pytest.raises(errors.UserError, match='is of pictures, but'):
    _build(shape=(5,))
  digits = {'fleet.normal_classes': (), 'data.normal_labels': ('3',)}
  with pytest.raises(errors.UserError, match='use "alone"'):
    fields = {'fleet.variants': ('nkn',), 'data.protocol': 'random_rows'}
    experiment.build(helpers.digits(**digits, **fields))
  words = 'method "memae" learns from training samples, .* "alone"'
  with pytest.raises(errors.UserError, match=words):
    fields = {'fleet.variants': ('memae',), 'data.protocol': 'alone'}
    experiment.build(helpers.digits(**digits, **fields))
  monkeypatch.setattr(foreign, 'memory', lambda: 2**34)
  words = r'4000 x 4000 pixels.* about .* TiB .*size=\) to at most 424, or cut'
  with pytest.raises(errors.UserError, match=words):
    _build(shape=(4000, 4000, 1))
  with pytest.raises(errors.UserError, match='millions of shifts; set'):
    _build('period_shift', shape=(600, 4000, 1))
  assert _build('axis_median', shape=(600, 4000, 1))[0].shape[1] == 4000
  small = _config(methods={'nkn': {'block': 11}})
  with pytest.raises(errors.UserError, match='"methods.nkn.block" is 11'):
    _build(config=small)
  gaps = _config(methods={'nkn': {'block': 4, 'stride': 5}})
  with pytest.raises(errors.UserError, match='stride" is 5.* leave gaps'):
    _build(config=gaps)
  in_patches = _config(
    data={'protocol': 'alone', 'patch': 4, 'patch_for': 'all'}
  )
  with pytest.raises(errors.UserError, match='"nkn" fits whole pictures'):
    _build(config=in_patches)
  # What is refused by size counts for each of the pictures.
  some = _config(methods={'nkn': {'block': 6}})
  pages, sizes = np.zeros((2, 12, 10, 1)), np.array([[12, 10], [5, 9]])
  with pytest.raises(errors.UserError, match='is 6, but pictures have 5 x 9'):
    _build(config=some)[0].for_samples([0, 1], _source(pages, sizes=sizes))
  monkeypatch.setattr(foreign, 'memory', lambda: 2**23)
  with pytest.raises(errors.UserError, match=r'here are 8 MiB.*mark fewer'):
    hole = np.ones((64, 64), bool)
    _build(shape=(64, 64, 1), config=_config(methods={'nkn': {'passes': 1}}))[
      0
    ].for_samples([0], _source(np.zeros((1, 64, 64, 1)), hole))


def test_a_killed_run_goes_on_with_the_next_picture(tmp_path):
  config = helpers.digits(
    **{
      'data.protocol': 'alone',
      'data.normal_labels': ('3',),
      'data.max_samples': 5,
      'fleet.variants': ('own_patches',),
      'fleet.normal_classes': (),
      'train.checkpoint_every': 1,
      'train.log_every': 1,
    }
  )
  build = lambda: experiment.build(config)
  _, advanced = resuming.check(build, tmp_path, [('own_patches', 3)])
  assert advanced == 5  # Each picture once.
