"""Frames and times of video files are as they are stored and shown."""

import fractions
import os

import numpy as np
import pytest

from memae_jax.data.videos import decode_video, film_file
from memae_jax.runtime import errors
from tests import films

pytest.importorskip('av', reason='PyAV is not installed')


def _read(path, content=None):
  film = film_file.Film(path, content)
  return [frame.copy() for frame in film], film


def _same(one, two):
  return len(one) == len(two) and all(
    a.shape == b.shape and (a == b).all() for a, b in zip(one, two)
  )


@pytest.mark.parametrize('suffix', [*films.SUFFIXES, '.TS', '.Mp4', '.WMV'])
def test_all_kinds_of_files(tmp_path, suffix):
  codec, kind = films.SUFFIXES[suffix.lower()]
  path = tmp_path / f'a{suffix.lower()}'
  films.write(path, films.pixels(20), codec)
  path = path.rename(tmp_path / f'b{suffix}')
  frames, film = _read(path)
  expected, failed = films.plain(path.read_bytes())
  assert not failed and len(frames) == 20 and _same(frames, expected)
  assert film.rate == 25 and film.shape == (48, 32) and not film.warnings
  np.testing.assert_allclose(film.seconds, np.arange(20) / 25, atol=1e-3)
  assert decode_video.open_video(path).name == 'b'


# The orientations 1 to 8 of EXIF: matrix of the file, and the turn in NumPy.
TURNS = {
  'upright': ((1, 0, 0, 1), lambda x: x),
  'mirrored': ((-1, 0, 0, 1), np.fliplr),
  '180': ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
  'upside down': ((1, 0, 0, -1), np.flipud),
  'transposed': ((0, 1, 1, 0), lambda x: x.swapaxes(0, 1)),
  '90 clockwise': ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
  'transverse': ((0, -1, -1, 0), lambda x: np.rot90(x, 2).swapaxes(0, 1)),
  '270 clockwise': ((0, -1, 1, 0), lambda x: np.rot90(x, 1)),
}


@pytest.mark.parametrize('height,width', [(32, 48), (48, 32), (32, 32)])
@pytest.mark.parametrize('name', TURNS)
def test_frames_are_upright(tmp_path, name, height, width):
  matrix, turned = TURNS[name]
  path = films.write(tmp_path / 'a.mp4', films.pixels(4, height, width))
  stored, _ = films.plain(path.read_bytes())
  films.turn(path, matrix)
  frames, film = _read(path)
  assert _same(frames, [turned(frame) for frame in stored])
  assert film.shape == frames[0].shape[1::-1] and not film.warnings


def test_other_angles_are_said(tmp_path):
  path = films.write(tmp_path / 'a.mp4', films.pixels(4))
  stored, _ = films.plain(path.read_bytes())
  films.turn(path, (np.cos(0.5), np.sin(0.5), -np.sin(0.5), np.cos(0.5)))
  frames, film = _read(path)
  assert _same(frames, stored)
  assert film.warnings == (
    'says that it is turned by 28.6 degrees; it is read as it is stored',
  )


@pytest.mark.parametrize('matrix,shape', [(None, (64, 32)), (1, (32, 64))])
def test_pixels_that_are_no_squares_count_for_the_shape(
  tmp_path, matrix, shape
):
  ratio = fractions.Fraction(4, 3)
  path = films.write(tmp_path / 'a.mp4', films.pixels(4), ratio=ratio)
  if matrix:
    films.turn(path, (0, 1, -1, 0))
  frames, film = _read(path)
  assert film.shape == shape and sorted(frames[0].shape[:2]) == [32, 48]


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.avi', '.ts'])
@pytest.mark.parametrize('rate', [25, 1, fractions.Fraction(30000, 1001), 60])
def test_rates(tmp_path, suffix, rate):
  path = films.write(
    tmp_path / f'a{suffix}', films.pixels(20), 'mpeg4', rate=rate
  )
  _, film = _read(path)
  assert film.rate == pytest.approx(float(rate), rel=1e-4)
  expected = np.arange(20) / float(rate)
  np.testing.assert_allclose(film.seconds, expected, atol=1e-3)
  assert film.warnings == ()


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.ts'])
def test_times_are_those_of_the_stream(tmp_path, suffix):
  steps = np.random.default_rng(0).integers(10, 400, 20)
  times = 5000 + np.cumsum(steps)
  path = films.write(tmp_path / f'a{suffix}', films.pixels(20), times=times)
  _, film = _read(path)
  np.testing.assert_allclose(film.seconds, (times - times[0]) / 1000, atol=1e-4)
  mean = 19000 / (times[-1] - times[0])
  assert film.rate == pytest.approx(mean, rel=0.02) and not film.warnings


def _refused(path, words):
  with pytest.raises(errors.UserError, match=words) as caught:
    _read(path)
  assert '\n' not in str(caught.value) and path.name in str(caught.value)


def test_a_file_of_sound(tmp_path):
  import av

  path = tmp_path / 'a.mp4'
  with av.open(str(path), 'w') as out:
    stream = out.add_stream('aac', rate=44100)
    samples = np.zeros((1, 44100), np.float32)
    noise = av.AudioFrame.from_ndarray(samples, 'fltp', 'mono')
    noise.rate = 44100
    out.mux(stream.encode(noise))
    out.mux(stream.encode(None))
  _refused(path, 'has no moving pictures, only audio; replace or remove it')


LISTS = {
  'hls': '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n',
  'concat': 'ffconcat version 1.0\nfile {}\n',
  'address': '#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:1/a.ts\n',
}


@pytest.mark.parametrize(
  'text',
  [
    'export const frames: number = 25;\n' * 40,
    '',
    'x',
    'G' * 188 * 20,
    *LISTS.values(),
  ],
)
@pytest.mark.parametrize('name', ['code.ts', 'a.mp4', 'b.m2ts'])
def test_text_is_no_video(tmp_path, name, text):
  other = films.write(tmp_path / 'other.ts', films.pixels(20))
  (tmp_path / name).write_text(text.format(other))
  _refused(tmp_path / name, 'no readable video|no frame|no moving pictures')


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.avi', '.wmv', '.flv'])
def test_a_title_in_latin_1(tmp_path, suffix):
  path = films.write(
    tmp_path / f'a{suffix}', films.pixels(20), title='a cafX here'
  )
  content = path.read_bytes()
  for old, new in ((b'cafX', b'caf\xe9'), (b'X\0 \0h', b'\0\xd8 \0h')):
    content = content.replace(old, new)  # The second: half of a surrogate.
  assert content != path.read_bytes()
  path.write_bytes(content)
  frames, film = _read(path)
  assert len(frames) == 20 and film.warnings == ()


@pytest.mark.parametrize('name,codec', [('mp4', 'libx264'), ('mkv', 'ffv1'),
                                        ('avi', 'ffv1')])  # fmt: skip
def test_mutants_are_as_pyav_has_them_or_refused(tmp_path, name, codec):
  path = films.write(tmp_path / f'a.{name}', films.pixels(9, 16, 24), codec)
  content = path.read_bytes()
  undamaged, _ = films.plain(content)
  rng = np.random.default_rng(0)
  thorough = os.environ.get('MEMAE_TEST_THOROUGH')
  read = 0
  for number in range(667 if thorough else 50):
    mutant = bytearray(content)
    if number % 3 == 0:
      del mutant[rng.integers(len(mutant)) :]
    elif number % 3 == 1:
      first = rng.integers(len(mutant))
      del mutant[first : first + rng.integers(1, 100)]
    for _ in range(rng.integers(0, 4) if number % 3 else 0):
      mutant[rng.integers(len(mutant))] = rng.integers(256)
    mutant = bytes(mutant)
    expected, failed = films.plain(mutant)
    try:
      frames, film = _read(path, mutant)
    except errors.UserError as error:
      assert '\n' not in str(error) and (failed or not expected)
      continue
    read += 1
    if failed:  # We go on where it stops, and say so.
      assert film.warnings
      # Others fill what they lack with what lay in memory.
      assert codec != 'ffv1' or _same(frames[: len(expected)], expected)
    elif frames[0].shape == expected[0].shape:
      mirrored = [
        [frame[::up, ::left] for frame in expected]
        for up in (1, -1)
        for left in (1, -1)
      ]  # Where its matrix was changed, which may also turn it by 90 degrees.
      assert any(_same(frames, one) for one in mirrored) or film.warnings
    if number % 3 == 0 and len(frames) < len(undamaged) - 1:
      assert film.warnings
  assert read > (200 if thorough else 12)
