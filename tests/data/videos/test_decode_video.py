"""Videos are decoded in the size, colour and by the names of users."""

import os
import pathlib

import numpy as np
import pytest

from memae_jax.data.videos import decode_video
from tests import films

pytest.importorskip('av', reason='PyAV is not installed')


def test_a_turned_video_is_resized_when_it_is_upright(tmp_path):
  frames = np.zeros((3, 32, 64, 3), np.uint8)
  frames[:, :, :32] = 200  # Its left half, and turned its upper one.
  path = films.write(tmp_path / 'a.mp4', frames)
  films.turn(path, (0, 1, -1, 0))
  decoded, footage = decode_video.decode(
    decode_video.open_video(path), (8, 16), 'grey'
  )
  assert decoded.shape == (3, 16, 8, 1) and footage.shape == (32, 64)
  assert (decoded[:][:, :7] > 180).all() and (decoded[:][:, 9:] < 20).all()


def test_what_footage_says_is_named(tmp_path):
  path = films.write(tmp_path / 'x/a.mkv', films.pixels(40), 'ffv1')
  content = path.read_bytes()
  path.write_bytes(content[: len(content) // 2])
  _, footage = decode_video.decode(decode_video.open_video(path), 16, 'grey')
  (line,) = footage.warnings
  assert line.startswith('x/a.mkv ends early: the header says 40 frames')


@pytest.mark.parametrize(
  'name',
  [
    b'caf\xe9.mp4',
    'Überwachung 1.mp4'.encode(),
    b'12:30:05.mp4',
    b'http:a.mp4',
    b'%03d.mp4',
    b'-i.mp4',
    b'a?b#c.mp4',
  ],
)
def test_names_of_all_kinds(tmp_path, monkeypatch, name):
  films.write(tmp_path / 'a.mp4', films.pixels(20))
  monkeypatch.chdir(tmp_path)
  os.rename(b'a.mp4', name)
  video = decode_video.open_video(pathlib.Path(os.fsdecode(name)))
  frames, footage = decode_video.decode(video, 16, 'rgb')
  assert frames.shape == (20, 16, 16, 3) and footage.rate == 25
