"""Figures of the report that the results can fill, with their captions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.metrics import intervals, registry
from memae_jax.evaluation.report import (
  picture_figures,
  tables,
  training_log,
  wording,
)
from memae_jax.evaluation.report.figure import Figure
from memae_jax.evaluation.report.plots import (
  comparison,
  detection,
  embedding,
  memory,
  money,
  training,
  video,
)
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import scores


def draw(
  results: Mapping[str, Any],
  replicas: Sequence[scores.ReplicaScores],
  logs: Sequence[training_log.Log] = (),
  source_columns: Sequence[types.Column] = (),
  baseline_scores: Sequence[scores.ReplicaScores] = (),
  shown: scores.Pictures | None = None,
) -> list[Figure]:
  """Returns the figures that these results can fill, in reading order.

  Args:
    results: the content of `results.json`.
    replicas: the scores of each network.
    logs: the log events of each family, and its replicas.
    source_columns: columns of a table; empty for other samples.
    baseline_scores: scores of baselines on the same samples, whose
      `fields['variant']` is the baseline's name; they join the curves.
    shown: pictures that are of several replicas.
  """
  shown = shown or scores.Pictures()
  return [
    *picture_figures.worst(results, replicas),
    *_comparisons(results),
    *_detection(results, replicas, baseline_scores),
    *_money(results),
    *_curves(results, replicas),
    *picture_figures.draw(results, replicas, shown),
    *_slots(replicas, source_columns),
    *_usage(replicas),
    *_embeddings(shown.embeddings),
    *_training(logs),
    *_history(results, replicas),
  ]


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
  first = [r for r in scores.firsts(replicas).values() if r.score.size]
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


def _money(results) -> Iterator[Figure]:
  """Draws what alarms catch where samples are payments."""
  facts = results.get('money')
  if facts:
    fixed = results['config']['eval']['alarms_per_day']
    yield Figure(
      'money',
      'results',
      'What do alarms catch, in money?',
      'The highest scores of the test set raise an alarm, as many per day as'
      ' the axis says; lines are means over the runs of a method. Left: the'
      ' amount of the frauds among them, as a share and as a sum. Right: how'
      ' many frauds they are. Grey lines need no detector: the bound (all'
      ' frauds first, the largest of them first), the largest amounts first,'
      f' and guessing. Dashed: {fixed:,} alarms per day, which were set.',
      money.cost_curves(facts, fixed),
    )


def _curves(results, replicas) -> Iterator[Figure]:
  """Draws the scores of the frames of each test video over time."""
  for variant, replica in scores.firsts(replicas).items():
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


def _slots(replicas, columns) -> Iterator[Figure]:
  for variant, replica in scores.firsts(replicas).items():
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
    for variant, replica in scores.firsts(replicas).items()
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


def _embeddings(shown: Sequence[scores.Embedding]) -> Iterator[Figure]:
  if shown:
    yield Figure(
      'embedding',
      'memory',
      'Where do the slots lie among what they are compared with?',
      'Queries of test samples (at most 1,500, evenly spaced) and slots, as a'
      ' read compares them, by the first two principal components of both; the'
      ' axes say which share of the spread these show, and what is apart in the'
      ' others may seem close. A query near a slot is read from it: anomalous'
      ' ones there are taken for normal. Slots far from all queries are of no'
      ' use.',
      embedding.draw(shown),
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
