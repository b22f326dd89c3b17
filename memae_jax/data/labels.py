"""One comparison of labels, over all files and the words of the config.

Numbers compare by value (0, 0.0, "00" and 0e0 are one label), true and false as
1 and 0 in any spelling, and other text exactly, but for blanks around it.
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
  """Returns what is equal for two spellings of one label."""
  text = unicodedata.normalize('NFC', text.strip())
  word = text.casefold()
  if word in _BOOLEANS:
    return decimal.Decimal(_BOOLEANS[word])
  return decimal.Decimal(text) if _NUMBER.fullmatch(text) else text


def category_key(text: str) -> str:
  """As `key` for categories: only 2.0 and 2 are one, 02 may be another."""
  return re.sub(r'^([+-]?\d+)\.0*$', r'\1', text)


def codes(
  cells: Iterable[str], same=key
) -> tuple[np.ndarray, tuple[str, ...], dict[str, list[str]]]:
  """Numbers the labels.

  Args:
    cells: [S] text.
    same: `key` or `category_key`.

  Returns:
    [S] int32 indices into the sorted distinct labels; these, each in its
    shortest spelling; and the other spellings of those that have several.
  """
  cells = list(cells)
  keys = {cell: same(cell) for cell in dict.fromkeys(cells)}
  spellings: dict[Any, list[str]] = {}
  for cell, value in keys.items():
    spellings.setdefault(value, []).append(cell)
  shortest = {
    value: min(words, key=lambda w: (len(w), w))
    for value, words in spellings.items()
  }
  names = tuple(sorted(shortest.values(), key=_natural))
  index = {name: i for i, name in enumerate(names)}
  code = {cell: index[shortest[value]] for cell, value in keys.items()}
  several = {
    shortest[value]: sorted(set(words) - {shortest[value]})
    for value, words in spellings.items()
    if len(words) > 1
  }
  numbers = np.fromiter((code[cell] for cell in cells), np.int32, len(cells))
  return numbers, names, several


def _natural(name: str):
  """Sorts '2' before '10', and numbers before words."""
  return (0, int(name), name) if name.isdecimal() else (1, 0, name)


def find(label: str, names: Sequence[str]) -> int | None:
  """Returns the index of a label among names, or None."""
  wanted = key(label)
  found = (i for i, name in enumerate(names) if key(name) == wanted)
  return next(found, None)


def alike(text: str) -> str:
  """Returns what is equal where labels differ in case or blanks only."""
  return ''.join(unicodedata.normalize('NFKC', text).casefold().split())


def check_alike(names: Sequence[str], normal: Sequence[int]) -> None:
  """Refuses labels that differ from a normal one in case or blanks only.

  Args:
    names: of the labels.
    normal: indices of those that are normal.

  Raises:
    UserError: naming both and the mend.
  """
  of = {alike(names[i]): names[i] for i in normal}
  wrong: dict[str, list[str]] = {}
  for i, name in enumerate(names):
    if i not in normal and alike(name) in of:
      wrong.setdefault(of[alike(name)], []).append(name)
  for name, others in wrong.items():
    shown = ', '.join(f'"{other}"' for other in others)
    joined = '+'.join([name, *others])
    raise errors.UserError(
      f'labels {shown} differ from the normal label "{name}" in case or blanks'
      f' only; name all in data.normal_labels (normal={joined}), or mend them'
    )


def counts(source) -> str:
  """One line of how many samples are normal, and how many of which kind."""
  normal = set(source.normal_labels)
  total = np.bincount(source.labels, minlength=len(source.label_names))
  if source.is_test is None:
    tested = None
  else:
    tested = np.bincount(
      source.labels[source.is_test], minlength=len(source.label_names)
    )

  def words(which) -> str:
    parts = []
    for i in sorted(which, key=lambda i: (-total[i], i))[:_MOST_SHOWN]:
      more = '' if tested is None else f' ({tested[i]} to test)'
      parts.append(f'{source.label_names[i]} {total[i]}{more}')
    if len(which) > _MOST_SHOWN:
      parts.append(f'and {len(which) - _MOST_SHOWN} more')
    return ', '.join(parts) or 'none'

  known = [i for i in range(len(total)) if total[i]]
  if not normal:
    return f'labels: {words(known)}'
  return (
    f'labels: normal: {words([i for i in known if i in normal])};'
    f' anomalous: {words([i for i in known if i not in normal])}'
  )
