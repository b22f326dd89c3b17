"""Metrics once more, from their definitions, in NumPy alone and slowly."""

import itertools

import numpy as np


def auroc(score, y):
  """Share of pairs in the right order; a tie counts half."""
  a, b = score[y][:, None], score[~y][None]
  return float(np.mean((a > b) + 0.5 * (a == b)))


def average_precision(score, y):
  total, before = 0.0, 0.0
  for limit in np.unique(score)[::-1]:
    flagged = score >= limit
    recall = (flagged & y).sum() / y.sum()
    total += (recall - before) * (flagged & y).sum() / flagged.sum()
    before = recall
  return total


def eer(score, y):
  points = [(0.0, 0.0)]
  for limit in np.unique(score)[::-1]:
    flagged = score >= limit
    points.append((flagged[~y].mean(), flagged[y].mean()))
  for (f0, t0), (f1, t1) in itertools.pairwise(points):
    if f1 + t1 >= 1:
      share = (1 - f0 - t0) / (f1 + t1 - f0 - t0)
      return f0 + share * (f1 - f0)
  raise AssertionError


def f1(flagged, y):
  return 2 * (flagged & y).sum() / (flagged.sum() + y.sum())


def best_f1(score, y):
  return max(f1(score >= limit, y) for limit in np.unique(score))


def top(score, count):
  flagged = np.zeros(len(score), bool)
  flagged[np.argsort(-score, kind='stable')[:count]] = True
  return flagged


def normalised(score, lengths):
  parts = np.split(score, np.cumsum(lengths)[:-1])
  return np.concatenate(
    [(p - p.min()) / (p.max() - p.min() or 1.0) for p in parts]
  )


def macro(score, y, lengths):
  cuts = np.cumsum(lengths)[:-1]
  pairs = zip(np.split(score, cuts), np.split(y, cuts))
  return np.mean([auroc(s, a) for s, a in pairs if a.any() and not a.all()])


def runs(flagged, lengths):
  """[(first, last)] of all runs, as places in the whole row."""
  out, begin = [], 0
  for length in lengths:
    first = None
    for i in range(begin, begin + length + 1):
      inside = i < begin + length and flagged[i]
      if inside and first is None:
        first = i
      if not inside and first is not None:
        out.append((first, i - 1))
        first = None
    begin += length
  return out


def overlap(one, other):
  shared = min(one[1], other[1]) - max(one[0], other[0]) + 1
  lengths = one[1] - one[0] + other[1] - other[0] + 2
  return shared / (lengths - shared) if shared > 0 else 0.0


def event_f1(flagged, y, lengths, least):
  """F1 of a largest pairing, found by augmenting paths."""
  alarms, events = runs(flagged, lengths), runs(y, lengths)
  partner = {}

  def paired(alarm, seen):
    for event in events:
      if event in seen or overlap(alarm, event) < least - 1e-12:
        continue
      seen.add(event)
      if event not in partner or paired(partner[event], seen):
        partner[event] = alarm
        return True
    return False

  right = sum(paired(alarm, set()) for alarm in alarms)
  return 2 * right / (len(alarms) + len(events))


def found_and_delay(flagged, y, lengths):
  delays = [
    np.flatnonzero(flagged[a : b + 1])[0]
    for a, b in runs(y, lengths)
    if flagged[a : b + 1].any()
  ]
  return len(delays) / len(runs(y, lengths)), np.mean(delays)


def false_alarms(flagged, y, lengths):
  return sum(not y[a : b + 1].any() for a, b in runs(flagged, lengths))


def latency_aware(score, y, lengths):
  events, total, before = runs(y, lengths), 0.0, 0.0
  for limit in np.unique(score)[::-1]:
    flagged = score >= limit
    early = 0.0
    for a, b in events:
      (hits,) = np.nonzero(flagged[a : b + 1])
      early += 1 - hits[0] / (b - a + 1) if len(hits) else 0.0
    recall = early / len(events)
    total += (recall - before) * (flagged & y).sum() / flagged.sum()
    before = recall
  return total


def conformal(score, normal):
  return np.array(
    [(1 + (normal >= s).sum()) / (1 + len(normal)) for s in score]
  )


def discoveries(p, rate):
  """Benjamini and Hochberg: the largest k with p_(k) <= k rate / n."""
  order, k = np.sort(p), 0
  for i, value in enumerate(order):
    if value <= (i + 1) * rate / len(p) + 1e-15:
      k = i + 1
  return p <= order[k - 1] if k else np.zeros(len(p), bool)


def of_videos(score, y, lengths, normal, rate):
  """{name of the metric: value} of scores of videos."""
  limit = np.quantile(normal, 0.95)
  flagged, scaled = score > limit, normalised(score, lengths)
  found, delay = found_and_delay(flagged, y, lengths)
  false = false_alarms(flagged, y, lengths)
  p = conformal(score, normal)
  found_by_p = discoveries(p, 0.1)
  f1s = {k: event_f1(flagged, y, lengths, k / 100) for k in range(10, 51, 10)}
  whole = [
    event_f1(np.ones(len(y), bool), y, lengths, k / 100)
    for k in range(10, 51, 10)
  ]
  at_ratio = top(score, int(y.sum()))
  return {
    'auroc': auroc(score, y),
    'auroc_normalised': auroc(scaled, y),
    'auroc_macro': macro(score, y, lengths),
    'average_precision': average_precision(score, y),
    'average_precision_normalised': average_precision(scaled, y),
    'average_precision_normal': average_precision(-score, ~y),
    'eer': eer(score, y),
    'eer_normalised': eer(scaled, y),
    'base_rate': y.mean(),
    'precision_at_ratio': y[at_ratio].mean(),
    'recall_at_ratio': at_ratio[y].mean(),
    'f1_at_ratio': f1(at_ratio, y),
    'precision_at_normal_quantile': y[flagged].mean(),
    'recall_at_normal_quantile': flagged[y].mean(),
    'f1_at_normal_quantile': f1(flagged, y),
    'false_positive_rate_at_normal_quantile': flagged[~y].mean(),
    'f1_best_oracle': best_f1(score, y),
    'f1_all_positive': f1(np.ones(len(y), bool), y),
    'event_f1': np.mean(list(f1s.values())),
    **{f'event_f1_{k}': value for k, value in f1s.items()},
    'event_f1_all_positive': np.mean(whole),
    'event_recall': found,
    'detection_delay': delay,
    'detection_delay_seconds': delay / rate,
    'false_alarms': 1000 * false / len(y),
    'false_alarms_per_hour': false / (len(y) / rate / 3600),
    'latency_aware_ap': latency_aware(score, y, lengths),
    'recall_at_false_alarm': (p <= 0.05)[y].mean(),
    'false_alarm_rate': (p <= 0.05)[~y].mean(),
    'recall_at_fdr': found_by_p[y].mean(),
    'false_discovery_share': (~y)[found_by_p].mean(),
  }


def interval(score, y, lengths, resamples):
  """Ends of the AUROC over draws of whole videos, by putting them together."""
  rng, count = np.random.default_rng(0), len(lengths)
  drawn = rng.multinomial(count, np.full(count, 1 / count), resamples)
  cuts = np.cumsum(lengths)[:-1]
  parts = list(zip(np.split(score, cuts), np.split(y, cuts)))
  values = []
  for row in drawn:
    chosen = [parts[i] for i in np.repeat(np.arange(count), row)]
    values.append(auroc(*map(np.concatenate, zip(*chosen))))
  return np.quantile(values, (0.025, 0.975))
