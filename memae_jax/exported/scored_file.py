"""Scores of a file of samples by an exported scorer, as csv text."""

from typing import Any, NamedTuple

import numpy as np

from memae_jax import conformal
from memae_jax.exported import alarms, by_column, hourly
from memae_jax.runtime import errors, spreadsheet


class Rates(NamedTuple):
  """Rates of alarms, see `alarms.flags` and `hourly`; or by the threshold."""

  false_alarm: float | None = None
  fdr: float | None = None
  alarms_per_hour: float | None = None


THRESHOLD = Rates()


class Scored(NamedTuple):
  """Scores of a file.

  text: csv, a row for each sample. flagged, total: counts of samples. columns:
  csv of what each column adds, or ''. alarms: how many, at a rate per hour.
  """

  text: str
  flagged: int
  total: int
  columns: str = ''
  alarms: int = 0


def score(
  scorer: Any,
  path: str,
  columns: int = 0,
  each: bool = False,
  rates: Rates = THRESHOLD,
) -> Scored:
  """Scores a file or folder of samples.

  Args:
    scorer: a `scorer.Scorer`.
    path: of the samples.
    columns: how many of the columns that add most to a score stand beside it.
    each: also say what each column adds.
    rates: of alarms; with one p-values stand beside the scores.

  Raises:
    UserError: the samples cannot be read, or do not fit the scorer; or its
      score is no sum over columns.
  """
  if columns or each:
    by_column.check(scorer.meta)
  places, samples = scorer.read_places(path)
  names, whole = scorer.columns, ''
  if columns or each:
    found = scorer.explain(samples)
    scores = found['score']
    added = by_column.added(scorer.meta, found['errors'])
    whole = by_column.as_csv(places, scores, added, names) if each else ''
  else:
    scores = scorer.score(samples)
  titles, parts = [*places, 'score'], [*places.values(), scores.tolist()]
  begun = np.zeros(0, bool)
  if rates.alarms_per_hour is None:
    flagged = alarms.flags(scorer.meta, scores, *rates[:2])
  else:
    flagged, begun = _hourly(scorer.meta, samples, scores, places, rates)
    titles.append('alarm')
    parts.append(begun.astype(int).tolist())
  if rates.false_alarm is not None or rates.fdr is not None:
    titles.append('p_value')
    p_values = conformal.p_values(scores, alarms.normals(scorer.meta))
    parts.append(p_values.tolist())
  titles.append('flagged')
  rows = zip(*parts, flagged.astype(int).tolist())
  if columns:
    more, cells = by_column.cells(added, names, columns)
    titles += more
    rows = [(*row, *others) for row, others in zip(rows, cells)]
  text = spreadsheet.text([titles, *rows])
  counts = int(flagged.sum()), len(scores)
  return Scored(text, *counts, whole, int(begun.sum()))


def _hourly(meta, samples, scores, places, rates):
  """Returns which frames are flagged at a rate per hour, and begin an alarm."""
  if rates.false_alarm is not None or rates.fdr is not None:
    raise errors.UserError(
      'give one of false_alarm, fdr and alarms_per_hour, not several'
    )
  limit, gap = hourly.limit(meta, rates.alarms_per_hour)
  if not hasattr(samples, 'frames'):
    raise errors.UserError(
      'alarms_per_hour needs the frames of one video; give a film or a folder'
      ' of frames, not an array'
    )
  flagged = scores > limit
  return flagged, hourly.first_frames(flagged, places['frame'], gap)
