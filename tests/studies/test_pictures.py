"""Curves stay readable."""

from memae_jax.comparison import intervals_plot
from memae_jax.studies import pictures


def _lines(**values):
  return {
    name: pictures.Line(
      {
        float(at): intervals_plot.Estimate(value)
        for at, value in enumerate(line)
      }
    )
    for name, line in values.items()
  }


def test_a_point_that_leaves_no_room_is_left_out_of_a_closer_look():
  lines = _lines(cosine=(0.1, 0.97, 0.98, 0.985), dot=(0.96, 0.95, 0.97))
  near, gone = pictures.closer(lines)
  assert gone == [0.0]
  assert list(near['cosine'].points) == [1.0, 2.0, 3.0]
  assert list(near['dot'].points) == [0.0, 1.0, 2.0]
  assert 0.0 in lines['cosine'].points  # The first panel still has it.


def test_points_that_are_seen_anyway_stay():
  assert pictures.closer(_lines(a=(0.5, 0.6, 0.7, 0.8, 0.9))) == ({}, [])
  assert pictures.closer(_lines(a=(0.1, 0.9))) == ({}, [])
  assert pictures.closer({}) == ({}, [])


def test_no_more_than_a_third_is_left_out():
  far = _lines(a=(0.1, 0.11, 0.12, 0.9, 0.9, 0.91, 0.9))
  near, gone = pictures.closer(far)
  assert len(gone) <= 2
  assert (near == {}) == (gone == [])
