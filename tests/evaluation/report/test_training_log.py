"""Curves of a training log, however damaged it is."""

import json
import random

import numpy as np

from memae_jax.evaluation.report import training_log
from memae_jax.runtime import errors, metrics_log
from tests import finished, mutants


def test_mutants_of_the_log(tmp_path):
  path, rng = tmp_path / 'metrics.jsonl', random.Random(3)
  lines = [json.dumps(event) + '\n' for event in finished.events()]
  replicas = [finished.replica(v, s) for v in ('memae', 'ae') for s in (0, 1)]
  for number in range(mutants.COUNT):
    if number % 2:
      data = mutants.of_bytes(''.join(lines).encode(), rng)
    else:
      mine = [*lines]
      at = rng.randrange(len(mine))
      event = mutants.of_value(json.loads(mine[at]), rng)
      mine[at] = json.dumps(event) + '\n'
      data = ''.join(mine).encode()
    path.write_bytes(data)
    try:
      events = metrics_log.read_events(path)
    except errors.UserError as error:
      assert 'metrics.jsonl line ' in str(error) and '\n' not in str(error)
      continue
    training_log.curves(events, replicas)
    whole = [line for line in data.rstrip(b'\0').splitlines()]
    alone = [json.loads(line) for line in whole[: len(events)]]
    assert events == alone and len(whole) - len(events) <= 1
    metrics_log.MetricsWriter(tmp_path, 5).close()
    assert all(e['step'] <= 5 for e in metrics_log.read_events(path))


def test_curves_of_a_fleet():
  memae = [finished.replica('memae', seed) for seed in (0, 1)]
  ae = finished.replica('ae', 0)
  event = lambda step, split, **values: {
    'step': step,
    'split': split,
    'loss': 9.0,  # The mean over the fleet is not a curve.
    'replicas': values,
  }
  curves = training_log.curves(
    [
      event(0, 'train', loss=[1.0, 2.0, 3.0]),
      event(0, 'validation', dead_read_rate=[None, None, None]),
      event(1, 'train', loss=[0.5, float('nan'), 1.0], mean_kept=[4, 5, None]),
      event(1, 'validation', mean_kept=[6, 7, None]),
    ],
    [*memae, ae],
  )
  assert list(curves) == ['loss', 'mean_kept']
  assert list(curves['loss']) == ['memae', 'ae']
  steps, table = curves['loss']['memae']
  np.testing.assert_array_equal(steps, [0, 1])
  np.testing.assert_array_equal(table, [[1, 2], [0.5, np.nan]])
  np.testing.assert_array_equal(curves['loss']['ae'][1], [[3], [1]])
  # One curve, not a mixture of two splits; none of what has no memory.
  assert list(curves['mean_kept']) == ['memae']
  np.testing.assert_array_equal(curves['mean_kept']['memae'][1], [[6, 7]])


def test_curves_of_a_lone_replica_are_numbers():
  replicas = [finished.replica('memae', 0)]
  events = [
    {'step': 0, 'split': 'train', 'loss': 2.0},
    {'step': 5, 'split': 'train', 'loss': 1.0, 'dead_read_rate': 0.5},
  ]
  curves = training_log.curves(events, replicas)
  assert list(curves) == ['loss', 'dead_read_rate']
  steps, table = curves['loss']['memae']
  np.testing.assert_array_equal(steps, [0, 5])
  np.testing.assert_array_equal(table, [[2], [1]])
  assert training_log.curves((), replicas) == {}
