"""What the results stand on: data, protocol, score and speed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax import losses
from memae_jax.data.videos import clips
from memae_jax.evaluation.metrics import pixels
from memae_jax.evaluation.scoring import contrast
from memae_jax.training import experiment

_SECOND = {
  'name': contrast.METRIC,
  'definition': 'log error minus slope times log variance of the raw image;'
  ' the slope is fitted by least squares on the validation normals',
  'direction': 'higher is more anomalous',
  'normalisation': 'by the contrast of the image',
}
_DESCRIPTION = {
  'one_class': 'Of each normal class, {train_fraction} train'
  ' ({validation_fraction} of them held out for validation) and'
  ' the rest are tested, with anomalies drawn from the other classes as'
  ' {anomaly_fraction} of the test set.',
  'official': 'The normals of the official training set train'
  ' ({validation_fraction} of them held out for validation); the'
  ' whole official test set is tested.',
  'random_rows': '{train_fraction} of all rows, at random for each'
  ' seed, are the training half: its normals train'
  ' ({validation_fraction} of them held out for validation), its'
  ' anomalies are left out. All other rows are the test set.',
  'given': 'The source brings its own test set; its training normals train'
  ' ({validation_fraction} of them held out for validation).',
}
_SHARES = ('train_fraction', 'validation_fraction', 'anomaly_fraction')
_LONGEST_GAP = 10  # In median gaps between log events.
_LEAST_GAPS = 3
_TOO_SHORT = 'too few log events to tell the speed of training'


def percent(value: float) -> str:
  """Writes a share that somebody chose: 95%, 66.7% or 99.95%."""
  text = f'{100 * value:.3g}'
  return f'{100 * value:.10g}%' if text in ('0', '100') else f'{text}%'


def _spread(values: Sequence[int]) -> dict[str, int]:
  return {'min': int(min(values)), 'max': int(max(values))}


def _over_splits(values: Sequence[Any]) -> Any:
  """One value for a note of all splits: theirs if they agree.

  Else the range of numbers, the union of lists, and both inside mappings.
  """
  first = values[0]
  if all(value == first for value in values):
    return first
  if isinstance(first, Mapping):
    keys = dict.fromkeys(key for value in values for key in value)
    return {k: _over_splits([v.get(k, 0) for v in values]) for k in keys}
  if isinstance(first, (list, tuple)):
    return list(dict.fromkeys(item for value in values for item in value))
  if isinstance(first, (int, np.integer)):
    return _spread(values)
  return list(dict.fromkeys(values))


def dataset(exp: experiment.Experiment) -> dict[str, Any]:
  """The facts about data and protocol."""
  config, source, splits = exp.config.data, exp.source, exp.splits
  sizes = {
    'train': _spread([len(s.train) for s in splits]),
    'validation': _spread([len(s.validation) for s in splits]),
    'test': _spread([len(s.test) for s in splits]),
  }
  notes = {
    key: _over_splits([split.notes[key] for split in splits])
    for key in splits[0].notes
    if key not in sizes
  }
  found = {**source.notes, **notes}
  description = _DESCRIPTION[config.protocol].format(
    **{key: percent(config[key]) for key in _SHARES}
  )
  if config.max_samples:
    description += (
      f' All of it is a random subset of {config.max_samples:,} samples.'
    )
  if exp.trained_on:
    description += (
      ' These are not the data of the training: what is said to train here'
      ' only fits the threshold and the baselines.'
    )
  if not source.labelled:
    found.pop('label_counts', None)
  return {
    'name': source.name,
    'protocol': config.protocol,
    'description': description,
    'split': sizes,
    'normal': [source.label_names[i] for i in source.normal_labels]
    or 'the normal class of each replica',
    'num_samples': len(source.inputs),
    'num_dropped': sum(d['count'] for d in source.dropped),
    'dropped': list(source.dropped),
    'base_rate': float(np.mean([np.mean(s.anomalous) for s in splits]))
    if source.labelled
    else None,
    'labelled': source.labelled,
    'notes': found,
    'remarks': list(source.remarks),
    'warnings': list(exp.warnings),
    'trained_on': exp.trained_on,
    **exp.identity,
  }


def score(exp: experiment.Experiment) -> dict[str, Any]:
  """What the anomaly score is; images have a second one."""
  rule, videos = exp.rule, exp.source.videos
  found = {
    'name': rule,
    'definition': losses.find(rule).definition,
    'direction': 'higher is more anomalous',
    'normalisation': 'none',
  }
  if videos:
    frame = clips.centre(exp.config.data)
    found['normalisation'] = (
      'none; metrics named so: to [0, 1] in each video, over its scored frames'
    )
    found['frame'] = f'the score of a clip belongs to its frame {frame}, from 0'
    found['smoothing'] = 'none'
  return found | ({'second': _SECOND} if exp.source.has_images else {})


def error_maps(exp: experiment.Experiment) -> dict[str, Any] | None:
  """What the metrics of pixels stand on; None without masks."""
  if exp.source.masks is None:
    return None
  known = [int(exp.source.has_mask[split.test].sum()) for split in exp.splits]
  pixel_count = max(known) * math.prod(exp.source.masks.shape[1:])
  return {
    'definition': f'{losses.find(exp.rule).of_pixels}; not smoothed'
    + ('; of the scored frame of a clip' if exp.source.videos else ''),
    'samples': _spread(known),
    'ranking': pixels.method(pixel_count),
    'false_positive_rate_limit': pixels.FPR_LIMIT,
  }


def training_speed(
  exp: experiment.Experiment, events: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
  """The feed, and the median speed between log events: without compilation.

  `training_seconds` is the sum of the gaps between consecutive train events,
  none counted as more than `_LONGEST_GAP` median gaps: the pause between a
  kill and the resume is no training. Of fewer than `_LEAST_GAPS` the median
  would be that of a gap in which something compiles or is saved: there
  `speed_reason` stands in place of numbers.
  """
  feed = {
    'feed': exp.programs.name,
    'resident_bytes': exp.programs.resident_bytes,
  }
  train = [e for e in events if e['split'] == 'train']
  waits = [
    e['input_wait_fraction'] for e in train if 'input_wait_fraction' in e
  ]
  if waits:
    feed['input_wait_fraction'] = float(np.median(waits))
  speeds = [
    (b['step'] - a['step']) / (b['time'] - a['time'])
    for a, b in zip(train, train[1:])
    if b['time'] - a['time'] > 1e-6
  ]
  if len(speeds) < _LEAST_GAPS:
    return feed | {'speed_reason': _TOO_SHORT}
  steps = float(np.median(speeds))
  gaps = np.maximum(np.diff([e['time'] for e in train]), 0)
  seconds = np.minimum(gaps, _LONGEST_GAP * np.median(gaps)).sum()
  each = exp.config.train.batch_size * len(exp.replicas)
  return feed | {
    'fleet_steps_per_second': steps,
    'training_samples_per_second': steps * each,
    'training_seconds': float(seconds),
  }
