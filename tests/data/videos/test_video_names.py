"""Written names stand for the test videos that people mean by them."""

import pytest

from memae_jax.data.videos import video_names

NAMES = ('01', '02')


@pytest.mark.parametrize(
  'written',
  [
    ('01', '02'),
    ('1', '2'),
    ('02', '1'),
    ('test/01.avi', 'test/02.avi'),
    ('C:\\films\\01.MP4', 'C:\\films\\02.MP4'),
    ('01_gt', '02_label'),
    ('1_masks', '2_masks'),
  ],
)
def test_all_written_names_stand_for_all_videos(written):
  matched = video_names.match(written, NAMES)
  number = lambda name: ''.join(c for c in name if c in '12')
  assert list(matched) == list(written)
  assert sorted(matched.values()) == list(NAMES)
  assert all(name[-1] in number(text) for text, name in matched.items())


def test_letters_and_numbers_within_names():
  names = ('Tür 03b', 'Gang 10')
  written = ('tu\u0308r 3b', 'GANG 10.mkv')  # As macOS writes an umlaut.
  assert video_names.match(written, names) == dict(zip(written, names))


@pytest.mark.parametrize(
  ('written', 'exact'),
  [
    (('1',), ()),  # One of the videos is not written.
    (('01', '2', '3'), ('01',)),
    (('1', '01'), ('01',)),  # Both would stand for one video.
    (('01', 'x'), ('01',)),
    (('01', '01'), ('01',)),
  ],
)
def test_names_that_do_not_pair_count_only_where_they_are_exact(written, exact):
  assert video_names.match(written, NAMES) == {name: name for name in exact}
