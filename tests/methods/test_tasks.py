"""What networks see and give, and the frame that a score belongs to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.data.videos import clips, motion, views
from memae_jax.evaluation.scoring import plain_videos
from memae_jax.methods import tasks
from memae_jax.runtime import errors
from memae_jax.training import experiment, step
from tests import helpers
from tests.data.videos import textures

_SLOW = pytest.mark.slow  # Each compiles a fleet of its own.
_EVENT, _LENGTH = 11, 20
# Networks of images: they are given single frames, or clips as channels.
_CONV = {
  'data.image_width': 0,
  'model.widths': (4, 6),
  'model.time_strides': (),
  'train.batch_size': 4,
}


def test_parts_of_samples():
  x = np.arange(2 * 3 * 2 * 2 * 3, dtype=np.float32).reshape(2, 3, 2, 2, 3)
  same, also = tasks.Task().parts(x)
  assert same is x and also is x
  before, last = tasks.Task(True).parts(x)
  assert before.shape == (2, 2, 2, 6)
  np.testing.assert_array_equal(before[..., :3], x[:, 0])
  np.testing.assert_array_equal(before[..., 3:], x[:, 1])
  np.testing.assert_array_equal(last, x[:, 2])
  frame, moved = tasks.Task(True, 2).parts(x[:, 0])
  np.testing.assert_array_equal(frame, x[:, 0, ..., :1])
  np.testing.assert_array_equal(moved, x[:, 0, ..., 1:])
  assert tasks.Task(True).shapes((3, 2, 2, 3)) == ((2, 2, 6), (2, 2, 3))
  assert tasks.Task(True, 2).shapes((8, 9, 3)) == ((8, 9, 1), (8, 9, 2))
  assert tasks.Task().shapes((7,)) == ((7,), (7,))


@pytest.mark.parametrize(
  'fields,words',
  [
    ({'data.clip_frames': 1}, 'data.input is "frames" and data.clip_frames 1'),
    (
      {'data.input': 'both', 'data.motion': 'blocks'},
      'data.input is "both" and data.clip_frames 16',
    ),
    ({'fleet.variants': ('memae', 'bank')}, 'method "bank" of fleet.variants'),
  ],
)
def test_what_cannot_be_predicted_is_refused(fields, words):
  with pytest.raises(errors.UserError, match=words):
    helpers.clips(**{'model.task': 'predict'} | fields)


def test_only_videos_are_predicted():
  config = helpers.digits(**{'model.task': 'predict'})
  with pytest.raises(errors.UserError, match='shape .8, 8, 1.; give clips'):
    tasks.of(config, (8, 8, 1))


def test_frames_of_the_fixed_scaling_are_bounded():
  clip = {'model.task': 'predict', 'data.clip_frames': 5}
  moved = {'data.motion': 'blocks', 'data.input': 'speed'}
  for fields, bounded in (
    ({'data.scaling': 'fixed'}, True),
    ({'data.scaling': 'standard'}, False),
    ({'data.scaling': 'fixed'} | moved, False),
  ):
    config = helpers.clips(**_CONV | clip | fields)
    assert tasks.is_bounded(config) == bounded


def _videos(test=None, **fields):
  """An experiment on still ground, where one frame of a video is other."""
  config = helpers.clips(**{'fleet.variants': ('memae', 'ae')} | _CONV | fields)
  still = textures.video(_LENGTH)
  event = textures.video(_LENGTH, event=_EVENT)
  event[_EVENT, :6, :6] = 255  # Brightness counts for networks of frames.
  frames = np.concatenate([still, still, event if test is None else test])
  labels = np.arange(_LENGTH) == _EVENT
  videos = [
    clips.Video('one', _LENGTH, False),
    clips.Video('two', _LENGTH, False),
    clips.Video('three', _LENGTH, True, labels),
  ]
  seen = views.seen(
    frames,
    ['one', 'two', 'three'],
    [video.footage for video in videos],
    config.data,
    lambda *how: motion.of_videos(np.split(frames, 3), *how),
  )
  reading = clips.Reading(pictures=seen.pictures)
  data = config_lib.data_of(config)
  source = clips.source(
    'moving_shapes', seen.frames, videos, data, reading=reading
  )
  return experiment.build(config, source=source)


def _scores(exp, trained=30):
  """Scores of the test video by frame: those of `mse` of both methods."""
  state = exp.programs.init()
  state, _ = exp.programs.run(state, 0, trained)
  rows = exp.splits[0].test
  found = exp.programs.score(step.weights(state), [rows] * 2)
  frame = exp.source.videos.frame[rows]
  assert frame.tolist() == list(range(frame[0], _LENGTH))
  return frame, np.asarray(found.scores['mse'])[:, : len(rows)]


@pytest.mark.parametrize(
  'fields,first',
  [
    ({'data.clip_frames': 1}, 0),
    ({'model.task': 'predict', 'data.clip_frames': 4}, 3),
    pytest.param(
      {'model.task': 'predict', 'data.clip_frames': 3, 'data.frame_step': 2},
      4,
      marks=_SLOW,
    ),
  ],
)
def test_an_event_of_one_frame_has_the_highest_score_there(fields, first):
  exp = _videos(**fields)
  frame, scores = _scores(exp)
  assert frame[0] == first
  assert exp.source.labels[exp.splits[0].test].argmax() == _EVENT - first
  for of_method in scores:
    assert frame[of_method.argmax()] == _EVENT
    before = of_method[frame < _EVENT]  # What comes later has no part in it.
    np.testing.assert_allclose(before, before[0], rtol=1e-5)


@_SLOW
@pytest.mark.parametrize(
  'fields',
  [
    {'data.input': 'both', 'model.task': 'predict'},
    {'data.input': 'speed', 'data.perspective': 0.5},
    {'data.input': 'motion'},
  ],
)
def test_motion_of_an_event_lies_evenly_around_it(fields):
  """Blocks match what comes before and after; differences, both changes."""
  for kind, shown in (('blocks', {8, 9, 13, 14}), ('difference', {11, 12})):
    more = {'data.motion_gap': 2} if kind == 'blocks' else {}
    plain = {'data.motion': kind, 'data.motion_frames': 1, 'data.motion_box': 1}
    clip = {'data.clip_frames': 1}
    exp = _videos(**fields | plain | clip | more)
    frame, scores = _scores(exp, trained=10)
    for of_method in scores:
      usual = np.median(of_method)
      found = set(frame[of_method > 1.5 * usual + 1e-6].tolist())
      assert found and found <= shown | {9, 13} - {_EVENT}, (kind, found)


@_SLOW
@pytest.mark.parametrize(
  'kind,given',
  [('difference', 'speed'), ('blocks', 'motion'), ('blocks', 'speed')],
)
def test_the_next_motion_is_foretold_from_four(kind, given):
  """The points of configs/studies/inputs_ped2.py that predict motion."""
  exp = _videos(
    textures.video(_LENGTH, hop=_EVENT),
    **{'data.motion': kind, 'data.input': given, 'data.clip_frames': 5},
    **{'model.task': 'predict'},
  )
  frame, scores = _scores(exp, trained=1)
  assert frame[0] == 4 and np.isfinite(scores).all()
  for of_method in scores:
    assert abs(frame[of_method.argmax()] - _EVENT) <= 4


_SPEEDS = {
  'data.clip_frames': 1,
  'data.input': 'speed',
  'data.motion': 'blocks',
}


def _hop():
  """A video in which a patch hops, half-way in the frame of the event."""
  exp = _videos(textures.video(_LENGTH, hop=_EVENT), **_SPEEDS)
  rows = exp.splits[0].test
  return exp, rows, exp.source.videos.frame[rows]


def test_the_speed_of_a_hop_is_highest_at_its_frame():
  """No frame is reached that lies beyond the stated look-ahead."""
  exp, rows, frame = _hop()
  later = clips.look_ahead(config_lib.data_of(exp.config))
  assert later == 4
  found = plain_videos.score(
    exp.source, exp.splits[0].transform, rows, 'no_bank', exp.trainer.frames
  )
  for rule in ('mse', 'max_cell', 'largest_cells'):
    assert frame[found[rule].argmax()] == _EVENT, rule
    reached = frame[found[rule] > 0.01]
    assert set(reached) <= set(range(_EVENT - later, _EVENT + later + 1)), rule
    assert {_EVENT - later, _EVENT + later} <= set(frame[found[rule] > 0]), rule


@_SLOW
def test_networks_of_speeds_score_a_hop_highest_at_its_frame():
  exp, _, _ = _hop()
  frame, scores = _scores(exp, trained=10)
  for of_method in scores:
    assert frame[of_method.argmax()] == _EVENT
    far = of_method[np.abs(frame - _EVENT) > 4]
    np.testing.assert_allclose(far, far[0], rtol=1e-4)


def test_a_network_that_repeats_the_last_frame_is_the_frame_difference():
  exp = _videos(**{'model.task': 'predict', 'data.clip_frames': 4})
  rows, transform = exp.splits[0].test, exp.splits[0].transform
  x = exp.source.inputs[rows] / np.float32(127.5) - 1
  before, last = exp.task.parts(jnp.asarray(x))
  repeated = np.square(before[..., -1:] - last).mean(axis=(1, 2, 3))
  found = plain_videos.score(
    exp.source, transform, rows, 'frame_difference', exp.trainer.frames
  )
  assert set(found) == {'mse', 'psnr', 'max_cell', 'largest_cells'}
  found = found['mse']
  np.testing.assert_allclose(found, repeated, rtol=1e-5, atol=1e-9)
  frame = exp.source.videos.frame[rows]
  assert set(frame[found > 1e-6].tolist()) == {_EVENT, _EVENT + 1}


def test_predictions_are_compared_with_what_is_wanted():
  fields = {'model.task': 'predict', 'data.clip_frames': 4}
  exp = _videos(**fields)
  rows = exp.splits[0].test[:5]
  weights = step.weights(exp.programs.init())
  found = exp.programs.score(weights, [rows] * 2, ('maps', 'output', 'target'))
  output, target = (
    np.asarray(part)[:, :5] for part in (found.output, found.target)
  )
  assert output.shape == target.shape == (2, 5, 48, 64, 1)
  wanted = exp.source.inputs[rows][:, -1] / np.float32(127.5) - 1
  np.testing.assert_allclose(target[0], wanted, atol=1e-6)
  error = np.square(output - target)
  np.testing.assert_allclose(
    np.asarray(found.scores['mse'])[:, :5], error.mean((2, 3, 4)), rtol=1e-5
  )
  np.testing.assert_allclose(
    np.asarray(found.maps['mse'])[:, :5], error[..., 0], rtol=1e-4, atol=1e-6
  )
  mesh = {'mesh.replica': 2, 'mesh.data': 2, 'mesh.memory': 2}
  spread = _videos(**fields | mesh)
  weights = step.weights(spread.programs.init())
  again = spread.programs.score(weights, [rows] * 2)
  np.testing.assert_allclose(
    np.asarray(again.scores['mse'])[:, :5],
    np.asarray(found.scores['mse'])[:, :5],
    rtol=1e-5,
  )


@pytest.mark.slow
def test_dense_networks_predict_too():
  exp = _videos(
    **{
      'model.task': 'predict',
      'data.clip_frames': 3,
      'model.network': 'dense',
      'model.memory.per_position': False,
      'model.widths': (6,),
      'model.code': 3,
      'model.memory.slots': 8,
    }
  )
  state = exp.programs.init()
  _, sums = exp.programs.run(state, 0, 2)
  assert np.isfinite(jax.device_get(sums.loss)).all()
