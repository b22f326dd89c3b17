import json

import jax
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.data import protocols, transforms
from memae_jax.data.sets import moving_shapes
from memae_jax.data.videos import clips
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.metrics import pixel_criteria
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import (
  baselines,
  clip_scores,
  collect,
  error_maps,
  plain_videos,
)
from memae_jax.methods import base
from memae_jax.training import experiment, step
from tests import helpers

CONFIG = {
  'data': {
    'name': 'moving_shapes',
    'image_size': 16,
    'clip_frames': 8,
    'clip_stride': 40,
    'protocol': 'given',
  },
  'model': {
    'network': 'conv',
    'widths': (4, 4),
    'kernels': (3, 3),
    'strides': (4, 4),
    'time_strides': (2, 4),
    'activation': 'leaky_relu',
    'batch_norm': True,
    'memory': {'slots': 8, 'per_position': True},
  },
  'fleet': {'variants': ('memae', 'ae')},
  'train': {'batch_size': 4, 'epochs': 1.0},
  'eval': {'batch_size': 64, 'baselines': (), 'bootstrap': 0},
}


def _build(**changes):
  config = json.loads(json.dumps(CONFIG))
  for key, value in changes.items():
    group, field = key.split('__')
    config[group][field] = value
  return experiment.build(config_lib.resolve(config))


@pytest.fixture(scope='module')
def exp():
  return _build()


@pytest.fixture(scope='module')
def scored(exp):
  predicted = exp.programs.score(
    exp.programs.init(), [s.test for s in exp.splits], ('maps',)
  )
  return jax.device_get(predicted)


def test_each_frame_is_scored_once_by_each_rule(exp, scored):
  rows = exp.splits[0].test
  by_rule = clip_scores.by_rule(exp.source, scored, 0, rows)
  fitting = losses.fitting(losses.CLIP)
  names = [rule.name for rule in fitting]
  cells = 'max_cell', 'largest_cells'
  assert sorted(by_rule) == sorted([*names, *cells, losses.MEMORY])
  for name, score in by_rule.items():
    frames = clip_scores.frames(
      exp.source, rows, score, exp.splits[0].anomalous
    )
    frames_lib.checked(frames)  # No frame twice.
    assert len(score) == 6 * (80 - 7), name
    row = frames_lib.videos(frames)[0]
    assert row['dropped'] == [[0, 3], [77, 79]] and row['frames'] == 80
  np.testing.assert_array_equal(
    by_rule['mse'], scored.scores['mse'][0, : len(rows)]
  )
  assert (by_rule['mse_averaged'] != by_rule['mse_centre']).any()


@pytest.mark.parametrize('count', [8, 5, 4])
def test_scores_of_frames_may_be_of_those_around_the_scored_one(exp, count):
  rows = exp.splits[0].test
  number = exp.source.inputs.number[rows]
  errors = np.random.default_rng(0).random(len(exp.source.inputs.frames))
  first = 4 - count // 2
  values = errors[number[:, first : first + count]][None]
  given = base.Prediction({'mse_averaged': values})
  (found,) = clip_scores.by_rule(exp.source, given, 0, rows).values()
  np.testing.assert_allclose(found, errors[number[:, 4]], rtol=1e-6)


def test_maps_are_of_the_scored_frame(exp, scored):
  rows = exp.splits[0].test
  by_rule = clip_scores.by_rule(exp.source, scored, 1, rows)['mse_centre']
  maps = losses.map_of('mse_centre', scored.maps)[1, : len(rows)]
  assert maps.shape == (len(rows), 16, 16)
  np.testing.assert_allclose(maps.mean(axis=(1, 2)), by_rule, rtol=1e-5)


def _scores(exp, rows=None):
  """Scores by every rule under untrained weights, in the order of frames."""
  rows = exp.splits[0].test if rows is None else rows
  predicted = exp.programs.score(
    exp.programs.init(), [rows] * len(exp.replicas)
  )
  order = np.lexsort((exp.source.videos.frame[rows],
                      exp.source.videos.video[rows]))  # fmt: skip
  by_rule = clip_scores.by_rule(exp.source, predicted, 0, rows)
  return {name: np.asarray(score)[order] for name, score in by_rule.items()}


@pytest.mark.parametrize(
  'changes',
  [
    {'eval__batch_size': 7},
    {'data__feed': 'streaming'},
    {'data__feed': 'streaming', 'eval__batch_size': 100},
  ],
)
def test_scores_do_not_depend_on_batches_or_feed(exp, changes):
  expected, scored = _scores(exp), _scores(_build(**changes))
  for name in expected:
    np.testing.assert_allclose(scored[name], expected[name], rtol=2e-5)


def test_scores_do_not_depend_on_devices(exp):
  assert exp.mesh.size == 2  # Two replicas, one per device.
  one = _build()
  alone = _build(fleet__variants=('memae',))
  assert alone.mesh.size == 1
  for name, expected in _scores(one).items():
    np.testing.assert_allclose(_scores(alone)[name], expected, rtol=2e-5)


def test_scores_do_not_depend_on_the_order_of_videos(exp):
  rows = exp.splits[0].test
  moved = np.random.default_rng(0).permutation(rows)
  expected, scored = _scores(exp), _scores(exp, moved)
  for name in expected:
    np.testing.assert_allclose(scored[name], expected[name], rtol=2e-5)


def test_smoothing_is_within_videos_and_over_frames_that_have_scores(exp):
  rows = exp.splits[0].test
  video, frame = exp.source.videos.video[rows], exp.source.videos.frame[rows]
  some = np.random.default_rng(0).permutation(len(rows))[:300]  # With gaps.
  score = np.random.default_rng(1).normal(size=300).astype(np.float32)
  found = clip_scores.smoothed(exp.source, rows[some], score, 1.5)
  assert found.dtype == np.float32
  for i in range(0, 300, 17):
    near = np.abs(frame[some] - frame[some[i]])
    weight = np.exp(-0.5 * (near / 1.5) ** 2)
    weight[(video[some] != video[some[i]]) | (near > 6)] = 0
    expected = np.sum(weight * score) / weight.sum()
    assert found[i] == pytest.approx(expected, rel=1e-4, abs=1e-5)
  same = clip_scores.smoothed(exp.source, rows[some], score, 0.0)
  assert same is score
  constant = np.full(300, 0.3, np.float32)
  smooth = clip_scores.smoothed(exp.source, rows[some], constant, 2.0)
  np.testing.assert_allclose(smooth, constant, rtol=1e-6)
  assert clip_scores.smoothing_reach(1.5) == 6
  assert clip_scores.smoothing_reach(0.0) == 0


def test_every_row_is_smoothed_alike(exp, scored):
  """Networks by all rules, and baselines; the threshold, too."""
  fields = {'baselines': ('frame_difference', 'random'), 'smooth': 2.0}
  smooth = _build(eval__smooth=2.0, eval__baselines=fields['baselines'])
  plain = _build(eval__baselines=fields['baselines'])
  rows = exp.splits[0].test
  one = lambda x: clip_scores.smoothed(exp.source, rows, x, 2.0)
  weights = step.weights(exp.programs.init())
  networks = [collect.networks(e, weights, [0, 0])[0] for e in (plain, smooth)]
  rows_of = [baselines.run(e, [])[0] for e in (plain, smooth)]
  frame_difference, at_random = rows_of[0]
  transform = plain.splits[0].transform
  maps = plain_videos.cells(plain.source, transform, rows, 'frame_difference')
  assert frame_difference.pixels == error_maps.measure(plain.source, rows, maps)
  assert {'rbdc', *pixel_criteria.METRICS} <= set(frame_difference.pixels[0])
  assert at_random.pixels is None
  for before, after in zip(*(a + b for a, b in zip(networks, rows_of))):
    np.testing.assert_allclose(after.score, one(before.score), rtol=1e-5)
    np.testing.assert_allclose(after.frames.score, after.score)
    for rule, values in (before.rules or {}).items():
      np.testing.assert_allclose(after.rules[rule], one(values), rtol=1e-5)
    assert not np.allclose(after.score, before.score, rtol=1e-3)
  limits = [c.threshold for c in collect.calibrations(smooth, weights)]
  held = networks[1][0].validation_score
  assert limits[0] == pytest.approx(np.quantile(held, 0.95))
  facts = describe.score(smooth)
  assert facts['look_ahead_frames'] == 3 + 8
  assert facts['smoothing'].startswith('Gaussian of 2 frames')


def test_baselines_see_the_scored_frame(exp):
  rows = exp.splits[0].train[:5]
  read = baselines.Rows(exp.source, exp.splits[0].transform, rows)
  assert read.shape == (5, 256) and len(read) == 5
  clip = transforms.apply(exp.source.inputs[rows], exp.splits[0].transform)
  np.testing.assert_array_equal(read[1:3], clip[1:3, 4].reshape(2, -1))


def test_regions_are_found_in_the_order_of_frames(exp):
  rows = exp.splits[0].test
  masks = exp.source.masks[rows].astype(np.float32)
  moved = np.random.default_rng(0).permutation(len(rows))
  values, reasons = clip_scores.find_regions(
    exp.source, rows[moved], masks[moved]
  )
  assert values == {'rbdc': 1.0, 'tbdc': 1.0} and not reasons


def test_a_score_of_clips_needs_clips(tmp_path):
  code, _, err = helpers.run(
    f'--config={helpers.ROOT}/configs/digits.py:smoke',
    f'--workdir={tmp_path / "run"}',
    '--config.eval.score=mae_clip',
  )
  assert code == 2 and 'eval.score' in err and 'use "mse"' in err


@pytest.mark.parametrize(
  'name,lengths,scored',
  [('avenue', 15324, 15009), ('shanghaitech', 40791, 39186)],
)
def test_published_sets_score_the_known_frames(shared, name, lengths, scored):
  """Clip lengths as published; frames are made up, one pixel each."""
  folder = shared / 'data' / 'labels_only'
  content = json.loads((folder / f'{name}_clip_lengths.json').read_text())
  clip_lengths = list(
    content.values() if isinstance(content, dict) else content
  )
  file = {'avenue': 'frame_labels_avenue.npy',
          'shanghaitech': 'frame_labels_shanghai.npy'}[name]  # fmt: skip
  labels = np.load(folder / file).ravel()
  assert sum(clip_lengths) == len(labels) == lengths
  begun = np.cumsum([0, *clip_lengths])
  videos = [clips.Video('train', 20, False)] + [
    clips.Video(f'{i:02d}', n, True, labels[begun[i] : begun[i] + n])
    for i, n in enumerate(clip_lengths)
  ]
  config = config_lib.resolve(
    {'data': {'name': 'frames', 'protocol': 'given'}}
  ).data
  frames = np.zeros((20 + lengths, 1, 1, 1), np.uint8)
  source = clips.source(name, frames, videos, config)
  assert int(source.is_test.sum()) == scored
  assert source.dropped[0]['count'] == lengths - scored
  trimmed = [labels[b + 8 : b + n - 7] for b, n in zip(begun, clip_lengths)]
  np.testing.assert_array_equal(
    source.labels[source.is_test], np.concatenate(trimmed)
  )


def test_a_fleet_of_one_kind_of_frames_says_so(exp):
  """All-normal labels: metrics are undefined with a reason, never 0.5."""
  split = exp.splits[0]
  nothing = np.zeros(len(split.test), bool)
  frames = clip_scores.frames(
    exp.source, split.test, np.ones(len(nothing)), nothing
  )
  values, reasons = frames_lib.evaluate(frames)
  assert values['auroc'] is None and 'normal' in reasons['auroc_normalised']
  assert frames_lib.summary(frames_lib.videos(frames))['macro_videos'] == 0


def test_whole_videos_are_held_out():
  data = config_lib.resolve(CONFIG).data
  source = moving_shapes.load(data)
  split = protocols.split(source, data, 0)
  frames = lambda rows: set(source.inputs.number[rows].ravel().tolist())
  assert not frames(split.train) & frames(split.validation)
