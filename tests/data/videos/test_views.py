"""What networks see of videos: frames, motion, speed, or both."""

import dataclasses
import types as pytypes

import jax
import numpy as np
import pytest

from memae_jax.data import feed, protocols, sources, transforms
from memae_jax.data.videos import clips, decode_video, motion, views
from memae_jax.runtime import errors
from tests.data.videos import textures

_BLOCKS = motion.Settings('blocks', frames=3, box=3)


def _view(kind='both', perspective=0.0, frames=5, colours=1):
  random = np.random.default_rng
  size = frames, 4, 6, colours
  pictures = random(1).integers(0, 256, size, dtype=np.uint8)
  fields = random(0).normal(size=(frames, 4, 6, 2)).astype(np.float16)
  how = views.Recipe(kind, perspective, _BLOCKS)
  return how.view(pictures, fields), pictures, fields.astype(np.float32)


def test_each_input_is_made_of_pictures_and_motion():
  both, pictures, fields = _view('both', colours=3)
  assert both.shape == (5, 4, 6, 5) and both.channels == (3, 2)
  np.testing.assert_array_equal(both[2][..., :3], pictures[2])
  np.testing.assert_array_equal(both[:][..., 3:], fields)
  moved, _, _ = _view('motion')
  np.testing.assert_array_equal(moved[[4, 0]], fields[[4, 0]])
  speed, _, _ = _view('speed')
  assert speed.shape == (5, 4, 6, 1) and speed.dtype == np.float32
  np.testing.assert_allclose(
    speed[1:3], np.hypot(*np.moveaxis(fields[1:3], -1, 0))[..., None], rtol=1e-6
  )
  assert len(speed) == 5
  assert both.nbytes == speed.nbytes + pictures.nbytes


def test_perspective_divides_by_the_row():
  plain, _, _ = _view('motion')
  near, _, _ = _view('motion', perspective=0.5)
  far = 0.5 + np.arange(4) / 3
  np.testing.assert_allclose(near[:], plain[:] / far[:, None, None], rtol=1e-6)
  index = np.array([[0, 1], [3, 4]])
  np.testing.assert_array_equal(near[index], near[:][index])
  speed, _, _ = _view('speed', perspective=0.5)
  np.testing.assert_allclose(speed[0], near.speeds(0), rtol=1e-6)


@pytest.mark.parametrize('kind', ['motion', 'speed', 'both'])
def test_on_a_device_as_on_the_host(kind):
  view, _, _ = _view(kind, perspective=0.5)
  inputs = clips.Gathered(view, np.array([[0, 1], [2, 3], [3, 4]], np.int32))
  placed = jax.device_put(feed.resident(inputs))
  assert sum(x.nbytes for x in jax.tree.leaves(placed)) == feed.nbytes(inputs)
  rows = np.array([2, 0])
  gathered = jax.jit(lambda inputs, index: inputs[index])(placed, rows)
  np.testing.assert_allclose(gathered, inputs[rows], rtol=1e-6)
  assert inputs.shape == (3, 2, *view.shape[1:])
  assert len(np.unique(inputs.digests, axis=0)) == 5


def test_recipes_go_through_json():
  how = views.Recipe('speed', 0.5, _BLOCKS)
  stored = dataclasses.asdict(how)
  assert views.of_json(stored) == how and views.of_json(None) is None
  for bad in ({}, stored | {'motion': {}}, stored | {'more': 1}, {'input': 3}):
    with pytest.raises(errors.UserError, match='not sound'):
      views.of_json(bad)


_FIELDS = {
  'name': 'moving_shapes',
  'protocol': 'given',
  'image_size': 16,
  'clip_frames': 1,
  'motion': 'difference',
}


@pytest.fixture(scope='module')
def load(data_config):
  def make(**fields):
    config = data_config(**_FIELDS | fields)
    return sources.load(config), config

  return make


def test_a_source_of_motion_of_single_frames(load):
  source, config = load(input='speed')
  assert source.inputs.shape == (14 * 80, 16, 16, 1)
  assert source.inputs.dtype == np.float32 and not source.has_images
  assert source.pictures.shape == (14 * 80, 16, 16, 1)
  assert source.host is None and not source.dropped
  assert source.videos.frame.tolist() == [*range(80)] * 14
  assert source.masks.shape == (1120, 16, 16)
  frames, _ = load(input='frames', motion='none')
  np.testing.assert_array_equal(source.labels, frames.labels)
  np.testing.assert_array_equal(source.pictures, frames.inputs.frames)
  assert frames.pictures is None and frames.inputs.dtype == np.uint8
  split = protocols.split(source, config, 0)
  fixed = split.transform
  assert (fixed.scale.tolist(), fixed.shift.tolist()) == ([1], [0])
  assert sources.data_sha256(source) != sources.data_sha256(frames)


def test_each_channel_has_a_scale(load):
  source, config = load(input='both', scaling='fixed', clip_frames=3)
  assert source.inputs.shape[1:] == (3, 16, 16, 2)
  rows = np.arange(20)
  fixed = transforms.fit(source, rows, config)
  x = transforms.apply(source.inputs[rows], fixed)
  assert x[..., 0].min() < -0.1 and np.abs(x[..., 0]).max() <= 1
  np.testing.assert_array_equal(x[..., 1], source.inputs[rows][..., 1])
  config = load(input='both', scaling='standard')[1]
  fitted = transforms.fit(source, rows, config)
  x = transforms.apply(source.inputs.distinct(rows), fitted)
  np.testing.assert_allclose(x.mean(axis=(0, 1, 2)), 0, atol=1e-3)
  np.testing.assert_allclose(x.std(axis=(0, 1, 2)), 1, rtol=1e-3)


def test_motion_that_shares_frames_does_not_train_beside_validation(load):
  source, config = load(input='speed', motion_frames=5)
  assert source.inputs.frames.reach == 5
  split = protocols.split(source, config, 0)
  number = source.inputs.number
  gap = np.abs(number[split.train][:, None] - number[split.validation][None])
  assert gap.min() == 6
  assert split.notes['train_clips_removed_for_shared_frames'] > 0


def test_one_video_is_seen_as_many(tmp_path):
  frames = textures.video(6, speed=2.0)
  np.save(tmp_path / 'frames.npy', frames)
  how = views.Recipe('both', 0.5, _BLOCKS)

  def decode(video, size, colour, folder):
    assert (video, size, colour) == ('film', 0, 'grey')
    return pytypes.SimpleNamespace(frames=frames)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(decode_video, 'decode', decode)
    small = frames[:, ::2, ::2]
    seen = views.of_video('film', small, how, (24, 32), tmp_path)
    assert views.of_video('film', small, None, (24, 32)) is small
  fields, _ = motion.of_videos([frames], _BLOCKS, (24, 32))
  np.testing.assert_array_equal(seen[:], how.view(small, fields)[:])
