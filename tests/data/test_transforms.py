import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from memae_jax import image_errors
from memae_jax.data import transforms, types
from memae_jax.data.tables import columns
from memae_jax.runtime import errors


def _images(values, dtype=np.uint8):
  x = np.asarray(values, dtype).reshape(-1, 2, 2, 1)
  return types.Source('pictures', x, np.zeros(len(x), np.int32), ('a',))


def _apply(source, transform):
  return transforms.apply(source.inputs, transform)


def test_fixed_maps_bytes_to_minus_one_and_one(data_config):
  source = _images([0, 255, 51, 0])
  transform = transforms.fit(source, np.array([0]), data_config())
  assert transform.scale.shape == (1,)
  np.testing.assert_allclose(
    _apply(source, transform).ravel(), [-1, 1, -0.6, -1], atol=1e-6
  )


@pytest.mark.parametrize('scaling', ['minmax', 'standard'])
def test_images_are_scaled_as_a_whole(data_config, scaling):
  source = _images([10, 20, 30, 50], np.float32)
  got = _apply(
    source,
    transforms.fit(source, np.array([0]), data_config(scaling=scaling)),
  ).ravel()
  want = [0, 0.25, 0.5, 1]
  if scaling == 'standard':
    x = np.array([10, 20, 30, 50])
    want = (x - x.mean()) / x.std()
  np.testing.assert_allclose(got, want, atol=1e-6)


def test_columns_may_stay_as_they_are(data_config, make_source):
  source, rows = make_source(), np.arange(40)
  fields = {'scaling': 'standard', 'unscaled_columns': ('sign',)}
  got = _apply(source, transforms.fit(source, rows, data_config(**fields)))
  np.testing.assert_array_equal(got[:, 1], source.inputs[:, 1].astype('f4'))
  np.testing.assert_allclose(got[rows, 0].std(), 1, rtol=1e-5)
  with pytest.raises(errors.UserError, match='"sing", which is no.*an "sign"'):
    fields['unscaled_columns'] = ('sing',)
    transforms.fit(source, rows, data_config(**fields))
  with pytest.raises(errors.UserError, match='no input of data set "pictures"'):
    config = data_config(unscaled_columns=('sign',))
    transforms.fit(_images([0, 1, 2, 3]), np.array([0]), config)


def test_contrast_makes_images_alike_but_for_level_and_contrast(data_config):
  picture = np.array([10, 20, 30, 60])
  source = _images([picture, 2 * picture + 5, picture[::-1]])
  transform = transforms.fit(
    source, np.array([0, 1]), data_config(scaling='contrast')
  )
  got = _apply(source, transform)
  np.testing.assert_allclose(got[0], got[1], atol=1e-6)
  centred = (picture - 30) / np.mean(np.abs(picture - 30))
  low, high = centred.min(), centred.max()
  want = 2 * (centred - low) / (high - low) - 1
  np.testing.assert_allclose(got[0].ravel(), want, atol=1e-6)
  in_jax = transforms.apply(jnp.asarray(source.inputs), transform)
  np.testing.assert_allclose(in_jax, got, atol=1e-6)


def test_contrast_is_fitted_on_the_training_images_only(data_config):
  images = np.zeros((3, 8, 8, 1), np.uint8)
  images[:2] = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 1))
  images[2, 3, 3] = 255  # One bright pixel: much contrast once normalised.
  source = types.Source('pictures', images, np.zeros(3, np.int32), ('a',))
  transform = transforms.fit(
    source, np.array([0, 1]), data_config(scaling='contrast')
  )
  got = _apply(source, transform)
  assert np.abs(got[:2]).max() <= 1 + 1e-6 and got[2].max() > 2


def test_contrast_of_an_even_image_is_not_blown_up(data_config):
  source = _images([[10, 20, 30, 60], [7, 7, 7, 7], [7, 7, 7, 8]])
  transform = transforms.fit(
    source, np.array([0]), data_config(scaling='contrast')
  )
  got = _apply(source, transform)
  assert np.isfinite(got).all()
  assert np.ptp(got[1]) == 0
  assert np.ptp(got[2]) < np.ptp(got[0])


def test_contrast_is_for_images(make_source, data_config):
  with pytest.raises(errors.UserError, match='needs images'):
    transforms.fit(
      make_source(), np.arange(40), data_config(scaling='contrast')
    )


@pytest.mark.parametrize('scaling', ['minmax', 'standard', 'none'])
def test_fitted_on_the_training_rows_only(make_source, data_config, scaling):
  source = make_source()
  config = data_config(scaling=scaling)
  train = np.arange(0, 30)
  before = transforms.fit(source, train, config)
  source.inputs[30:] *= 7
  after = transforms.fit(source, train, config)
  for a, b in zip(before[:4], after[:4]):
    np.testing.assert_array_equal(a, b)


def test_minmax_and_standard_values(make_source, data_config):
  source = make_source()
  train = np.arange(40)
  x = _apply(
    source, transforms.fit(source, train, data_config(scaling='minmax'))
  )
  np.testing.assert_allclose(x[train, :2].min(axis=0), 0, atol=1e-6)
  np.testing.assert_allclose(x[train, :2].max(axis=0), 1, atol=1e-6)
  x = _apply(
    source, transforms.fit(source, train, data_config(scaling='standard'))
  )
  np.testing.assert_allclose(x[train, :2].mean(axis=0), 0, atol=1e-5)
  np.testing.assert_allclose(x[train, :2].std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize('scaling', ['minmax', 'standard', 'none'])
def test_one_hot_inputs_stay_zero_and_one(make_source, data_config, scaling):
  source = make_source()
  transform = transforms.fit(
    source, np.arange(40), data_config(scaling=scaling)
  )
  np.testing.assert_array_equal(
    _apply(source, transform)[:, 2:], source.inputs[:, 2:]
  )


def test_a_category_set_in_each_training_row_is_no_constant(data_config):
  inputs, encoded = columns.encode(
    {'kind': np.array([1, 1, 0])}, {'kind': ('a', 'b')}
  )
  source = types.Source('t', inputs, np.zeros(3), ('x',), columns=encoded)
  fitted = transforms.fit(
    source, np.array([0, 1]), data_config(scaling='minmax')
  )
  np.testing.assert_array_equal(
    _apply(source, fitted), [[0, 1], [0, 1], [0, 0]]
  )
  assert transforms.notes(source, fitted, np.array([0, 1]))[
    'categories_not_in_train'
  ] == ['kind=a']
  counts = transforms.unknown_categories(source, fitted, np.array([2, 1]))
  assert counts == {'kind=a': (1, 2)}


@pytest.mark.parametrize('scaling', ['minmax', 'standard'])
def test_constant_column_is_shifted_to_zero(make_source, data_config, scaling):
  source = make_source()
  source.inputs[:30, 0] = 5
  source.inputs[30, 0] = 7
  train = np.arange(30)
  fitted = transforms.fit(source, train, data_config(scaling=scaling))
  x = _apply(source, fitted)[:, 0]
  np.testing.assert_array_equal(x[train], 0)
  assert x[30] == 2
  notes = transforms.notes(source, fitted, train)
  assert notes['constant_inputs'] == ['size']


def test_clip(make_source, data_config):
  source = make_source()
  config = data_config(scaling='standard', clip=0.5)
  x = _apply(source, transforms.fit(source, np.arange(40), config))
  assert x.max() == 0.5 and x.min() == -0.5


def test_missing_takes_the_training_median(make_source, data_config):
  source = make_source()
  source.inputs[:5, 0] = [1, 2, 9, np.nan, np.nan]
  source.inputs[50, 0] = np.nan
  fitted = transforms.fit(source, np.arange(5), data_config(scaling='none'))
  assert fitted.fill[0] == 2
  x = _apply(source, fitted)
  np.testing.assert_array_equal(x[[3, 4, 50], 0], 2)
  assert np.isfinite(x).all()


def test_missing_in_all_training_rows_takes_zero(make_source, data_config):
  source = make_source()
  source.inputs[:5, 0] = np.nan
  fitted = transforms.fit(source, np.arange(5), data_config(scaling='standard'))
  assert fitted.fill[0] == 0 and fitted.shift[0] == 0


@pytest.mark.parametrize('size', [1e-38, 1e38])
def test_extreme_ranges_stay_finite(make_source, data_config, size):
  source = make_source()
  source.inputs[:, 0] = np.linspace(-size, size, 60)
  for scaling in ('minmax', 'standard'):
    fitted = transforms.fit(source, np.arange(60), data_config(scaling=scaling))
    assert all(np.isfinite(part).all() for part in fitted[:4])
    assert np.isfinite(_apply(source, fitted)).all()


def test_low_precision_is_named(make_source, data_config):
  source = make_source()
  source.inputs[:, 0] = 1.7e9 + 200 * np.arange(60)  # Seconds since 1970.
  fitted = transforms.fit(
    source, np.arange(60), data_config(scaling='standard')
  )
  assert transforms.notes(source, fitted, np.arange(40))[
    'low_precision_inputs'
  ] == ['size']


def test_fixed_refuses_a_table(make_source, data_config):
  with pytest.raises(errors.UserError, match='"fixed".*uint8.*"made".*minmax'):
    transforms.fit(make_source(), np.arange(5), data_config())


def test_apply_is_the_same_in_jax_numpy(make_source, data_config):
  source = make_source()
  source.inputs[7, 0] = np.nan
  fitted = transforms.fit(
    source, np.arange(60), data_config(scaling='standard')
  )
  want = transforms.apply(source.inputs, fitted)
  device = jax.tree.map(jnp.asarray, fitted)
  got = jax.jit(transforms.apply)(jnp.asarray(source.inputs), device)
  assert got.dtype == want.dtype == np.float32
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
  one = transforms.apply(jnp.asarray(source.inputs[7]), device)
  np.testing.assert_allclose(one, want[7], rtol=1e-5, atol=1e-6)


def test_apply_takes_batches_of_byte_images(data_config):
  source = _images([0, 255, 51, 0])
  fitted = jax.tree.map(
    jnp.asarray, transforms.fit(source, np.array([0]), data_config())
  )
  x = jax.jit(transforms.apply)(jnp.asarray(source.inputs)[None], fitted)
  assert x.shape == (1, 1, 2, 2, 1) and x.dtype == jnp.float32


def test_fitting_a_large_table_is_quick(data_config):
  x = np.random.default_rng(0).random((200_000, 118), np.float32)
  encoded = tuple(types.Column(str(i)) for i in range(118))
  source = types.Source('large', x, np.zeros(0), ('a',), columns=encoded)
  start = time.perf_counter()
  transforms.fit(source, np.arange(180_000), data_config(scaling='minmax'))
  assert time.perf_counter() - start < 5  # About 0.3 s when left alone.


@pytest.mark.parametrize('shape', [(12, 9, 1), (8, 8, 3)])
def test_blur_unit_gives_directions_of_blurred_images(data_config, shape):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (5, *shape), dtype=np.uint8)
  images[4] = 0
  source = types.Source('pictures', images, np.zeros(5, np.int32), ('a',))
  transform = transforms.fit(
    source, np.arange(3), data_config(scaling='blur_unit')
  )
  x = transforms.apply(images, transform)
  assert x.dtype == np.float32 and not x[4].any()
  np.testing.assert_allclose(np.square(x[:4]).mean(axis=(1, 2, 3)), 0.25, 1e-5)
  blurred = scipy.ndimage.gaussian_filter(
    images.astype(float), image_errors.SIGMA, axes=(1, 2)
  )
  ratio = x[:4] / blurred[:4]
  for one in ratio:
    np.testing.assert_allclose(one, one.flat[0], rtol=1e-4)
  np.testing.assert_allclose(
    transforms.apply(jnp.asarray(images), transform), x, atol=1e-5
  )
