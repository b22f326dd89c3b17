"""Reductions of maps of errors."""

import numpy as np
import pytest

from memae_jax import losses


@pytest.mark.parametrize('frames', [2, 5, 7, 16])
def test_frames_around_the_scored_one_have_it_in_their_middle(frames):
  clips = np.arange(3 * frames).reshape(3, frames)
  for count in range(1, frames + 1):
    around = losses.around_scored(clips, count)
    assert around.shape == (3, count) and (np.diff(around) == 1).all()
    np.testing.assert_array_equal(
      losses.scored_frame(around), losses.scored_frame(clips)
    )


def test_errors_become_pictures_of_the_scored_frame():
  errors = np.random.default_rng(0).random((2, 4, 3, 5, 2))
  of_frame = errors[:, 2].mean(axis=-1)
  np.testing.assert_allclose(losses.pixels(errors), of_frame, rtol=1e-6)
  np.testing.assert_allclose(losses.pixels(errors[:, 2]), of_frame, rtol=1e-6)
  assert losses.pixels(errors[:, 0, 0, 0]).shape == (2, 2)  # Rows of a table.
