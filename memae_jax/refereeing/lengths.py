"""Lengths of videos, as a flag or a file says them."""

import pathlib
import re

import numpy as np

from memae_jax.data.tables import npz
from memae_jax.refereeing import columns
from memae_jax.runtime import errors, foreign, paths, strict_json

_NUMBERS = re.compile(r'\s*\d+(\s*[,;\s]\s*\d+)*\s*[,;]?\s*')


def read(text: str, flag: str) -> dict[str, int]:
  """Returns the number of frames of each video, in order.

  Args:
    text: numbers with commas between them, or the path of a file: json (a list,
      or {name: number}), npy, npz with one array, or text with numbers.
    flag: that has it, for messages.

  Returns:
    {name: frames}. Videos without names are '1', '2', ...

  Raises:
    UserError: it is neither, or a length is no whole number above 0.
  """
  where = f'{flag}={text}' if len(text) < 60 else flag
  if _NUMBERS.fullmatch(text):
    return _checked(where, _split(text))
  path = foreign.file(paths.local(text, flag), flag)
  where = foreign.name_of(path)
  suffix = path.suffix.lower()
  if suffix in ('.npy', '.npz'):
    values = np.asarray(npz.samples(path))
    if values.dtype.kind not in 'iu' or values.ndim != 1:
      raise errors.UserError(
        f'{where} is {values.dtype} of shape {list(values.shape)}; lengths of'
        ' videos are whole numbers, [V]'
      )
    return _checked(where, values.tolist())
  if suffix == '.json':
    return _json(path, where)
  content = foreign.text(path)
  if not _NUMBERS.fullmatch(content):
    raise errors.UserError(
      f'{where} is no list of lengths of videos; write whole numbers with'
      ' commas or lines between them'
    )
  return _checked(where, _split(content))


def _split(text: str) -> list[int]:
  words = re.findall(r'\d+', text)
  return [int(word[:20]) for word in words]


def _json(path: pathlib.Path, where: str) -> dict[str, int]:
  mend = 'give a list of whole numbers, or {"name": number}'
  value = strict_json.load(path, object, 'file of lengths', mend)
  names = None
  if isinstance(value, dict):
    names, value = list(value), list(value.values())
  if not isinstance(value, list):
    raise errors.UserError(f'{where} has no lengths of videos; {mend}')
  return _checked(where, value, names)


def _checked(where: str, values: list, names=None) -> dict[str, int]:
  """Names and checks lengths."""
  if not values:
    raise errors.UserError(f'{where} has no length of a video')
  names = names or [str(i + 1) for i in range(len(values))]
  for name, value in zip(names, values):
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not 0 < value < columns.MOST:
      raise errors.UserError(
        f'{where}: the length of video "{foreign.name_of(name)[:60]}" is'
        f' {str(value)[:40]}; lengths are whole numbers from 1, below'
        f' {columns.MOST:,}'
      )
  return {foreign.name_of(name)[:200]: n for name, n in zip(names, values)}
