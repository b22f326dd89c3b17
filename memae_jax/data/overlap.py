"""Test samples that equal a training or validation sample, input for input."""

import numpy as np

from memae_jax.data import types
from memae_jax.data.tables import columns

# Shares of equal samples from which on there is a warning. Files that somebody
# split share no sample unless one was cut from the other. Where one file is
# split at random, the two parts share as many rows as repeat in the file.
_OF_OWN_TEST, _OF_DRAWN_TEST = 0.01, 0.1


def equal(
  source: types.Source, rows: np.ndarray, others: np.ndarray
) -> np.ndarray:
  """Returns which samples equal one of some others, input for input.

  Args:
    source: all samples.
    rows: [n] indices of samples.
    others: [m] indices of the others.

  Returns:
    [n] bool.
  """
  ids = columns.row_ids(source.inputs)
  return np.isin(ids[rows], ids[others])


def find(
  source: types.Source, split: types.Split, is_drawn: bool
) -> tuple[dict[str, int], tuple[str, ...]]:
  """Counts test samples of a split that also train or validate.

  Args:
    source: all samples.
    split: a split of the source.
    is_drawn: True if the test set was drawn at random, False if it is the
      source's own.

  Returns:
    Notes and warnings for `types.Split`.
  """
  in_train, in_validation = (
    equal(source, split.test, rows) for rows in (split.train, split.validation)
  )
  seen, anomalous = in_train | in_validation, split.anomalous
  notes = {
    'test_rows_in_train': int(in_train.sum()),
    'test_rows_in_validation': int(in_validation.sum()),
    'anomalies_in_train': int((in_train & anomalous).sum()),
  }
  noun = _noun(source)
  normals, anomalies = seen[~anomalous], seen[anomalous]
  warnings = []
  if _is_much(normals, is_drawn):
    warnings.append(_normals_warning(source, noun, normals, is_drawn))
  if _is_much(anomalies, is_drawn):
    warnings.append(_anomalies_warning(noun, anomalies, is_drawn))
  return notes, tuple(warnings)


def _is_much(seen: np.ndarray, is_drawn: bool) -> bool:
  least = _OF_DRAWN_TEST if is_drawn else _OF_OWN_TEST
  return bool(seen.any() and seen.mean() >= least)


def _noun(source: types.Source) -> str:
  if source.videos:
    return 'clip'
  return 'picture' if source.has_images else 'row'


def _normals_warning(
  source, noun: str, seen: np.ndarray, is_drawn: bool
) -> str:
  kind = 'normal test' if source.labelled else 'test'
  if not is_drawn:
    return (
      f'{seen.sum():,} of {len(seen):,} {kind} {noun}s equal a {noun} that'
      ' trains or validates; AUROC and threshold are too good: remove them from'
      f' one of the {"files" if noun == "row" else "folders"}'
    )
  # Counts of all samples are the same for each seed, so a fleet warns once.
  ids = columns.row_ids(source.inputs)
  repeated = (np.bincount(ids)[ids] > 1).sum()
  return (
    f'{repeated:,} of the {len(ids):,} {noun}s equal another, so that {kind}'
    f' {noun}s equal {noun}s that train or validate; AUROC and threshold are'
    f' better than on new {noun}s: remove repeated {noun}s (data.unique),'
    f' unless new {noun}s repeat them, too'
  )


def _anomalies_warning(noun: str, seen: np.ndarray, is_drawn: bool) -> str:
  count = f'{seen.sum():,} of {len(seen):,}'
  if is_drawn:  # The number differs between seeds; a fleet shall warn once.
    count = 'many'
  return (
    f'{count} anomalous test {noun}s equal a {noun} that trains or validates as'
    ' normal; nothing can tell them apart: check the labels'
  )
