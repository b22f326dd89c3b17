"""Event-level metrics against slow, plain loops, and by hand."""

import numpy as np
import pytest

from memae_jax.evaluation.metrics import events, registry
from memae_jax.evaluation.metrics import frames as frames_lib


def _frames(score, anomalous, lengths=None, rates=()):
  """One video, or several of some lengths."""
  lengths = lengths or [len(score)]
  return frames_lib.FrameScores(
    score=np.array(score, float),
    anomalous=np.array(anomalous, bool),
    video=np.repeat(np.arange(len(lengths)), lengths),
    frame=np.concatenate([np.arange(n) for n in lengths]),
    names=[f'v{i}' for i in range(len(lengths))],
    lengths=lengths,
    rates=rates,
  )


def _runs(flags, frames):
  """Sets of (video, frame), one for each run."""
  runs, before = [], None
  for flag, video, frame in zip(flags, frames.video, frames.frame):
    here = (int(video), int(frame))
    if flag:
      if before == (here[0], here[1] - 1):
        runs[-1].add(here)
      else:
        runs.append({here})
      before = here
    else:
      before = None
  return runs


def _most_pairs(alarms, others, least):
  """The largest number of pairs, by trying all of them."""
  good = [
    [
      len(a & e) / len(a | e) >= least - 1e-12
      for e in others
    ]
    for a in alarms
  ]  # fmt: skip

  def best(i, used):
    if i == len(alarms):
      return 0
    return max(
      [best(i + 1, used)]
      + [
        1 + best(i + 1, used | {j})
        for j in range(len(others))
        if good[i][j] and j not in used
      ]
    )

  return best(0, frozenset())


def _expected(frames, threshold):
  """Every metric, by plain loops."""
  real = _runs(frames.anomalous, frames)
  alarms = _runs(frames.score > threshold, frames)
  f1 = lambda alarms, least: (
    2 * _most_pairs(alarms, real, least) / (len(alarms) + len(real))
  )
  out = {f'event_f1_{p}': f1(alarms, p / 100) for p in events.OVERLAPS}
  out['event_f1'] = np.mean(list(out.values()))
  everything = _runs(np.ones(len(frames.score)), frames)
  out['event_f1_all_positive'] = np.mean(
    [f1(everything, p / 100) for p in events.OVERLAPS]
  )
  false = sum(not any(a & e for e in real) for a in alarms)
  out['false_alarms'] = 1000 * false / len(frames.score)
  seconds = sum(1 / frames.rates[v] for v in frames.video)
  out['false_alarms_per_hour'] = 3600 * false / seconds
  flagged = set().union(*alarms) if alarms else set()
  delays = [min(e & flagged)[1] - min(e)[1] for e in real if e & flagged]
  rates = [frames.rates[min(e)[0]] for e in real if e & flagged]
  out['event_recall'] = len(delays) / len(real)
  out['detection_delay'] = np.mean(delays) if delays else None
  out['detection_delay_seconds'] = (
    np.mean([d / r for d, r in zip(delays, rates)]) if delays else None
  )
  where = dict(
    zip(zip(frames.video.tolist(), frames.frame.tolist()), frames.score)
  )
  area, before = 0, 0
  for limit in sorted(set(frames.score), reverse=True):
    recall = 0
    for event in real:
      hits = [f for v, f in sorted(event) if where[v, f] >= limit]
      if hits:
        recall += 1 - (hits[0] - min(event)[1]) / len(event)
    recall /= len(real)
    chosen = frames.score >= limit
    area += (recall - before) * frames.anomalous[chosen].mean()
    before = recall
  out['latency_aware_ap'] = area
  return out


@pytest.mark.parametrize('seed', range(10))
def test_all_equal_plain_loops(seed):
  rng = np.random.default_rng(seed)
  for _ in range(20):
    lengths = rng.integers(1, 12, rng.integers(1, 4)).tolist()
    total = sum(lengths)
    frames = _frames(
      rng.integers(0, 6, total),
      rng.random(total) < rng.choice([0.2, 0.5, 0.9]),
      lengths,
      rng.uniform(5, 30, len(lengths)).tolist(),
    )
    if not frames.anomalous.any():
      continue
    threshold = rng.choice([1.5, 3.5, 9])
    found, reasons = events.evaluate(frames, threshold)
    expected = _expected(frames, threshold)
    assert set(found) == set(expected) == set(events.METRICS)
    for name, value in expected.items():
      if value is None:
        assert found[name] is None and reasons[name]
      else:
        assert found[name] == pytest.approx(value, abs=1e-9), name


def test_by_hand():
  # Events: frames 2 to 5 and 9; alarms: 0, 3 to 5.
  score = [9, 0, 0, 9, 9, 9, 0, 0, 0, 0]
  anomalous = [0, 0, 1, 1, 1, 1, 0, 0, 0, 1]
  found, reasons = events.evaluate(_frames(score, anomalous, rates=[10.0]), 5)
  assert found['event_f1_50'] == found['event_f1'] == 0.5  # 1 of 2 and 2.
  assert found['event_recall'] == 0.5
  assert found['detection_delay'] == 1
  assert found['detection_delay_seconds'] == pytest.approx(0.1)
  assert found['false_alarms'] == 100  # 1 in 10 frames.
  assert found['false_alarms_per_hour'] == pytest.approx(3600)
  # At 9: 3 of 4 flagged are right, and 3/4 of one event of two are left. At 0:
  # 5 of 10, and the rest of the recall.
  ap = 0.375 * 0.75 + 0.625 * 0.5
  assert found['latency_aware_ap'] == pytest.approx(ap)
  assert not reasons


def test_early_is_better_than_late():
  ap = lambda score: events.latency_aware_ap(_frames(score, [0, 0, 1, 1, 1, 1]))
  early, late = [5, 5, 9, 1, 1, 1], [5, 5, 1, 1, 1, 9]
  assert ap(early) == 1
  assert ap(late) == 0.25 + 0.75 * 4 / 6


def test_frames_without_a_score_end_events():
  frames = _frames([9, 9, 9], [1, 1, 1])._replace(
    frame=np.array([0, 1, 3]), lengths=[4]
  )
  found = events.spans(frames.anomalous, frames.video, frames.frame)
  assert found == [(0, 0, 1), (0, 3, 3)]


@pytest.mark.parametrize(
  ('frames', 'threshold', 'undefined', 'reason'),
  [
    (_frames([1, 2], [0, 0]), 1.5, 'event_f1', 'no scored frame is anomalous'),
    (_frames([1, 2], [0, 0]), 1.5, 'latency_aware_ap', 'no scored frame is an'),
    (_frames([1, 2], [0, 1]), None, 'event_f1', 'no validation normals'),
    (_frames([1, 2], [0, 1]), 5, 'detection_delay', 'no event is found'),
    (_frames([1, 2], [0, 1]), 1.5, 'false_alarms_per_hour', 'eval.frame_rate'),
    (
      _frames([1, 2], [0, 1], rates=[None]),
      1.5,
      'detection_delay_seconds',
      'eval.frame_rate',
    ),
    (_frames([], []), 1.5, 'false_alarms', 'no scored frame is anomalous'),
  ],
)
def test_undefined_ones_say_why(frames, threshold, undefined, reason):
  found, reasons = events.evaluate(frames, threshold)
  assert found[undefined] is None and reason in reasons[undefined]
  assert {n for n, v in found.items() if v is None} == set(reasons)


def test_no_alarm_is_no_success():
  found, _ = events.evaluate(_frames([1, 2], [0, 1]), 5)
  assert found['event_f1'] == found['event_recall'] == 0
  assert found['false_alarms'] == 0


def test_all_metrics_are_registered():
  for name in events.METRICS:
    assert registry.find(name).only_some
  lower = [n for n in events.METRICS if registry.find(n).lower_is_better]
  assert lower == [
    'detection_delay',
    'detection_delay_seconds',
    'false_alarms',
    'false_alarms_per_hour',
  ]
