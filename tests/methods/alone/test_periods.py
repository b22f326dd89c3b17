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


def test_the_period_of_all_is_first_and_then_the_strongest_one():
  rows = np.arange(96)[:, None, None]
  third = np.sin(2 * np.pi * rows / 4)
  found = periods.find(np.sin(2 * np.pi * rows / 12) + 1.5 * third, 0, 2)
  assert np.round(found).tolist() == [12, 4]
  # Two waves without a common period in the picture.
  wave = 2 * np.sin(2 * np.pi * rows / 12) + np.sin(2 * np.pi * rows / 7.3)
  assert {7, 12} <= set(np.round(periods.find(wave, 0, 4)).tolist())


@pytest.mark.parametrize('thread', [5.2, 7.5, 9.0])
def test_a_weave_repeats_after_two_threads(thread):
  rows, columns = np.mgrid[:64, :64]
  over = (rows // thread + columns // thread) % 2
  found = periods.find(over[..., None], 1, 2)
  assert min(abs(found / (2 * thread) - 1)) < 0.03


def test_pictures_without_any_period_have_some():
  flat = periods.find(np.ones((9, 9, 1)), 0, 3)
  assert len(flat) == 3 and (flat > 0).all()
