import numpy as np
import pytest

from memae_jax.data import protocols, sources
from memae_jax.data.sets import moving_shapes
from memae_jax.runtime import errors


def test_source(data_config):
  config = data_config(name='moving_shapes', protocol='given', image_size=32)
  source = sources.load(config)
  each = moving_shapes.LENGTH - 15
  assert source.inputs.shape == (14 * each, 16, 32, 32, 1)
  assert source.is_test.sum() == 6 * each
  assert not source.labels[~source.is_test].any()
  assert 0.1 < source.labels[source.is_test].mean() < 0.9
  marked = source.masks[:].any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels == 1)
  assert source.notes['duplicate_rows'] == 0
  again = sources.load(config)
  assert sources.data_sha256(again) == sources.data_sha256(source)
  split = protocols.split(source, config, 0)
  assert len(split.test) == 6 * each and split.notes['test_rows_in_train'] == 0


def test_each_test_video_has_normal_frames_before_and_after():
  for seed in range(20):
    frames, masks = moving_shapes.video(seed, 32, 48, with_anomaly=True)
    assert frames.shape == (80, 32, 48, 1) and frames.dtype == np.uint8
    marked = np.flatnonzero(masks.any(axis=(1, 2)))
    assert 16 <= marked[0] < marked[-1] < 64
    assert np.ptp(np.diff(marked)) == 0  # In one piece.


def test_anomalies_stand_out_by_speed_or_size():
  normal, none = moving_shapes.video(0, 64, 64, with_anomaly=False)
  assert not none.any()
  moves = np.abs(np.diff(normal[..., 0].astype(int), axis=0)) > 30
  usual = moves.mean(axis=(1, 2)).max()
  for seed in range(8):
    frames, masks = moving_shapes.video(seed, 64, 64, with_anomaly=True)
    moves = np.abs(np.diff(frames[..., 0].astype(int), axis=0)) > 30
    marked = masks.any(axis=(1, 2))
    assert moves[marked[1:]].mean(axis=(1, 2)).max() > usual


def test_too_small(data_config):
  config = data_config(name='moving_shapes', protocol='given', image_size=8)
  with pytest.raises(errors.UserError, match='8x8 pixels.*image_size'):
    sources.load(config)


def test_max_samples_keeps_clips_beside_their_frames(data_config):
  config = data_config(
    name='moving_shapes', protocol='given', image_size=16, max_samples=30
  )
  source = sources.load(config)
  assert len(source.inputs) == len(source.videos.frame) == 30
  all_clips = sources.load(
    data_config(name='moving_shapes', protocol='given', image_size=16)
  )
  places = list(zip(all_clips.videos.video, all_clips.videos.frame))
  for clip, *place in zip(
    source.inputs, source.videos.video, source.videos.frame
  ):
    row = places.index(tuple(place))
    np.testing.assert_array_equal(clip, all_clips.inputs[row])
