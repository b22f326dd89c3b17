"""Figures of the report that the results can fill, with their captions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.metrics import intervals, registry
from memae_jax.evaluation.report import tables, training_log, wording
from memae_jax.evaluation.report.figure import Figure
from memae_jax.evaluation.report.plots import (
  comparison,
  detection,
  images,
  memory,
  odd_inputs,
  training,
  video,
)
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import scores

_REBUILT = (
  'A good model rebuilds normal samples and fails on anomalous ones: the error,'
  ' in squared units of the [0, 1] range, is bright where they differ. Below'
  ' it: the score, in units of the model input.'
)
_MAPPED = (
  'This method reconstructs nothing; its error map says how much each pixel'
  ' adds to the score. A good model has bright maps only where something is'
  ' anomalous; all of them have one scale. Below each map: the score.'
)


def draw(
  results: Mapping[str, Any],
  replicas: Sequence[scores.ReplicaScores],
  logs: Sequence[training_log.Log] = (),
  source_columns: Sequence[types.Column] = (),
  baseline_scores: Sequence[scores.ReplicaScores] = (),
  other_classes: Sequence[scores.OtherClasses] = (),
  frame_strips: Mapping[str, scores.Gallery] | None = None,
) -> list[Figure]:
  """Returns the figures that these results can fill, in reading order.

  Args:
    results: the content of `results.json`.
    replicas: the scores of each network.
    logs: the log events of each family, and its replicas.
    source_columns: columns of a table; empty for other samples.
    baseline_scores: scores of baselines on the same samples, whose
      `fields['variant']` is the baseline's name; they join the curves.
    other_classes: samples of classes that the networks never saw.
    frame_strips: frames of one video, by name of the replica.
  """
  return [
    *_worst(results, replicas),
    *_comparisons(results),
    *_detection(results, replicas, baseline_scores),
    *_curves(results, replicas),
    *_strips(results, replicas, frame_strips or {}),
    *_galleries(results, replicas),
    *_other_classes(other_classes),
    *_odd_inputs(results, replicas),
    *_slots(replicas, source_columns),
    *_usage(replicas),
    *_training(logs),
    *_history(results, replicas),
  ]


def _first(replicas) -> dict[str, scores.ReplicaScores]:
  """Returns the first replica by name of each variant, by variant."""
  names = scores.first_names((r.fields['variant'], r.name) for r in replicas)
  by_name = {replica.name: replica for replica in replicas}
  return {by_name[name].fields['variant']: by_name[name] for name in names}


def _worst(results, replicas) -> Iterator[Figure]:
  """Draws the sample with the highest score, for the head of the page."""
  flags = results['flags'].get(results['headline'])
  gallery = _first(replicas)[results['headline']].gallery
  if flags is None or gallery is None or gallery.sample is None:
    return
  (places,) = np.nonzero(np.equal(gallery.sample, flags['sample']))
  if places.size:
    yield Figure(
      'worst',
      'first',
      'The sample with the highest score',
      'The error map is bright where the method sees an anomaly.'
      if gallery.reconstructions is None
      else 'The error is bright where the network fails to rebuild the sample.',
      images.one_sample(gallery, int(places[0])),
      vector=False,
    )


def _section(results, variant: str) -> str:
  """Returns 'errors' for the headline, before the tables, else 'pictures'."""
  return 'errors' if variant == results['headline'] else 'pictures'


def _comparisons(results) -> Iterator[Figure]:
  """Draws metrics with their spread: by run, by class and over sweeps."""
  summaries = tables.methods(results)
  summaries.pop('random', None)  # It would squeeze all others into a corner.
  metrics = [
    m for m in registry.names('headline') if tables.defined(summaries, m)
  ][:4]
  auroc = wording.title('auroc')
  values, classes = tables.units(results), results['averaged_classes']
  several = any(len(v) > 1 for group in values.values() for v in group.values())
  if metrics and several:
    yield Figure(
      'replicas',
      'results',
      'How much do the runs differ?',
      f'A pale dot is {_unit(classes)}, the large mark the mean over them'
      + (
        ', and the bar its 95% interval. Where two bars overlap widely, the'
        ' order of the means says little: paired differences say more.'
        if intervals.has_interval(summaries, metrics)
        else '. Two dots make no interval.'
      )
      + ' Random scores are left out.',
      comparison.metric_dots(
        values, summaries, {m: wording.title(m) for m in metrics}
      ),
    )
  numbers = {r['fields'].get('normal_class') for r in results['replicas']}
  names = dict(zip(sorted(numbers - {None}), results['classes']))
  by_class = {
    variant: {names.get(k, str(k)): v for k, v in sorted(aurocs.items())}
    for variant, aurocs in tables.by_field(results, 'normal_class').items()
  }
  if len({k for v in by_class.values() for k in v}) > 1:
    yield Figure(
      'classes',
      'results',
      'Which normal class is hard?',
      'One row for each class that was taken as normal; all other classes'
      ' are anomalous there. A dot is one run. A mean over classes hides'
      ' this spread.',
      comparison.class_dots(by_class, auroc),
    )
  for field, meaning in wording.SWEPT.items():
    points = {
      variant: [(x, y) for x, ys in values.items() for y in ys]
      for variant, values in tables.by_field(results, field).items()
      if len(values) > 1
    }
    if points:
      yield Figure(
        f'sweep_{field}',
        'results',
        f'How much does {meaning} matter?',
        f'AUROC against {meaning}. A dot is one run, the line joins the means.',
        comparison.sweep(points, meaning.removeprefix('the '), auroc),
      )


def _unit(classes: int) -> str:
  """Says what a dot is: a run, or a mean over a number of classes."""
  if classes:
    return f'the mean over the {classes} classes of one seed'
  return 'one trained detector'


def _detection(results, replicas, baseline_scores) -> Iterator[Figure]:
  """Draws how well the scores separate: curves and distributions."""
  groups: dict[str, list[scores.ReplicaScores]] = {}
  for replica in (*replicas, *baseline_scores):
    if replica.anomalous.any() and not replica.anomalous.all():
      groups.setdefault(replica.fields['variant'], []).append(replica)
  if groups:
    rates = [r.anomalous.mean() for group in groups.values() for r in group]
    yield Figure(
      'curves',
      'results',
      'What does catching more anomalies cost?',
      'Each curve is the mean over the runs of that method. Left: the share'
      ' of anomalies that are caught over the share of normals that raise a'
      ' false alarm (towards the upper left is better). Right: the share of'
      ' alarms that are true over the share of anomalies that are caught'
      ' (towards the upper right is better). Thin grey lines are guessing.',
      detection.detection_curves(groups, float(np.mean(rates))),
    )
  first = [r for r in _first(replicas).values() if r.score.size]
  if first:
    yield Figure(
      'distributions',
      'results',
      'Do normal and anomalous scores separate?',
      'One run of each method: the first by name, not the best. Heights are'
      ' shares of their own kind, so rare anomalies stay visible. The dashed'
      ' line is a threshold that could be set without any label.',
      detection.score_distributions(
        first, results['config']['eval']['normal_quantile']
      ),
    )


def _curves(results, replicas) -> Iterator[Figure]:
  """Draws the scores of the frames of each test video over time."""
  for variant, replica in _first(replicas).items():
    if replica.frames is not None:
      quantile = results['config']['eval']['normal_quantile']
      below = describe.percent(quantile)
      yield Figure(
        f'videos_{variant}',
        'results',
        f'When does {wording.label(variant)} see something?',
        f'Run {replica.name}, the first by name. The score of each frame of'
        ' the first 24 test videos, not normalised; anomalous frames are'
        f' shaded. Dashed: the {below} quantile of the validation normals, a'
        ' threshold that needs no label. The line has gaps where frames have'
        ' no score: they are the centre of no clip, or were left out. A frame'
        ' between two of these is a dot.',
        video.score_curves(replica.frames, replica.threshold(quantile)),
      )


def _outlined(gallery: scores.Gallery) -> str:
  """Says where the masks of a gallery are drawn, if it has any."""
  if gallery.masks is None:
    return ''
  row = 'map' if gallery.reconstructions is None else 'reconstruction'
  return f' Outlined in the {row}: the true mask.'


def _strips(results, replicas, strips) -> Iterator[Figure]:
  for variant, replica in _first(replicas).items():
    if replica.name in strips:
      yield Figure(
        f'strip_{variant}',
        _section(results, variant),
        f'What does {wording.label(variant)} make of a video?',
        f'Run {replica.name}: frames of one test video, evenly spaced in time;'
        ' those with orange titles are anomalous. Below each frame: its score.'
        + _outlined(strips[replica.name]),
        images.sample_gallery(strips[replica.name]),
        vector=False,
      )


def _galleries(results, replicas) -> Iterator[Figure]:
  for variant, replica in _first(replicas).items():
    if replica.gallery is not None and len(replica.gallery.score):
      yield Figure(
        f'gallery_{variant}',
        _section(results, variant),
        f'What does {wording.label(variant)} make of a sample?',
        f'Run {replica.name}, the first by name. '
        + (_MAPPED if replica.gallery.reconstructions is None else _REBUILT)
        + _outlined(replica.gallery),
        images.sample_gallery(replica.gallery),
        vector=False,
      )


def _other_classes(other_classes) -> Iterator[Figure]:
  # Numbered, since a label may be no file name.
  for number, samples in enumerate(other_classes):
    yield Figure(
      f'other_classes_{number}',
      'pictures',
      f'What becomes of other classes, where "{samples.normal}" is normal?',
      f'Networks trained on class "{samples.normal}" alone. Each column is the'
      ' first test sample of another class, which stands above it; below it are'
      ' its reconstructions with their scores. A network that copies what it'
      ' never saw cannot tell it from normal; a memory should turn it into the'
      ' normal class (Figure 4 of the paper).',
      images.other_classes(samples),
      vector=False,
    )


def _odd_inputs(results, replicas) -> Iterator[Figure]:
  """Draws pictures of no class; methods that were shown the same together."""
  same: dict[bytes, list[scores.ReplicaScores]] = {}
  for replica in _first(replicas).values():
    if replica.odd is not None:
      same.setdefault(replica.odd.inputs.tobytes(), []).append(replica)
  quantile = results['config']['eval']['normal_quantile']
  for number, shown in enumerate(same.values()):
    yield Figure(
      f'odd_inputs_{number}',
      'pictures',
      'What can they not reconstruct?',
      f'Runs {", ".join(r.name for r in shown)}. Above: the first test samples'
      ' of some classes, normal ones with blue titles. Below: pictures of no'
      ' class. Scores of reconstructions are orange above the'
      f' {describe.percent(quantile)} quantile of the validation normals: what'
      ' is rebuilt well cannot be told from normal, whatever it is.',
      odd_inputs.draw(shown, quantile),
      vector=False,
    )


def _slots(replicas, columns) -> Iterator[Figure]:
  for variant, replica in _first(replicas).items():
    decoded, usage = replica.decoded_slots, replica.usage
    if decoded is None or usage is None:
      continue
    count = min(50, len(decoded))
    which = 'All' if count == len(decoded) else 'The most used of the'
    caption = (
      f'Run {replica.name}, the first by name. {which} {len(decoded):,} slots,'
      ' each passed through the decoder, with the share of the addressing'
      ' weight of the test set that falls on it, most used first.'
    )
    if decoded.ndim == 4:
      figure = memory.slot_images(decoded, usage, count)
      caption += ' They should look like the normal class, and differ.'
    else:
      table = np.reshape(decoded, (len(decoded), -1))
      figure = memory.slot_table(table, usage, columns, count)
      caption += (
        ' A column is one input; numeric inputs are coloured between their'
        ' lowest and highest value over the slots (the middle colour: the'
        ' same in every slot), categories from 0 to 1, between white lines.'
        ' Rows that look alike are slots that the model does not need.'
      )
    yield Figure(
      f'slots_{variant}',
      'pictures',
      f'What do the slots of {wording.label(variant)} hold?',
      caption,
      figure,
      vector=False,
    )


def _usage(replicas) -> Iterator[Figure]:
  usages = {
    variant: replica.usage
    for variant, replica in _first(replicas).items()
    if replica.usage is not None
  }
  if usages:
    yield Figure(
      'usage',
      'memory',
      'Is the memory used?',
      'Share of the addressing weight of the test set that falls on each'
      ' slot, for the first run by name of each method. The dashed line is'
      ' equal use; red marks slots that no read touches. A few tall bars'
      ' mean that a smaller memory would do.',
      memory.slot_usage(usages),
    )


def _training(logs) -> Iterator[Figure]:
  panels: dict[str, dict] = {}
  for log in logs:
    for panel, lines in training_log.curves(*log).items():
      panels.setdefault(panel, {}).update(lines)
  if panels:
    yield Figure(
      'training',
      'training',
      'Did training settle?',
      'Line: mean over the runs of a method; band: their range. In a dead'
      ' read no slot survives the threshold; where more than half of the'
      ' reads are dead (dashed line), the memory mostly returns zeros.',
      training.training_curves(
        panels, {k: title for k, (title, _, _) in training_log.PANELS.items()}
      ),
    )


def _history(results, replicas) -> Iterator[Figure]:
  history = results.get('course')
  if not history:
    return
  steps = np.asarray(history['steps'])
  variants = [replica.fields['variant'] for replica in replicas]
  curves = {}
  for metric in [key for key in history if key != 'steps']:
    values = np.asarray(history[metric], np.float64)  # None becomes NaN.
    if np.isfinite(values).any():
      curves[metric] = {
        variant: (steps, values[:, [v == variant for v in variants]])
        for variant in dict.fromkeys(variants)
      }
  if curves:
    yield Figure(
      'course',
      'training',
      'How did detection change over training?',
      'Metrics on the test set at each kept checkpoint. Line: mean over the'
      ' runs of a method; band: their range. To look at only: nothing was'
      ' chosen by these curves.',
      training.training_curves(curves, {m: wording.title(m) for m in curves}),
    )
