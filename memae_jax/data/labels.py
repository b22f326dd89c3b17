"""Comparison of labels, the same for all files and the fields of the config.

Numbers compare by value (0, 0.0, "00" and 0e0 are one label), true and false in
upper or lower case as 1 and 0, and other text exactly, except for blanks around
it.
"""

import decimal
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from memae_jax.runtime import errors

_NUMBER = re.compile(r'[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?')
_BOOLEANS = {'true': 1, 'false': 0}
_MOST_SHOWN = 10


def key(text: str) -> Any:
  """Returns a key that is equal for all spellings of one label."""
  text = unicodedata.normalize('NFC', text.strip())
  word = text.casefold()
  if word in _BOOLEANS:
    return decimal.Decimal(_BOOLEANS[word])
  return decimal.Decimal(text) if _NUMBER.fullmatch(text) else text


def category_key(text: str) -> str:
  """Returns the key of a category: 2.0 equals 2, but 02 may be another."""
  return re.sub(r'^([+-]?\d+)\.0*$', r'\1', text)


def codes(
  cells: Iterable[str], same=key
) -> tuple[np.ndarray, tuple[str, ...], dict[str, list[str]]]:
  """Numbers the labels.

  Args:
    cells: [S] text.
    same: `key` or `category_key`.

  Returns:
    [S] int32 indices into the sorted distinct labels; these labels, each in
    its shortest spelling; and {label: its other spellings} for labels that
    have several.
  """
  cells = list(cells)
  keys = {cell: same(cell) for cell in dict.fromkeys(cells)}
  spellings: dict[Any, list[str]] = {}
  for cell, value in keys.items():
    spellings.setdefault(value, []).append(cell)
  shortest = {
    value: min(forms, key=lambda w: (len(w), w))
    for value, forms in spellings.items()
  }
  names = tuple(sorted(shortest.values(), key=_natural))
  index = {name: i for i, name in enumerate(names)}
  code = {cell: index[shortest[value]] for cell, value in keys.items()}
  several = {
    shortest[value]: sorted(set(forms) - {shortest[value]})
    for value, forms in spellings.items()
    if len(forms) > 1
  }
  numbers = np.fromiter((code[cell] for cell in cells), np.int32, len(cells))
  return numbers, names, several


def _natural(name: str):
  """Returns a sort key: '2' before '10', and numbers before words."""
  return (0, int(name), name) if name.isdecimal() else (1, 0, name)


def find(label: str, names: Sequence[str]) -> int | None:
  """Returns the index of the first name that is the same label, or None."""
  wanted = key(label)
  matches = (i for i, name in enumerate(names) if key(name) == wanted)
  return next(matches, None)


def alike(text: str) -> str:
  """Returns a key that is equal for labels that differ in case or blanks."""
  return ''.join(unicodedata.normalize('NFKC', text).casefold().split())


def check_alike(names: Sequence[str], normal: Sequence[int]) -> None:
  """Raises UserError if labels differ from a normal one in case or blanks only.

  Args:
    names: names of all labels.
    normal: indices of the normal labels.
  """
  normal_name_of = {alike(names[i]): names[i] for i in normal}
  wrong: dict[str, list[str]] = {}
  for i, name in enumerate(names):
    if i not in normal and alike(name) in normal_name_of:
      wrong.setdefault(normal_name_of[alike(name)], []).append(name)
  for name, others in wrong.items():
    listed = ', '.join(f'"{other}"' for other in others)
    joined = '+'.join([name, *others])
    raise errors.UserError(
      f'labels {listed} differ from the normal label "{name}" in case or blanks'
      f' only; name all in data.normal_labels (normal={joined}), or mend them'
    )


def counts(source) -> str:
  """Returns one line with the number of samples of each label, normal first."""
  normal = set(source.normal_labels)
  total = np.bincount(source.labels, minlength=len(source.label_names))
  if source.is_test is None:
    tested = None
  else:
    tested = np.bincount(
      source.labels[source.is_test], minlength=len(source.label_names)
    )

  def listing_of(indices) -> str:
    parts = []
    for i in sorted(indices, key=lambda i: (-total[i], i))[:_MOST_SHOWN]:
      tested_part = '' if tested is None else f' ({tested[i]} to test)'
      parts.append(f'{source.label_names[i]} {total[i]}{tested_part}')
    if len(indices) > _MOST_SHOWN:
      parts.append(f'and {len(indices) - _MOST_SHOWN} more')
    return ', '.join(parts) or 'none'

  known = [i for i in range(len(total)) if total[i]]
  if not normal:
    return f'labels: {listing_of(known)}'
  return (
    f'labels: normal: {listing_of([i for i in known if i in normal])};'
    f' anomalous: {listing_of([i for i in known if i not in normal])}'
  )
