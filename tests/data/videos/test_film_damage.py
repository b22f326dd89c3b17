"""Damage of video files is said, and nothing else is."""

import fractions
import re

import numpy as np
import pytest

from memae_jax.data.videos import film_file
from tests import films

pytest.importorskip('av', reason='PyAV is not installed')


def _read(path, content=None):
  film = film_file.Film(path, content)
  return [frame.copy() for frame in film], film


def _same(one, two):
  return len(one) == len(two) and all(
    a.shape == b.shape and (a == b).all() for a, b in zip(one, two)
  )


WHOLE = {
  'sound that is longer.mp4': {'sound': 4.0},
  'sound that is longer.mkv': {'sound': 4.0},
  'sound that is longer.flv': {'sound': 4.0},
  'sound that is longer.ts': {'sound': 4.0},
  'sound that is longer.avi': {'sound': 4.0},
  'sound that is longer.wmv': {'sound': 4.0},
  'begins late.mkv': {'times': 5000 + 40 * np.arange(40)},
  'begins late.mp4': {'times': 5000 + 40 * np.arange(40)},
  'index in front.mp4': {'how': {'movflags': 'faststart'}},
  'fragments.mp4': {'how': {'movflags': 'frag_keyframe+empty_moov'}},
  'no duration.mkv': {'how': {'live': '1'}},
  'interlaced.mp4': {'options': {'x264opts': 'tff=1'}},
  'interlaced.ts': {'options': {'x264opts': 'tff=1'}},
  'hidden frames.webm': {
    'options': {'auto-alt-ref': '1', 'lag-in-frames': '16'}
  },
  'frames between others.avi': {'codec': 'mpeg4', 'options': {'bf': '2'}},
  'frames between others.mpg': {'options': {'bf': '2'}},
  'a picture each 2 s.mkv': {'rate': fractions.Fraction(1, 2)},
  'each time another.mkv': {'times': np.cumsum(np.arange(40) % 7 * 30 + 10)},
}


@pytest.mark.parametrize('name', WHOLE)
def test_no_false_alarm(tmp_path, name):
  path = films.write(tmp_path / name, films.pixels(40), **WHOLE[name])
  frames, film = _read(path)
  expected, _ = films.plain(path.read_bytes())
  assert len(frames) == 40 and _same(frames, expected) and film.warnings == ()


CUT = {
  'a.mkv': {'codec': 'ffv1', 'pix_fmt': 'gray'},
  'b.mkv': {'options': {'g': '5'}},
  'c.mkv': {'sound': 1.6, 'options': {'g': '5'}},
  'late.mkv': {'times': 5000 + 40 * np.arange(40), 'options': {'g': '5'}},
  'a.webm': {},
  'a.avi': {'codec': 'ffv1', 'pix_fmt': 'gray'},
  'b.avi': {'codec': 'mjpeg', 'pix_fmt': 'yuvj420p'},
  'a.flv': {},
  'front.mp4': {'how': {'movflags': 'faststart'}, 'options': {'g': '5'}},
  'front.mov': {'how': {'movflags': 'faststart'}, 'options': {'g': '5'}},
}


@pytest.mark.parametrize('name', CUT)
@pytest.mark.parametrize('share', [0.5, 0.75])
def test_an_end_that_is_missing_is_said(tmp_path, name, share):
  path = films.write(tmp_path / name, films.pixels(40), **CUT[name])
  content = path.read_bytes()
  undamaged, _ = films.plain(content)
  path.write_bytes(content[: int(share * len(content))])
  frames, film = _read(path)
  expected, _ = films.plain(path.read_bytes())
  assert 3 <= len(frames) < 40 and _same(frames[: len(expected)], expected)
  assert film.warnings[0] == (
    f'ends early: the header says 40 frames (1.6 s), {len(frames)} were read'
    f' ({len(frames) / 25:.4g} s)'
  )
  if name[0] == 'a' and name != 'a.flv':  # Each frame stands for itself.
    assert _same(frames, undamaged[: len(frames)]) and len(film.warnings) == 1


@pytest.mark.parametrize(
  'name,words',
  [
    ('a.wmv', r'ends early: the header says [\d,]+ bytes, there are [\d,]+;'),
    ('a.ts', 'ends early, within a packet; '),
  ],
)
def test_an_end_whose_length_nothing_says(tmp_path, name, words):
  path = films.write(tmp_path / name, films.pixels(40))
  content = path.read_bytes()
  path.write_bytes(content[: int(0.6 * len(content))])
  frames, film = _read(path)
  assert 3 <= len(frames) < 40
  assert np.any([re.match(words, w) for w in film.warnings])


@pytest.mark.parametrize('suffix', ['.avi', '.mkv'])
def test_damage_in_the_middle_is_counted(tmp_path, suffix):
  path = tmp_path / f'a{suffix}'
  films.write(path, films.pixels(40), 'mjpeg', 'yuvj420p')
  content = bytearray(path.read_bytes())
  undamaged, _ = films.plain(bytes(content))
  begins = [m.start() for m in re.finditer(b'\xff\xd8\xff', content)]
  assert len(begins) == 40
  for damaged in (12, 20):
    size = begins[damaged + 1] - begins[damaged] - 60
    content[begins[damaged] : begins[damaged] + size] = bytes(size)
  frames, film = _read(path, bytes(content))
  del undamaged[20], undamaged[12]
  assert _same(frames, undamaged)
  (line,) = film.warnings
  assert line.startswith('is damaged: 2 of 40 packets gave no frame')
  assert '38 frames were read' in line
  assert film.seconds[-1] == pytest.approx(39 / 25)  # The clock is right.


def test_frames_that_a_camera_left_out_are_said(tmp_path):
  times = [t for t in 40 * np.arange(60) if t not in (800, 840, 1600)]
  path = films.write(tmp_path / 'a.mkv', films.pixels(57), times=times)
  _, film = _read(path)
  (line,) = film.warnings
  assert line.startswith('jumps 2 times, over 3 times the usual step in all,')
  assert 'first after 0.76 s (frame 19)' in line
  assert film.rate == pytest.approx(25, rel=0.06)
