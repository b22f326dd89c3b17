"""Descriptions for the results: data, protocol, score and speed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.data.videos import clips
from memae_jax.evaluation.metrics import defect_area, pixels
from memae_jax.evaluation.results import published
from memae_jax.evaluation.scoring import clip_scores, contrast
from memae_jax.evaluation.scoring import error_maps as maps_lib
from memae_jax.training import experiment

_SECOND = {
  'name': contrast.METRIC,
  'definition': 'log error minus slope times log variance of the raw image;'
  ' the slope is fitted by least squares on the validation normals',
  'direction': 'higher is more anomalous',
  'normalisation': 'by the contrast of the image',
}
_DESCRIPTION = {
  'one_class': '{train_fraction} of the samples of each normal class train'
  ' ({validation_fraction} of them held out for validation); the rest are'
  ' tested. Anomalies drawn from the other classes make up'
  ' {anomaly_fraction} of the test set.',
  'official': 'The normals of the official training set train'
  ' ({validation_fraction} of them held out for validation); the'
  ' whole official test set is tested.',
  'random_rows': '{train_fraction} of all rows, at random for each'
  ' seed, are the training half: its normals train'
  ' ({validation_fraction} of them held out for validation), its'
  ' anomalies are left out. All other rows are the test set.',
  'given': 'The data set has its own test set; its training normals train'
  ' ({validation_fraction} of them held out for validation).',
  'all': 'All samples train ({validation_fraction} of them held out for'
  ' validation); none is tested.',
  'alone': 'There is no training set: each test picture trains on itself, and'
  ' each block of it is foretold from the rest. Labels serve metrics alone.',
}
_SHARES = ('train_fraction', 'validation_fraction', 'anomaly_fraction')
_LONGEST_GAP = 10  # Multiple of the median gap between log events.
_LEAST_GAPS = 3
_TOO_SHORT = 'too few log events to tell the speed of training'


def percent(value: float) -> str:
  """Writes a share as it was set, such as 95%, 66.7% or 99.95%."""
  text = f'{100 * value:.3g}'
  return f'{100 * value:.10g}%' if text in ('0', '100') else f'{text}%'


def _spread(values: Sequence[int]) -> dict[str, int]:
  return {'min': int(min(values)), 'max': int(max(values))}


def over_splits(values: Sequence[Any]) -> Any:
  """Joins a note that each split has into one.

  Args:
    values: the note of each split.

  Returns:
    The value if all agree, else the range of numbers, the union of lists, or
    for mappings one of these for each key.
  """
  first = values[0]
  if all(value == first for value in values):
    return first
  if isinstance(first, Mapping):
    keys = dict.fromkeys(key for value in values for key in value)
    return {k: over_splits([v.get(k, 0) for v in values]) for k in keys}
  if isinstance(first, (list, tuple)):
    return list(dict.fromkeys(item for value in values for item in value))
  if isinstance(first, (int, np.integer)):
    return _spread(values)
  return list(dict.fromkeys(values))


def dataset(exp: experiment.Experiment) -> dict[str, Any]:
  """Describes data and protocol: the `dataset` of `results.json`."""
  config, source, splits = exp.config.data, exp.source, exp.splits
  sizes = {
    'train': _spread([len(s.train) for s in splits]),
    'validation': _spread([len(s.validation) for s in splits]),
    'test': _spread([len(s.test) for s in splits]),
  }
  notes = {
    key: over_splits([split.notes[key] for split in splits])
    for key in splits[0].notes
    if key not in sizes
  }
  notes = {**source.notes, **notes}
  description = _DESCRIPTION[config.protocol].format(
    **{key: percent(config[key]) for key in _SHARES}
  )
  if config.pollution:
    description += (
      f' Then {percent(config.pollution)} of the samples for training and'
      ' validation are anomalies that are added as normals.'
    )
  if config.unique:
    description += ' Of samples that equal each other only one is kept.'
  if config.max_samples:
    description += (
      f' All this is done on a random subset of {config.max_samples:,} samples.'
    )
  if exp.trained_on:
    description += (
      ' These are not the data of the training: the samples that train here'
      ' only fit the threshold and the baselines.'
    )
  if not source.labelled:
    notes.pop('label_counts', None)
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
    'notes': notes,
    'remarks': list(source.remarks),
    'warnings': list(exp.warnings),
    'trained_on': exp.trained_on,
    **exp.identity,
  }


def score(exp: experiment.Experiment) -> dict[str, Any]:
  """Describes the anomaly score, and the second one that images have."""
  rule, videos = exp.rule, exp.source.videos
  facts = {
    'name': rule,
    'definition': losses.find(rule).definition,
    'direction': 'higher is more anomalous',
    'normalisation': 'none',
  }
  if rule in losses.COMBINED:
    options = exp.config.eval
    shares = options.shares or (1.0,) * len(options.parts)
    facts['parts'] = dict(zip(options.parts, shares))
  if videos:
    data = config_lib.data_of(exp.config)
    frame = clips.centre(data)
    facts['normalisation'] = (
      'none; in metrics that are named so, to [0, 1] within each video, over'
      ' its scored frames'
    )
    facts['frame'] = f'the score of a clip belongs to its frame {frame}, from 0'
    facts['smoothing'], smooth = 'none', exp.config.eval.smooth
    if smooth:
      facts['smoothing'] = (
        f'Gaussian of {smooth:g} frames over the scored frames of a video, of'
        ' every rule and every row alike'
      )
    facts['look_ahead_frames'] = clips.look_ahead(
      data
    ) + clip_scores.smoothing_reach(smooth)
  if exp.source.has_images and losses.find(rule).errors is not None:
    facts['second'] = _SECOND
  return facts


def error_maps(exp: experiment.Experiment) -> dict[str, Any] | None:
  """Describes the maps that metrics of pixels rank; None without masks."""
  if exp.source.masks is None:
    return None
  counts = [int(exp.source.has_mask[split.test].sum()) for split in exp.splits]
  pixel_count = max(counts) * math.prod(exp.source.masks.shape[1:])
  rule = losses.find(exp.map_rule)
  return {
    'definition': rule.of_pixels
    + ('; not smoothed' if rule.errors is not None else '')
    + ('; of the scored frame of a clip' if exp.source.videos else ''),
    'samples': _spread(counts),
    'ranking': pixels.method(pixel_count),
    'false_positive_rate_limit': pixels.FPR_LIMIT,
  }


def defects(exp: experiment.Experiment) -> dict[str, Any] | None:
  """Describes the metrics by area; None where there are none.

  Areas are in pixels, by the end of the names of their metrics.
  """
  share = maps_lib.defect_share(exp.source, exp.config.eval)
  if not share:
    return None
  height, width = exp.source.inputs.shape[1:3]
  return {
    'area_share': share,
    'picture': [height, width],
    'areas': defect_area.areas((height, width), share),
    'validation': _spread([len(split.validation) for split in exp.splits]),
    'published': published.defects(exp.config),
  }


def training_speed(
  exp: experiment.Experiment, events: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
  """Describes the feed and the speed of training, without compilation.

  Args:
    exp: the experiment.
    events: of its training log.

  Returns:
    The median speed between log events, and `training_seconds`: the sum of the
    gaps between consecutive train events, where none counts as more than
    `_LONGEST_GAP` median gaps, since the pause between a kill and the resume is
    no training. With fewer than `_LEAST_GAPS` gaps the median could be one in
    which something compiles or is saved, so `speed_reason` stands in place of
    the numbers.
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
  samples = exp.config.train.batch_size * len(exp.replicas)  # Of a step.
  return feed | {
    'fleet_steps_per_second': steps,
    'training_samples_per_second': steps * samples,
    'training_seconds': float(seconds),
  }
