import json
import types

import jax
import numpy as np
import pytest

from memae_jax.data import feed, protocols, sources, transforms
from memae_jax.data.tables import columns
from memae_jax.data.videos import clips
from memae_jax.runtime import errors


def _config(frames=16, stride=1, step=1):
  return types.SimpleNamespace(
    clip_frames=frames, clip_stride=stride, frame_step=step
  )


def _source(lengths=(8, 9, 7), tests=1, config=None, distinct=True):
  """Videos whose every pixel is the number of its frame."""
  total = sum(lengths)
  frames = np.arange(total, dtype=np.uint8)[:, None, None, None]
  frames = np.tile(frames, (1, 2, 3, 1)) * np.uint8(distinct)
  masks = np.zeros((1 + lengths[-1], 2, 3), bool)
  masks[1 + 4 :] = True
  videos = [
    clips.Video(str(i), length, is_test=False)
    for i, length in enumerate(lengths[:-tests])
  ]
  labels = (np.arange(lengths[-1]) >= 4).astype(np.uint8)
  videos.append(clips.Video('last', lengths[-1], True, labels, 1))
  return clips.source('generated', frames, videos, config or _config(4), masks)


def test_clips_do_not_cross_videos_and_carry_the_label_of_their_centre():
  source = _source()
  assert source.inputs.shape == (5 + 6 + 4, 4, 2, 3, 1)
  assert source.inputs.dtype == np.uint8 and len(source.inputs) == 15
  first = source.inputs[:][:, 0, 0, 0, 0]
  assert first.tolist() == [*range(5), *range(8, 14), *range(17, 21)]
  assert source.inputs[5][:, 0, 0, 0].tolist() == [8, 9, 10, 11]
  assert source.videos.video.tolist() == [0] * 5 + [1] * 6 + [2] * 4
  assert source.videos.frame.tolist() == [
    *(2, 3, 4, 5, 6),
    *(2, 3, 4, 5, 6, 7),
    *(2, 3, 4, 5),
  ]
  assert source.videos.lengths.tolist() == [8, 9, 7]
  assert source.is_test.sum() == 4
  assert source.labels.tolist() == [0] * 13 + [1, 1]
  assert source.masks.shape == (15, 2, 3) and source.masks.dtype == bool
  assert source.masks[:].any(axis=(1, 2)).tolist() == [False] * 13 + [True] * 2
  assert source.has_mask.all() and source.labelled
  assert source.dropped[0]['count'] == 3
  assert 'both ends of 1 test videos' in source.dropped[0]['why']


def test_reading_copies_only_what_is_asked_for():
  inputs = _source().inputs
  rows = np.array([3, 0, 14])
  np.testing.assert_array_equal(inputs[rows], inputs[:][rows])
  np.testing.assert_array_equal(inputs[2:5], inputs[:][2:5])
  taken = inputs.take(rows)
  assert taken.frames is inputs.frames
  np.testing.assert_array_equal(taken[:], inputs[rows])


def test_stride_thins_training_only_and_step_widens_clips():
  source = _source(config=_config(3, stride=2, step=2))
  assert source.videos.frame.tolist() == [2, 4, 2, 4, 6, 2, 3, 4]
  assert source.inputs[0][:, 0, 0, 0].tolist() == [0, 2, 4]
  assert source.dropped[0]['count'] == 4


def test_a_video_shorter_than_a_clip_is_named():
  with pytest.raises(
    errors.UserError, match='video "1" has 3 frames, but a clip takes 4'
  ):
    _source(lengths=(8, 3, 7))


def test_clips_of_one_frame_are_frames():
  source = _source(config=_config(1))
  assert source.inputs.shape == (8 + 9 + 7, 2, 3, 1) and not source.has_images
  assert source.inputs[:][:, 0, 0, 0].tolist() == [*range(24)]
  assert source.videos.frame.tolist() == [*range(8), *range(9), *range(7)]
  assert source.inputs.scored.tolist() == [*range(24)]
  assert source.labels[-7:].tolist() == [0, 0, 0, 0, 1, 1, 1]
  np.testing.assert_array_equal(
    source.masks[:].any(axis=(1, 2)), source.labels == 1
  )
  assert not source.dropped and len(set(columns.row_ids(source.inputs))) == 24
  one = clips.of_one('film', np.zeros((1, 2, 3, 1), np.uint8), _config(1))
  assert one.shape == (1, 2, 3, 1)


@pytest.mark.parametrize(
  ('fields', 'later'),
  [
    ({}, 7),
    ({'clip_frames': 1}, 0),
    ({'clip_frames': 4, 'frame_step': 3}, 3),
    ({'clip_frames': 1, 'motion': 'blocks', 'input': 'speed'}, 4),
    ({'clip_frames': 1, 'motion': 'flow', 'input': 'both'}, 2),
    ({'motion': 'difference', 'input': 'motion', 'motion_frames': 1}, 7),
  ],
)
def test_later_frames_that_a_score_needs(data_config, fields, later):
  config = data_config(name='moving_shapes', protocol='given', **fields)
  assert clips.look_ahead(config) == later


def test_equal_clips_are_found_by_their_frames():
  ids = columns.row_ids(_source().inputs)
  assert len(set(ids.tolist())) == 15
  assert set(columns.row_ids(_source(distinct=False).inputs).tolist()) == {0}


def test_identity_covers_frames_clips_and_masks():
  same, other = _source(), _source(config=_config(5))
  digest = sources.data_sha256(same)
  assert sources.data_sha256(_source()) == digest
  assert sources.data_sha256(other) != digest
  changed = _source()
  changed.inputs.frames[3] += 1
  assert sources.data_sha256(changed) != digest
  changed = _source()
  changed.masks.frames[2] = True
  assert sources.data_sha256(changed) != digest


def test_no_frame_trains_and_validates(data_config):
  source = _source(lengths=(30, 30, 30, 12))
  config = data_config(name='moving_shapes', protocol='given')
  split = protocols.split(source, config, 0)
  frames = lambda rows: set(source.inputs.number[rows].ravel().tolist())
  assert not frames(split.train) & frames(split.validation)
  assert len(split.validation) == 8  # A tenth of 81.
  assert len(split.test) == 9 and split.anomalous.sum() == 7
  removed = split.notes['train_clips_removed_for_shared_frames']
  assert 0 < removed <= 6 and len(split.train) + removed == 73


def test_random_rows_split_whole_videos(data_config):
  source = _source(lengths=(30, 30, 30, 30))._replace(is_test=None)
  config = data_config(name='moving_shapes', protocol='random_rows')
  split = protocols.split(source, config, 0)
  frames = lambda rows: set(source.inputs.number[rows].ravel().tolist())
  assert not frames(split.train) & frames(split.test)
  assert len(split.test) == 36


def test_scaling_counts_each_frame_once(data_config):
  config = data_config(
    name='moving_shapes', protocol='given', scaling='standard'
  )
  source = _source()
  fitted = transforms.fit(source, np.arange(5), config)
  np.testing.assert_allclose(fitted.scale, 1 / np.std(np.arange(8)), rtol=1e-6)
  np.testing.assert_allclose(fitted.shift / fitted.scale, -3.5, rtol=1e-6)


@pytest.mark.parametrize(
  ('name', 'file', 'frames', 'scored'),
  [
    ('ped2', 'frame_labels_ped2.npy', 2010, 1830),
    ('avenue', 'frame_labels_avenue.npy', 15_324, 15_009),
    ('avenue', 'frame_labels_avenue_alt.npy', 15_324, 15_009),
    ('shanghaitech', 'frame_labels_shanghai.npy', 40_791, 39_186),
  ],
)
def test_published_counts(shared, name, file, frames, scored):
  if name == 'ped2':
    facts = json.loads((shared / 'data/ped2/clips.json').read_text())
    lengths = [
      clip['frames'] for key, clip in facts.items() if key.startswith('test')
    ]
    labels = np.load(shared / 'data/ped2' / file)
  else:
    folder = shared / 'data/labels_only'
    text = (folder / f'{name}_clip_lengths.json').read_text()
    lengths = list(json.loads(text).values())
    labels = np.load(folder / file)
  assert sum(lengths) == labels.size == frames
  config = _config()
  assert sum(len(clips.starts(n, config)) for n in lengths) == scored
  assert clips.centre(config) == 8
  # The released code scores labels[8:-7] of each video.
  cut = np.split(labels.ravel(), np.cumsum(lengths)[:-1])
  at = [one[clips.starts(len(one), config) + 8] for one in cut]
  np.testing.assert_array_equal(
    np.concatenate(at), np.concatenate([one[8:-7] for one in cut])
  )
  anomalous = {
    'frame_labels_ped2.npy': 1526,
    'frame_labels_avenue_alt.npy': 3639,
    'frame_labels_shanghai.npy': 17_159,
  }
  if file in anomalous:
    assert np.concatenate(at).sum() == anomalous[file]


def test_both_feeds_take_clips():
  inputs = _source().inputs
  index = np.array([[3, 9], [0, 14]])
  got = feed.gather(inputs, index)
  np.testing.assert_array_equal(got, inputs[:][index])
  # On a device, frames are stored once, however many clips hold them.
  placed = jax.device_put(feed.resident(inputs))
  assert sum(x.nbytes for x in jax.tree.leaves(placed)) == feed.nbytes(inputs)
  gathered = jax.jit(lambda inputs, index: inputs[index])(placed, index)
  np.testing.assert_array_equal(gathered, got)
