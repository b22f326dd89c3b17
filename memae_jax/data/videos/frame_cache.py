"""Decoded frames on disk, as a memory map: decoded once, shared by all runs."""

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
_FORMAT = 2  # Raised whenever decoding changes a pixel, or says more.
_BYTES = 2**24  # Copied at once.


def fingerprint(files: Iterable[pathlib.Path], *settings: object) -> str:
  """Returns the name of what decoding these files gives, in 20 hex digits.

  Args:
    files: in order. They count as changed when size or time of change differ.
    settings: of the decoding.
  """
  found = [(os.fspath(file), file.stat()) for file in files]
  facts = [(path, stat.st_size, stat.st_mtime_ns) for path, stat in found]
  text = repr((_FORMAT, facts, settings))
  return hashlib.sha256(text.encode()).hexdigest()[:20]


def _own() -> pathlib.Path:
  """The cache of this user, who may have no home."""
  cache = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache')
  with contextlib.suppress(RuntimeError):
    own = cache.expanduser() / 'memae_jax' / 'frames'
    if disk.may_write(own):
      return own
  user = f'memae_jax_{os.getuid()}'
  return pathlib.Path(tempfile.gettempdir()) / user / 'frames'


def _writable(folder: pathlib.Path) -> pathlib.Path:
  """A cache, or that of this user where prepared data may only be read."""
  own = _own()
  if disk.may_write(folder) or folder.is_file() or not disk.may_write(own):
    return folder
  _LOG.info('%s may only be read; frames are kept in %s', folder, own)
  return own


def load(
  folder: pathlib.Path,
  name: str,
  decode: Callable[[pathlib.Path], Iterable[tuple[Any, Any]]],
) -> tuple[np.ndarray, list[int], list[Any]]:
  """Returns arrays from the cache, after decoding them if they are not there.

  Where the folder may only be read, they go to the cache of this user.

  Args:
    folder: of the cache.
    name: from `fingerprint`.
    decode: takes a folder for what it may have to put on disk meanwhile;
      yields arrays [n, ...] that differ in n alone, and of each what else is to
      be kept of it, as JSON.

  Returns:
    all of them, [sum of n, ...], read-only; each n; and what else was kept.

  Raises:
    UserError: the disk is full, or no folder can be written.
  """
  for place in (folder, _own()):
    with contextlib.suppress(OSError, ValueError, KeyError):
      return _open(place / name)
  folder = _writable(folder)
  target = folder / name
  shutil.rmtree(target, ignore_errors=True)  # Damaged, or not there.
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix='incomplete.') as made:
      whole = pathlib.Path(made) / name
      whole.mkdir()
      _write(whole, decode(pathlib.Path(made)))
      try:
        whole.rename(target)
      except OSError:
        if not target.is_dir():  # Else another run was faster.
          raise
    return _open(target)
  except OSError as error:
    raise errors.UserError(
      f'decoded frames cannot be written to {folder} ({error}); make room, or'
      ' set data.data_dir'
    ) from error


def _write(folder: pathlib.Path, parts: Iterable[tuple[Any, Any]]) -> None:
  lengths, kept = [], []
  with (folder / 'values').open('wb') as file:
    for array, more in parts:
      lengths.append(len(array))
      kept.append(more)
      row = array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
      some = max(1, _BYTES // max(1, row))
      for first in range(0, len(array), some):
        file.write(np.ascontiguousarray(array[first : first + some]))
  facts = {
    'shape': (sum(lengths), *array.shape[1:]),
    'dtype': array.dtype.str,
    'lengths': lengths,
    'kept': kept,
  }
  (folder / 'facts.json').write_bytes(json.dumps(facts).encode())


def _open(folder: pathlib.Path) -> tuple[np.ndarray, list[int], list[Any]]:
  facts = json.loads((folder / 'facts.json').read_bytes())
  shape = tuple(facts['shape'])
  size = (folder / 'values').stat().st_size
  if size != np.dtype(facts['dtype']).itemsize * np.prod(shape, dtype=np.int64):
    raise ValueError('cut short')
  values = np.memmap(folder / 'values', facts['dtype'], 'r', shape=shape)
  return np.asarray(values), facts['lengths'], facts['kept']
