"""Positions of pictures: the same ones are drawn, the worst one scores."""

import numpy as np

from memae_jax.methods import positions


def test_what_a_picture_shows_decides_which_positions_are_drawn():
  features = np.random.default_rng(0).normal(size=(5, 30, 3)).astype(np.float32)
  drawn = np.asarray(positions.drawn(features, 7))
  assert drawn.shape == (5, 7, 3)
  other = np.asarray(positions.drawn(features[::-1], 7))
  np.testing.assert_array_equal(drawn, other[::-1])
  for some, everything in zip(drawn, features):
    among = (some[:, None] == everything[None]).all(axis=2)
    assert among.any(axis=1).all() and among.any(axis=0).sum() == 7
  places = [np.isin(f, d).all(axis=1) for f, d in zip(features, drawn)]
  assert len({tuple(place) for place in places}) == 5
  for most in (0, 30, 99):
    np.testing.assert_array_equal(positions.drawn(features, most), features)


def test_the_worst_position_is_the_score_and_the_map_has_pixels():
  error = np.random.default_rng(0).uniform(size=(4, 3, 2)).astype(np.float32)
  both = positions.scored('one', error, (5, 12, 8, 1), 0.0)
  np.testing.assert_array_equal(both['scores']['one'], error.max(axis=(1, 2)))
  (maps,) = both['maps'].values()
  assert maps.shape == (4, 12, 8)
  np.testing.assert_allclose(maps[:, 1::4, 1::4].mean(), error.mean(), atol=0.1)
  whole = positions.scored('one', error[:, 0, 0], (12, 8, 1), 2.0)
  assert whole['maps'] == {}
  np.testing.assert_array_equal(whole['scores']['one'], error[:, 0, 0])


def test_the_highest_pixel_is_the_score():
  maps = np.random.default_rng(0).normal(size=(3, 4, 5))
  found = positions.highest('far', maps)
  assert found['maps']['far'] is maps
  np.testing.assert_allclose(found['scores']['far'], maps.max(axis=(1, 2)))


def test_windows_are_centred_in_what_they_cover():
  """Three windows of four pixels, two apart: 0-3, 2-5, 4-7."""
  assert positions.of_windows((3, 1), 4, 2) == [[1.5, 3.5, 5.5], [1.5]]
