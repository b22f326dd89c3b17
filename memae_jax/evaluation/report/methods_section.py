"""Rows of "How it was measured": data, weights, speed, environment."""

from collections.abc import Mapping
from typing import Any

from memae_jax.evaluation.report import wording

Rows = list[tuple[str, str]]

_NAMES = {
  'anomalies': 'anomalies in the test set',
  'anomalies_in_train': 'anomalies that equal a training row',
  'categories_not_in_train': 'categories that a training set lacks',
  'constant_inputs': 'inputs constant in training',
  'duplicate_rows': 'rows that repeat another',
  'false_positive_rate_limit': 'AUPRO is over shares of false alarms up to',
  'feed': 'where samples wait for their step',
  'fleet_steps_per_second': 'training steps per second, all detectors at once',
  'input_wait_fraction': 'share of training spent waiting for samples',
  'label_counts': 'samples of each label',
  'low_precision_inputs': 'inputs that float32 rounds coarsely',
  'note': 'scoring was timed',
  'ranking': 'pixels are ranked',
  'removed_as_equal_to_test': 'training and validation rows left out, as they'
  ' equal a test row',
  'resident_bytes': 'bytes of samples on each device',
  'samples': 'test samples with a known mask',
  'samples_per_second': 'samples scored per second',
  'scored_samples': 'samples scored, over all detectors',
  'scoring_seconds': 'seconds to score them',
  'speed_reason': 'speed of training',
  'test_rows_in_train': 'test rows that equal a training row',
  'test_rows_in_validation': 'test rows that equal a validation row',
  'test_unknown_categories': 'test rows with a category not in training',
  'train_duplicates_removed': 'repeated training rows removed',
  'training_samples_per_second': 'training samples per second, all detectors',
  'training_seconds': 'seconds of training, without pauses',
}
_PARTS = {'train': 'training', 'validation': 'validation', 'test': 'test'}


def _rows(group: Mapping[str, Any]) -> Rows:
  name = lambda key: _NAMES.get(key, key.replace('_', ' '))
  return [
    (name(key), wording.format_value(value)) for key, value in group.items()
  ]


def _share(value: float | None) -> str:
  return 'unknown: no labels' if value is None else wording.share(value)


def _data(data: Mapping[str, Any]) -> Rows:
  dropped = [f'{d["count"]:,}: {d["why"]}' for d in data['dropped']]
  return [
    ('data set', data['name']),
    ('protocol', data['protocol']),
    ('normal', wording.format_value(data['normal'])),
    ('samples', wording.format_value(data['num_samples'])),
    ('dropped before that', '; '.join(dropped) or 'none'),
    ('read as', '; '.join(data['remarks']) or 'it is'),
    *(
      (
        f'{name} samples of a detector',
        wording.format_value(data['split'][part]),
      )
      for part, name in _PARTS.items()
    ),
    ('anomalous share of the test set', _share(data['base_rate'])),
    *_rows(data['notes']),
    ('sha256 of the data', data['data_sha256']),
    ('sha256 of the labels', data['label_sha256']),
  ]


def _weights(checkpoint: Mapping[str, Any]) -> Rows:
  return [
    ('step', wording.format_value(checkpoint['step'])),
    ('weights', wording.weights(checkpoint)),
  ]


def _environment(environment: Mapping[str, Any]) -> Rows:
  facts = {k: v for k, v in environment.items() if k != 'training'}
  peak = facts.pop('peak_memory', None)
  rows = _rows(facts)
  if peak:
    gib = lambda count: f'{count / 2**30:.2f} GiB'
    device, why = peak['device_bytes'], peak['device_reason']
    rows.append(('peak memory of the host', gib(peak['host_bytes'])))
    rows.append(('peak memory of a device', gib(device) if device else why))
  return rows


def sections(results: Mapping[str, Any]) -> list[tuple[str, Rows]]:
  """Returns headings, each with rows of a name and a text.

  Args:
    results: the content of `results.json`.
  """
  baselines = [
    (wording.label(name), note)
    for name, note in results['baseline_notes'].items()
  ]
  parts = [
    ('Data', _data(results['dataset'])),
    (
      'Score and weights',
      _rows(results['score']) + _weights(results['checkpoint']),
    ),
    ('Error maps', _rows(results['error_maps'] or {})),
    ('Speed', _rows(results['throughput'])),
    ('Baselines, as fitted for the first run', baselines),
    ('Environment', _environment(results['environment'])),
    (
      'Environment of the training',
      _environment(results['environment'].get('training') or {}),
    ),
  ]
  return [(heading, rows) for heading, rows in parts if rows]
