"""Test samples that equal one that trains or validates, input for input."""

import numpy as np

from memae_jax.data import types
from memae_jax.data.tables import columns

# Shares of the normal test samples from which on it is worth a warning: files
# that were split by somebody share none unless one was cut from the other;
# rows of one file that is split at random repeat as often as rows do.
_OF_OWN_TEST, _OF_DRAWN_TEST = 0.01, 0.1


def find(
  source: types.Source, split: types.Split, is_drawn: bool
) -> tuple[dict[str, int], tuple[str, ...]]:
  """Counts what a split has twice.

  Args:
    source: of the samples.
    split: of the source.
    is_drawn: the test set was drawn at random; else it is the source's own.

  Returns:
    Notes and warnings for `types.Split`.
  """
  ids = columns.row_ids(source.inputs)
  in_train, in_validation = (
    np.isin(ids[split.test], ids[rows])
    for rows in (split.train, split.validation)
  )
  seen, anomalous = in_train | in_validation, split.anomalous
  notes = {
    'test_rows_in_train': int(in_train.sum()),
    'test_rows_in_validation': int(in_validation.sum()),
    'anomalies_in_train': int((in_train & anomalous).sum()),
  }
  noun = _noun(source)
  normals, others = seen[~anomalous], seen[anomalous]
  lines = []
  if _is_much(normals, is_drawn):
    lines.append(_of_normals(source, noun, normals, is_drawn))
  if _is_much(others, is_drawn):
    lines.append(_of_anomalies(noun, others, is_drawn))
  return notes, tuple(lines)


def _is_much(seen: np.ndarray, is_drawn: bool) -> bool:
  least = _OF_DRAWN_TEST if is_drawn else _OF_OWN_TEST
  return bool(seen.any() and seen.mean() >= least)


def _noun(source: types.Source) -> str:
  if source.videos:
    return 'clip'
  return 'picture' if source.has_images else 'row'


def _of_normals(source, noun: str, seen: np.ndarray, is_drawn: bool) -> str:
  kind = 'normal test' if source.labelled else 'test'
  if not is_drawn:
    return (
      f'{seen.sum():,} of {len(seen):,} {kind} {noun}s equal a {noun} that'
      ' trains or validates; AUROC and threshold are too good: remove them from'
      f' one of the {"files" if noun == "row" else "folders"}'
    )
  # Of all samples, the same for every seed: a fleet says it once.
  ids = columns.row_ids(source.inputs)
  twice = (np.bincount(ids)[ids] > 1).sum()
  return (
    f'{twice:,} of the {len(ids):,} {noun}s equal another, and so do {kind}'
    f' {noun}s equal {noun}s that train or validate; AUROC and threshold'
    f' are better than on new {noun}s: remove repeated {noun}s, unless new ones'
    ' repeat them, too'
  )


def _of_anomalies(noun: str, seen: np.ndarray, is_drawn: bool) -> str:
  count = f'{seen.sum():,} of {len(seen):,}'
  if is_drawn:  # Another number for every seed.
    count = 'many'
  return (
    f'{count} anomalous test {noun}s equal a {noun} that trains or validates as'
    ' normal; nothing can tell them apart: check the labels'
  )
