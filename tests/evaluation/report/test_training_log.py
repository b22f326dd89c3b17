"""Curves of a training log, however damaged it is."""

import json
import random

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
