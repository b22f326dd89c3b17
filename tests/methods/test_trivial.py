"""Detectors of a line or two against their definitions."""

import numpy as np
import pytest

from memae_jax.methods import classical, trivial

RNG = np.random.default_rng(0)
TRAIN = RNG.normal(1, 2, (60, 12)).astype(np.float32)
TEST = RNG.normal(1, 2, (9, 12)).astype(np.float32)


def _run(name, train=TRAIN, most=1000):
  score, note = classical.run(name, train, TEST, 0, most)
  assert score.shape == (9,) and np.isfinite(score).all() and note
  return score, note


def test_nearest():
  far = np.linalg.norm(TEST[:, None] - TRAIN[None], axis=2)
  expected = np.sort(far, axis=1)[:, :5].mean(axis=1)
  np.testing.assert_allclose(_run('nearest')[0], expected, rtol=1e-5)
  score, note = _run('nearest', TRAIN[:2])
  np.testing.assert_allclose(score, far[:, :2].mean(axis=1), rtol=1e-5)
  assert 'the 2 nearest of all 2 ' in note
  assert '30 of 60' in _run('nearest', most=30)[1]


def test_lof_is_the_mean_density_of_the_neighbours_over_the_own_one():
  count = trivial.DENSE
  every = lambda x: np.linalg.norm(x[:, None] - TRAIN[None], axis=2)
  among = every(TRAIN)
  np.fill_diagonal(among, np.inf)
  reach = np.sort(among, axis=1)[:, count - 1]

  def density(far):
    nearest = np.argsort(far, axis=1)[:, :count]
    least = np.maximum(np.take_along_axis(far, nearest, 1), reach[nearest])
    return 1 / least.mean(axis=1), nearest

  own, nearest = density(every(TEST))
  expected = density(among)[0][nearest].mean(axis=1) / own
  np.testing.assert_allclose(_run('lof')[0], expected, rtol=1e-4)
  repeated = np.repeat(TRAIN, 3, axis=0)
  np.testing.assert_allclose(_run('lof', repeated)[0], expected, rtol=1e-4)
  assert (_run('lof', np.ones_like(TRAIN))[0] == 0).all()


def test_k_means_of_few_rows_is_the_nearest_one():
  far = np.linalg.norm(TEST[:, None] - TRAIN[None], axis=2).min(axis=1)
  np.testing.assert_allclose(_run('k_means')[0], far, rtol=1e-4)


@pytest.mark.parametrize(
  ('name', 'of'), [('brightness', np.mean), ('contrast', np.std)]
)
def test_one_statistic(name, of):
  middle = np.median(of(TRAIN.astype(float), axis=1))
  expected = np.abs(of(TEST.astype(float), axis=1) - middle)
  np.testing.assert_allclose(_run(name)[0], expected, rtol=1e-6)


def test_contrast_mean_sees_neither_brightness_nor_contrast():
  score, _ = _run('contrast_mean')
  other, _ = classical.run('contrast_mean', TRAIN, 3 * TEST - 7, 0, 1000)
  np.testing.assert_allclose(score, other, rtol=1e-4)
  assert score.max() <= 2


@pytest.mark.parametrize('side', [3, 7])
def test_local_deviation(side):
  images = RNG.normal(size=(2, 20, 17, 3))
  images[1, 4:12, 4:12] = 0.5
  maps = trivial.local_deviation(images, side, blur=0)
  assert maps.shape == (2, 20, 17)
  reach = side // 2
  window = images[0, 10 - reach : 11 + reach, 9 - reach : 10 + reach]
  expected = window.std(axis=(0, 1)).mean()
  np.testing.assert_allclose(maps[0, 10, 9], expected, rtol=1e-6)
  assert maps[1, 8, 8] < 1e-6
  assert trivial.local_deviation(images, side)[1, 8, 8] < maps[1].mean()
