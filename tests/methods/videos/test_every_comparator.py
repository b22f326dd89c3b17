"""Runs of methods that others made for videos: events, exports, resuming."""

import json
import runpy

import numpy as np
import pytest
import sklearn.metrics

from memae_jax import config as config_lib
from memae_jax import export, scorer
from memae_jax.evaluation.scoring import clip_scores
from memae_jax.runtime import parallel
from memae_jax.training import experiment, loop
from tests import fakes, helpers
from tests.methods import resuming
from tests.methods.videos import events, test_hasan, test_zhao

NAMES = 'hasan', 'zhao'
_SLOW = pytest.mark.slow
_TINY = (
  {
    'data.clip_frames': 4,
    'train.epochs': 1.0,
    'train.log_every': 2,
    'train.checkpoint_every': 2,
  }
  | test_hasan.SMALL
  | test_zhao.SMALL
)


def _by_frame(exp, found, rule):
  """Returns frames of the test video and their scores."""
  (rows,) = (split.test for split in exp.splits)
  scores = clip_scores.by_rule(exp.source, found, 0, rows)
  return exp.source.videos.frame[rows], scores[rule]


@pytest.mark.parametrize(
  'name,frames,apart',
  [
    ('zhao', 4, 1),
    pytest.param('zhao', 6, 2, marks=_SLOW),
    pytest.param('hasan', 4, 1, marks=_SLOW),
    pytest.param('hasan', 5, 2, marks=_SLOW),
  ],
)
def test_an_event_of_one_frame_has_the_highest_score_there(name, frames, apart):
  clip = {'data.clip_frames': frames, 'data.frame_step': apart}
  exp = events.planted(**_TINY | {'fleet.variants': (name,)} | clip)
  found = events.scored(exp, events.advanced(exp), ('maps',))
  (rows,) = (split.test for split in exp.splits)
  labelled = exp.source.videos.frame[rows][exp.source.labels[rows] == 1]
  assert labelled.tolist() == [events.EVENT]
  for rule in ('mse_centre', 'psnr_centre', 'max_cell', 'mse_averaged'):
    frame, score = _by_frame(exp, found, rule)
    assert frame[score.argmax()] == events.EVENT, rule
  # All frames of a clip count: those that see the event, and no others.
  frame, score = _by_frame(exp, found, 'mse')
  seen = frames if name == 'hasan' else frames // 2
  offset = apart * (np.arange(seen) - seen // 2)
  higher = frame[score > np.median(score) + 1e-4]
  assert sorted(higher) == sorted(events.EVENT - offset)
  error = found.maps['mse'][0, frame.tolist().index(events.EVENT)]
  inside = np.zeros(error.shape, bool)
  inside[events.PLACE] = True
  assert error[inside].mean() > 2 * error[~inside].mean()


@_SLOW
@pytest.mark.parametrize('name', NAMES)
def test_an_exported_scorer_gives_the_same_scores(name, tmp_path):
  pytest.importorskip('flatbuffers', reason='extra "export"')
  config = helpers.clips(
    **_TINY
    | {
      'fleet.variants': (name,),
      'fleet.learning_rates': (1e-3, 1e-2),
      'data.image_size': 16,
      'data.image_width': 24,
      'data.clip_stride': 10,
      'eval.score': 'psnr_centre',
      'train.checkpoint_every': 100,
    }
  )
  exp = experiment.build(config)
  state = loop.train(exp, tmp_path / 'run')
  found = events.scored(exp, state, ('maps',))
  export.to_file(tmp_path / 'run', tmp_path / 'a.scorer', exp.replicas[1].name)
  some = exp.splits[1].test[:20]
  said = scorer.load(tmp_path / 'a.scorer').explain(exp.source.inputs[some])
  np.testing.assert_allclose(
    said['score'], found.scores['psnr_centre'][1, :20], rtol=1e-5
  )
  np.testing.assert_allclose(
    said['errors'], found.maps['mse'][1, :20], rtol=1e-4, atol=1e-6
  )


@_SLOW
@pytest.mark.parametrize('name', NAMES)
def test_a_fleet_over_all_axes_of_a_mesh(name):
  """Batches of five on two devices have padding."""
  fields = _TINY | {
    'fleet.variants': (name,),
    'fleet.learning_rates': (1e-3, 1e-2),
  }
  found = []
  for size in (1, 2):
    axes = {f'mesh.{axis}': size for axis in parallel.AXES}
    exp = events.planted(**fields | axes)
    assert exp.mesh.size == size**3
    state = exp.programs.init()
    state, sums = exp.programs.run(state, 0, 3)
    (rows, _) = (split.test for split in exp.splits)
    score = events.scored(exp, state).scores['mse'][:, : len(rows)]
    found.append((exp.programs.to_host(sums.loss), score))
  (loss, score), (spread_loss, spread_score) = found
  assert loss[0] != loss[1]
  np.testing.assert_allclose(spread_loss, loss, rtol=1e-5)
  np.testing.assert_allclose(spread_score, score, rtol=5e-3)


@_SLOW
def test_a_killed_run_goes_on_bit_for_bit(tmp_path):
  build = lambda: events.planted(**_TINY | {'fleet.variants': NAMES})
  resuming.check(build, tmp_path, [('hasan', 2), ('zhao', 2)])


@_SLOW
@pytest.mark.parametrize('name,epochs', [('hasan', 6.0), ('zhao', 9.0)])
def test_it_finds_cyclists_and_carts(name, epochs):
  """With the settings of configs/moving_shapes.py."""
  file = runpy.run_path(f'{helpers.ROOT}/configs/moving_shapes.py')
  config = file['get_config'](f'variant={name},epochs={epochs}')
  exp = experiment.build(config_lib.resolve(config))
  (split,) = exp.splits
  found = events.scored(exp, events.advanced(exp))
  frame_auroc = sklearn.metrics.roc_auc_score(
    split.anomalous, found.scores['mse'][0, : len(split.test)]
  )
  assert frame_auroc >= 0.9


@pytest.mark.thorough
def test_they_stand_beside_memae_in_one_run(tmp_path, monkeypatch):
  fakes.ucsd_ped2(tmp_path, monkeypatch)
  names = (*NAMES, 'memae')
  code, _, err = helpers.run(
    f'--config={helpers.ROOT}/configs/ped2.py:smoke,variant={"+".join(names)}',
    f'--workdir={tmp_path / "run"}',
    '--config.train.epochs=0.01',
    '--config.eval.baselines=frame_difference',
  )
  assert code == 0, err
  results = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert set(results['methods']) == set(names)
  pairs = {'hasan - memae', 'zhao - memae', 'zhao - hasan'}
  assert pairs <= results['differences'].keys()
  assert results['score']['look_ahead_frames'] == 7  # Of 16, the ninth scores.
  rules = results['rules']
  assert 'mse_averaged' in set(rules['zhao']) & set(rules['hasan'])
  page = (tmp_path / 'run' / 'report.html').read_text()
  assert 'AE-Conv2D' in page and 'AE-Conv3D' in page
