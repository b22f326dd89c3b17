"""Scores of a file of samples by an exported scorer, as csv text."""

from typing import Any, NamedTuple

from memae_jax.exported import by_column
from memae_jax.runtime import spreadsheet


class Scored(NamedTuple):
  """Scores of a file.

  text: csv, a row for each sample. flagged, total: counts of samples. columns:
  csv of what each column adds, or ''.
  """

  text: str
  flagged: int
  total: int
  columns: str = ''


def score(
  scorer: Any, path: str, columns: int = 0, each: bool = False
) -> Scored:
  """Scores a file or folder of samples.

  Args:
    scorer: a `scorer.Scorer`.
    path: of the samples.
    columns: how many of the columns that add most to a score stand beside it.
    each: also say what each column adds.

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
  flagged = scores > scorer.threshold
  titles = [*places, 'score', 'flagged']
  rows = zip(*places.values(), scores.tolist(), flagged.astype(int).tolist())
  if columns:
    more, cells = by_column.cells(added, names, columns)
    titles += more
    rows = [(*row, *others) for row, others in zip(rows, cells)]
  text = spreadsheet.text([titles, *rows])
  return Scored(text, int(flagged.sum()), len(scores), whole)
