"""Keeps decoded frames on disk as a memory map, which all runs share."""

import contextlib
import hashlib
import json
import logging
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from memae_jax.runtime import disk, errors

_LOG = logging.getLogger(__name__)
_FORMAT = 2  # Raised whenever decoding changes a pixel or keeps more facts.
_BYTES = 2**24  # Bytes that are copied at once.


def fingerprint(files: Iterable[pathlib.Path], *settings: object) -> str:
  """Returns a name for the frames decoded from these files: 20 hex digits.

  Args:
    files: in order. A file counts as changed when its size or its time of
      change does.
    settings: of the decoding.
  """
  stats = [(os.fspath(file), file.stat()) for file in files]
  facts = [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]
  text = repr((_FORMAT, facts, settings))
  return hashlib.sha256(text.encode()).hexdigest()[:20]


def _user_cache() -> pathlib.Path:
  """Returns this user's cache; a temporary folder where there is no home."""
  cache = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache')
  with contextlib.suppress(RuntimeError):
    folder = cache.expanduser() / 'memae_jax' / 'frames'
    if disk.may_write(folder):
      return folder
  user = f'memae_jax_{os.getuid()}'
  return pathlib.Path(tempfile.gettempdir()) / user / 'frames'


def _writable(folder: pathlib.Path) -> pathlib.Path:
  """Returns the folder, or this user's cache where it may only be read."""
  user_cache = _user_cache()
  if (
    disk.may_write(folder) or folder.is_file() or not disk.may_write(user_cache)
  ):
    return folder
  _LOG.info('%s may only be read; frames are kept in %s', folder, user_cache)
  return user_cache


def load(
  folder: pathlib.Path,
  name: str,
  decode: Callable[[pathlib.Path], Iterable[tuple[Any, Any]]],
) -> tuple[np.ndarray, list[int], list[Any]]:
  """Returns arrays from the cache, after decoding them if they are not there.

  Where the folder may only be read, they are kept in this user's cache.

  Args:
    folder: of the cache.
    name: of the entry, from `fingerprint`.
    decode: takes a folder for its temporary files; yields arrays [n, ...] that
      differ in n alone, each with further facts to keep, which JSON can hold.

  Returns:
    all arrays as one, [sum of n, ...], read-only; the n of each array; and its
    further facts.

  Raises:
    UserError: the disk is full, or no folder can be written.
  """
  for place in (folder, _user_cache()):
    with contextlib.suppress(OSError, ValueError, KeyError):
      return _open(place / name)
  folder = _writable(folder)
  target = folder / name
  shutil.rmtree(target, ignore_errors=True)  # It is damaged or not there.
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix='incomplete.') as temp:
      scratch = pathlib.Path(temp)
      entry = scratch / name
      entry.mkdir()
      _write(entry, decode(scratch))
      try:
        entry.rename(target)
      except OSError:
        if not target.is_dir():  # Otherwise another run was faster.
          raise
    return _open(target)
  except OSError as error:
    raise errors.UserError(
      f'decoded frames cannot be written to {folder} ({error}); make room, or'
      ' set data.data_dir'
    ) from error


def _write(folder: pathlib.Path, parts: Iterable[tuple[Any, Any]]) -> None:
  """Writes an entry from pairs of an array and its further facts."""
  lengths, kept = [], []
  with (folder / 'values').open('wb') as file:
    for array, further in parts:
      lengths.append(len(array))
      kept.append(further)
      row = array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
      rows = max(1, _BYTES // max(1, row))
      for first in range(0, len(array), rows):
        file.write(np.ascontiguousarray(array[first : first + rows]))
  facts = {
    'shape': (sum(lengths), *array.shape[1:]),
    'dtype': array.dtype.str,
    'lengths': lengths,
    'kept': kept,
  }
  (folder / 'facts.json').write_bytes(json.dumps(facts).encode())


def _open(folder: pathlib.Path) -> tuple[np.ndarray, list[int], list[Any]]:
  """Opens an entry; raises ValueError, KeyError or OSError if it is damaged."""
  facts = json.loads((folder / 'facts.json').read_bytes())
  shape = tuple(facts['shape'])
  size = (folder / 'values').stat().st_size
  if size != np.dtype(facts['dtype']).itemsize * np.prod(shape, dtype=np.int64):
    raise ValueError('cut short')
  values = np.memmap(folder / 'values', facts['dtype'], 'r', shape=shape)
  return np.asarray(values), facts['lengths'], facts['kept']
