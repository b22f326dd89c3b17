"""Frames become clips as soon as their last frame is there."""

import numpy as np
import pytest
from PIL import Image

from memae_jax.data import stream_pictures
from memae_jax.runtime import errors

_META = {
  'kind': 'clips',
  'shape': [3, 4, 6, 1],
  'dtype': 'uint8',
  'clip_frames': 3,
  'frame_step': 2,
  'image_size': 0,
  'levels': [0, 255],
}


def _frames(count):
  return [np.full((4, 6), i, np.uint8) for i in range(count)]


def _put(frames, samples):
  found = []
  for sample in samples:
    found += frames.add(frames.read(sample)[0])
  return found


@pytest.mark.parametrize(
  ('scored', 'offset', 'delay'), [('middle', 2, 2), ('last', 4, 0)]
)
def test_clips_of_every_second_frame(scored, offset, delay):
  frames = stream_pictures.Frames(_META | {'scored': scored})
  assert frames.look_ahead == delay
  found = _put(frames, _frames(7))
  assert [one.index for one in found] == [offset, offset + 1, offset + 2]
  assert [one.number for one in found] == [0, 1, 2]
  for i, one in enumerate(found):
    assert one.x.shape == (3, 4, 6, 1) and one.x.dtype == np.uint8
    assert one.x[:, 0, 0, 0].tolist() == [i, i + 2, i + 4]
  assert frames.skip() == []
  assert [one.index for one in _put(frames, _frames(5))] == [8 + offset]
  assert frames.end() == []
  assert [one.index for one in _put(frames, _frames(5))] == [offset]


def test_single_frames_in_colour_and_of_another_size(tmp_path):
  meta = _META | {'shape': [4, 6, 3], 'clip_frames': 1}
  frames = stream_pictures.Frames(meta)
  picture = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)
  Image.fromarray(picture).save(tmp_path / 'a.png')
  (one, other) = _put(frames, [picture, str(tmp_path / 'a.png')])
  want = Image.fromarray(picture).resize((6, 4), Image.Resampling.BICUBIC)
  np.testing.assert_array_equal(one.x, np.asarray(want))
  np.testing.assert_array_equal(other.x, one.x)
  assert frames.read(str(tmp_path / 'a.png'))[1] == str(tmp_path / 'a.png')
  with pytest.raises(errors.UserError, match='is 6x4, but those before are 12'):
    frames.read(np.zeros((4, 6), np.uint8))
  frames.skip()
  assert _put(frames, [np.zeros((4, 6), np.uint8)])[0].index == 3


def test_files_of_a_network_of_other_numbers_are_refused(tmp_path):
  meta = _META | {'kind': 'images', 'shape': [4, 6, 1], 'dtype': 'float32'}
  pictures = stream_pictures.Pictures(meta, lambda x: x)
  with pytest.raises(errors.UserError, match='takes float32; give a .npy'):
    pictures.read(tmp_path / 'a.png')
  x = np.zeros((4, 6, 1), np.float32)
  np.testing.assert_array_equal(pictures.read(x)[0], x)
