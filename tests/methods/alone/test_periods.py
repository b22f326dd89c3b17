import numpy as np
import pytest

from memae_jax.methods.alone import periods


@pytest.mark.parametrize('period', [5.0, 8.0, 10.7, 21.3])
def test_periods_are_those_of_the_waves(period):
  rows = np.arange(64)[:, None, None]
  wave = np.sin(2 * np.pi * rows / period) + np.zeros((64, 20, 2))
  found = periods.find(wave, 0, 1)
  assert found[0] == pytest.approx(period, rel=0.03)
  assert periods.find(wave.transpose(1, 0, 2), 1, 1) == found


def test_the_strongest_is_first_and_pictures_without_any_have_some():
  rows = np.arange(96)[:, None, None]
  wave = 2 * np.sin(2 * np.pi * rows / 12) + np.sin(2 * np.pi * rows / 7)
  assert np.round(periods.find(wave, 0, 2)).tolist() == [12, 7]
  flat = periods.find(np.ones((9, 9, 1)), 0, 3)
  assert len(flat) == 3 and (flat > 0).all()
