"""Methods against rows of videos that learn nothing, on the same frames."""

import numpy as np
import pytest

from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.report import tables
from memae_jax.evaluation.results import over_rows
from memae_jax.evaluation.scoring import scores

_VIDEOS, _LENGTH = 6, 20


def _replica(variant, signal, seed=0):
  """Scores of six videos, the last of which has no anomaly."""
  rng = np.random.default_rng(seed)
  video = np.repeat(np.arange(_VIDEOS), _LENGTH)
  frame = np.tile(np.arange(_LENGTH), _VIDEOS)
  anomalous = (frame >= 12) & (video < _VIDEOS - 1)
  score = rng.normal(size=video.size) + signal * anomalous
  frames = frames_lib.FrameScores(
    *(score, anomalous, video, frame),
    [str(i) for i in range(_VIDEOS)],
    [_LENGTH] * _VIDEOS,
  )
  return scores.ReplicaScores(
    name=f'{variant}/{seed}',
    fields={'variant': variant, 'seed': seed},
    score=score,
    anomalous=anomalous,
    sample=np.arange(len(score)),
    validation_score=np.zeros(2),
    frames=frames,
  )


def _summary(networks, plain, resamples):
  return over_rows.summary(
    *(
      [(r, frames_lib.evaluate(r.frames)[0] if r.frames else {}) for r in given]
      for given in (networks, plain)
    ),
    resamples,
  )


def test_differences_are_of_means_over_seeds_and_paired():
  networks = [_replica('memae', 3.0, seed) for seed in (0, 1)]
  plain = [_replica('frame_difference', 0.5, 2), _replica('random', 0.0, 3)]
  found = _summary(networks, plain, 200)
  assert list(found) == ['memae'] and list(found['memae']) == [
    'frame_difference'
  ]
  gap = found['memae']['frame_difference']
  value = lambda r: frames_lib.evaluate(r.frames)[0]['auroc_normalised']
  expected = np.mean([value(r) for r in networks]) - value(plain[0])
  assert gap['difference'] == pytest.approx(expected)
  low, high = gap['ci95']
  assert low < expected < high and low > 0
  by_video = lambda r: np.array(
    [v['auroc'] for v in frames_lib.videos(r.frames)][:-1], float
  )
  won = np.mean([by_video(r) for r in networks], axis=0) > by_video(plain[0])
  assert gap['videos'] == _VIDEOS - 1 and gap['won'] == won.sum() >= 4
  assert gap['won'] + gap['lost'] == gap['videos']


def test_equal_scores_differ_by_nothing():
  one, other = _replica('bank', 1.0), _replica('no_bank', 1.0)
  gap = _summary([one], [other], 50)['bank']['no_bank']
  assert gap == {
    'difference': 0,
    'ci95': [0, 0],
    'videos': _VIDEOS - 1,
    'won': 0,
    'lost': 0,
  }
  assert _summary([one], [other], 0)['bank']['no_bank']['ci95'] is None


def test_undefined_metrics_and_other_samples():
  flat = _replica('memae', 1.0)
  quiet = flat.frames._replace(anomalous=np.zeros(len(flat.score), bool))
  still = flat._replace(frames=quiet)
  gap = _summary([still], [_replica('no_bank', 1.0)], 50)
  assert gap['memae']['no_bank']['difference'] is None
  assert not _summary([flat], [_replica('random', 1.0)], 50)
  images = flat._replace(frames=None)
  assert not _summary([images], [images], 50)


def test_the_report_shows_them():
  found = _summary([_replica('memae', 3.0)], [_replica('no_bank', 0.5, 1)], 50)
  results = {'over_rows': found, 'paper': None}
  (name, cell, videos), *others = tables.over_rows(results)
  assert not others and name.startswith('MemAE - ')
  assert cell['mean'].startswith('+') and cell['ci'].startswith('[+')
  assert videos == f'{found["memae"]["no_bank"]["won"]} : ' + str(
    found['memae']['no_bank']['lost']
  )
