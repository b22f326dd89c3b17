"""Motion of videos: its units, its frames, its smoothing, and odd videos."""

import dataclasses
import pathlib

import numpy as np
import pytest
from PIL import Image

from memae_jax.data import types
from memae_jax.data.videos import block_matching, decode_video, motion
from memae_jax.runtime import errors
from tests.data.videos import textures

_PLAIN = {
  kind: motion.Settings(kind, frames=1, box=1) for kind in motion.CHANNELS
}
_BLOCKS = motion.Settings('blocks')
_CELLS = (24, 32)  # Of a frame of 48 x 64 pixels.


def _of(frames, settings, size=_CELLS):
  fields, shaken = motion.of_video(frames, settings, size)
  assert fields.dtype == np.float16 and len(fields) == len(frames)
  return fields[:].astype(np.float32), shaken


def _needs(kind):
  if kind == 'flow':
    pytest.importorskip('cv2', reason='needs OpenCV, the extra "flow"')


@pytest.mark.parametrize(
  ('length', 'first', 'second'),
  [
    (1, [0], [0]),
    (2, [0, 0], [1, 1]),
    (4, [0] * 4, [3] * 4),
    (5, [0] * 5, [4] * 5),
    (7, [0, 0, 0, 1, 2, 2, 2], [4, 4, 4, 5, 6, 6, 6]),
  ],
)
def test_ends_of_a_video_have_the_frames_nearby(length, first, second):
  found = motion.pairs(length, 2, 2)
  assert [part.tolist() for part in found] == [first, second]
  before = motion.pairs(length, 1, 0)
  assert before[1].tolist() == [min(1, length - 1), *range(1, length)]
  assert (before[0] == np.maximum(before[1] - 1, 0)).all()


@pytest.mark.parametrize('kind', ['blocks', 'flow'])
def test_motion_is_in_pixels_of_the_frame_per_frame(kind):
  _needs(kind)
  frames = textures.video(7, speed=2.0)
  for settings in (_PLAIN[kind], motion.Settings(kind)):
    fields, shaken = _of(frames, settings)
    assert fields.shape == (7, *_CELLS, 2) and not shaken
    # The middle of the patch, between the frames that are matched.
    speed = fields[3, 10:14, 9:13]
    # DIS makes smooth what the edges of a small patch break.
    far = {'blocks': 0.25, 'flow': 0.4}[kind]
    np.testing.assert_allclose(speed[..., 0], 2, atol=far)
    np.testing.assert_allclose(speed[..., 1], 0, atol=far)
    assert np.abs(fields[:, :, 29:]).max() < 0.1


def test_smoothing_and_cells_are_means():
  frames = textures.video(19, speed=1.4)
  settings = motion.Settings('blocks', frames=5, box=3)
  fields, _ = _of(frames, settings, size=(9, 20))
  first, second = motion.pairs(19, 2, 2)
  raw = np.asarray(
    block_matching.match(
      frames[first][..., 0], frames[second][..., 0], second - first,
      settings.blocks,
    )
  ).astype(np.float64)  # fmt: skip
  for at in (0, 1, 9, 18):
    mean = raw[max(at - 2, 0) : at + 3].mean(axis=0)
    boxes = np.empty_like(mean)
    for i in range(24):
      for j in range(32):
        part = mean[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
        boxes[i, j] = part.mean(axis=(0, 1))
    # Areas: each cell as 9 x 20 equal parts, of which 24 x 32 make a new one.
    fine = boxes.repeat(9, axis=0).repeat(20, axis=1)
    areas = fine.reshape(9, 24, 20, 32, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(fields[at], areas, atol=2e-3)


def test_difference_is_the_absolute_change_of_grey():
  frames = np.full((3, 48, 64, 1), 100, np.uint8)
  frames[1, :2, :2] = 151
  fields, _ = _of(frames, _PLAIN['difference'])
  assert fields.shape == (3, *_CELLS, 1)
  assert fields[:, 0, 0, 0] == pytest.approx([0.2, 0.2, 0.2], abs=1e-3)
  assert not fields[:, 1:].any() and not fields[:, :, 1:].any()


@pytest.mark.parametrize(
  ('settings', 'shown'),
  [
    (_PLAIN['difference'], [10, 11]),
    (_PLAIN['blocks'], [8, 12]),
    (motion.Settings('blocks', frames=5), range(6, 15)),
    (motion.Settings('difference', frames=3), [9, 10, 11, 12]),
  ],
)
def test_an_event_of_one_frame_shows_where_it_must(settings, shown):
  """Frame 10 alone is other; its motion lies evenly around it."""
  fields, _ = _of(textures.video(20, event=10), settings)
  speed = np.hypot.reduce(fields, axis=-1).max(axis=(1, 2))
  assert np.flatnonzero(speed > 0.02).tolist() == list(shown)
  around = settings.around[1] + settings.frames // 2
  assert shown[-1] - 10 <= max(around, 1 + settings.frames // 2)
  assert settings.look_ahead == around
  assert shown[-1] - shown[0] <= settings.reach


def test_blocks_stand_still_where_light_flickers():
  frames = textures.video(8).astype(np.float32)
  light = np.array([0, 4, -3, 1, 4, -1, 3, 0], np.float32)
  flickering = (frames + light[:, None, None, None]).clip(0, 255)
  fields, shaken = _of(flickering.astype(np.uint8), motion.Settings('blocks'))
  assert not fields.any() and not shaken
  changes, _ = _of(flickering.astype(np.uint8), _PLAIN['difference'])
  assert (changes.mean(axis=(1, 2, 3)) > 0.002).all()


def test_a_camera_that_shakes_is_told_and_a_still_one_is_not():
  still = textures.video(12, speed=1.0)
  by = np.random.default_rng(0).integers(0, 9, len(still))
  shaking = np.stack([np.roll(f, n, 1) for f, n in zip(still, by)])
  shares = [_of(v, motion.Settings('blocks'))[1] for v in (still, shaking)]
  assert shares[0] == 0 and shares[1] > 0.5
  footage = [types.Footage(), types.Footage()]
  (line,) = motion.warnings(['still', 'hand'], shares, footage)
  assert '"hand" move as a whole' in line


def test_uneven_times_are_told():
  even = types.Footage(25.0, [0.0, 0.04, 0.08, 0.12])
  uneven = types.Footage(20.0, [0.0, 0.04, 0.08, 0.2])
  names, none = ['a', 'b', 'c'], [0.0] * 3
  (line,) = motion.warnings(names, none, [even, uneven, uneven])
  assert '"b" and 1 more lie at uneven times' in line
  assert not motion.warnings(names, none, [even, types.Footage(), even])


@pytest.mark.parametrize('kind', motion.CHANNELS)
@pytest.mark.parametrize('shape', [(1, 48, 64), (2, 48, 64), (3, 15, 33)])
def test_short_videos_and_odd_sizes_have_a_result(kind, shape):
  _needs(kind)
  rng = np.random.default_rng(0)
  frames = rng.integers(0, 256, (*shape, 1), dtype=np.uint8)
  fields, _ = _of(frames, motion.Settings(kind), size=(7, 11))
  assert fields.shape == (shape[0], 7, 11, motion.CHANNELS[kind])
  assert np.isfinite(fields).all() and fields.any() == (shape[0] > 1)


def test_opencv_is_asked_for_and_small_frames_are_refused(monkeypatch):
  frames = np.zeros((2, 6, 6, 1), np.uint8)
  with monkeypatch.context() as patch:
    patch.setitem(__import__('sys').modules, 'cv2', None)
    with pytest.raises(errors.UserError, match='needs OpenCV; pip install'):
      motion.of_video(frames, _PLAIN['flow'], (3, 3))
  _needs('flow')
  with pytest.raises(errors.UserError, match='no flow in frames of 6x6'):
    motion.of_video(frames, _PLAIN['flow'], (3, 3))


def test_settings_go_through_json(data_config):
  config = data_config(
    name='moving_shapes',
    protocol='given',
    input='motion',
    motion='blocks',
    motion_reach=(4, 2),
    motion_gap=1,
    motion_frames=7,
  )
  settings = motion.settings(config)
  assert settings.blocks.reach == (4, 2) and settings.look_ahead == 4
  assert motion.of_json(dataclasses.asdict(settings)) == settings
  assert hash(settings)
  plain = data_config(name='moving_shapes', protocol='given')
  assert motion.settings(plain) is None


def _folder(root: pathlib.Path, frames):
  root.mkdir()
  for number, frame in enumerate(frames):
    Image.fromarray(frame[..., 0]).save(root / f'{number:02d}.png')
  return sorted(root.iterdir())


def test_motion_is_kept_until_a_file_or_setting_changes(tmp_path, monkeypatch):
  videos = {'a': textures.video(6, speed=2.0), 'b': textures.video(3, seed=4)}
  files = {n: _folder(tmp_path / n, frames) for n, frames in videos.items()}
  computed = []
  compute = motion.of_video

  def counted(frames, *args):
    computed.append(len(frames))
    return compute(frames, *args)

  monkeypatch.setattr(motion, 'of_video', counted)

  def load(settings=_BLOCKS, size=(12, 16)):
    return motion.cached(
      tmp_path / 'cache',
      [file for of_video in files.values() for file in of_video],
      [decode_video.of_files(n, of_video) for n, of_video in files.items()],
      settings,
      size,
    )

  fields, shaken = load()
  again, also = load()
  assert computed == [6, 3] and shaken == also == [0.0, 0.0]
  np.testing.assert_array_equal(fields, again)
  assert fields.shape == (9, 12, 16, 2) and not fields[6:].any()
  in_memory, _ = motion.of_videos(
    videos.values(), motion.Settings('blocks'), (12, 16)
  )
  np.testing.assert_array_equal(fields, in_memory)
  load(motion.Settings('blocks', box=7))
  load(size=(6, 8))
  assert len(computed) == 3 * 2 + 2
  _folder(tmp_path / 'c', videos['a'])[0].replace(files['b'][0])
  load()
  assert len(computed) == 5 * 2


def test_memory_is_of_constant_size_in_frames():
  """Only some frames are read at once, whatever the length."""

  class Frames:
    def __init__(self, frames):
      self.frames, self.most = frames, 0

    def __len__(self):
      return len(self.frames)

    def __getitem__(self, index):
      part = self.frames[index]
      self.most = max(self.most, len(part))
      return part

  frames = Frames(np.tile(textures.video(4, speed=2.0), (20, 1, 1, 1)))
  motion.of_video(frames, motion.Settings('blocks'), _CELLS)
  assert frames.most == 16
