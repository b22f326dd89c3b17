import numpy as np
import pytest

from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.metrics import video_intervals


def _frames(count=8, seed=0, signal=1.0):
  """Videos of different brightness; the last has no anomaly."""
  rng = np.random.default_rng(seed)
  lengths = rng.integers(10, 30, count)
  video = np.repeat(np.arange(count), lengths)
  frame = np.concatenate([np.arange(n) for n in lengths])
  anomalous = (frame % 10 > 5) & (video < count - 1)
  score = rng.normal(size=video.size) + signal * anomalous
  score = np.round(score + rng.normal(size=count)[video], 1)  # With ties.
  names = [f'v{i}' for i in range(count)]
  return frames_lib.FrameScores(score, anomalous, video, frame, names, lengths)


def _resampled(frames, drawn):
  """The same videos as often as they were drawn, as videos of their own."""
  parts = [np.flatnonzero(frames.video == v) for v in drawn]
  rows = np.concatenate(parts)
  return frames_lib.FrameScores(
    frames.score[rows],
    frames.anomalous[rows],
    np.repeat(np.arange(len(drawn)), [len(p) for p in parts]),
    frames.frame[rows],
    [f'{i}' for i in range(len(drawn))],
    [frames.lengths[v] for v in drawn],
  )


def test_resamples_are_those_of_a_loop():
  frames, resamples = _frames(), 40
  by_metric = video_intervals.bootstrap(frames, resamples, seed=3)
  rng = np.random.default_rng(3)
  values = {name: [] for name in video_intervals.METRICS}
  for counts in rng.multinomial(8, np.full(8, 1 / 8), resamples):
    drawn = np.repeat(np.arange(8), counts)
    metrics, _ = frames_lib.evaluate(_resampled(frames, drawn))
    for name in values:
      values[name].append(metrics[name])
  for name, each in values.items():
    low, high = np.quantile(each, (0.025, 0.975))
    assert by_metric[name]['ci95'] == pytest.approx([low, high]), name
    assert by_metric[name]['resamples'] == resamples, name


def test_interval_holds_the_value_and_repeats_by_seed():
  frames = _frames(30)
  by_metric = video_intervals.bootstrap(frames, 300, seed=1)
  assert by_metric == video_intervals.bootstrap(frames, 300, seed=1)
  assert by_metric != video_intervals.bootstrap(frames, 300, seed=2)
  metrics, _ = frames_lib.evaluate(frames)
  for name in video_intervals.METRICS:
    low, high = by_metric[name]['ci95']
    assert low < metrics[name] < high, name


def test_resamples_without_both_classes_are_skipped_and_counted():
  frames = frames_lib.FrameScores(
    np.array([1.0, 2, 3]),
    np.array([False, False, True]),
    np.array([0, 0, 1]),
    np.array([0, 1, 0]),
    ['quiet', 'loud', 'empty'],
    [2, 1, 4],
  )
  by_metric = video_intervals.bootstrap(frames, 200)
  assert by_metric['auroc']['ci95'] == [1, 1]
  used, skipped = by_metric['auroc']['resamples'], by_metric['auroc']['skipped']
  assert used + skipped == 200 and 60 < skipped < 140
  assert by_metric['auroc_macro'] == {
    'ci95': None,
    'resamples': 0,
    'skipped': 200,
    'reason': 'no resample defines it',
  }


def test_one_video_or_no_resample_gives_no_interval():
  one = _frames(2)
  one = one._replace(
    **{k: getattr(one, k)[one.video == 0] for k in one._fields[:4]}
  )
  by_metric = video_intervals.bootstrap(one, 50)['auroc']
  assert by_metric['ci95'] is None
  assert by_metric['reason'] == 'fewer than two videos have scores'
  by_metric = video_intervals.bootstrap(_frames(), 0)['auroc']
  assert (
    by_metric['ci95'] is None
    and by_metric['reason'] == 'no resample defines it'
  )
