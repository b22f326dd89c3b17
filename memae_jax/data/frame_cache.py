"""Decoded frames on disk, as a memory map: decoded once, shared by all runs."""

import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterable

import numpy as np

from memae_jax import errors

_FORMAT = 1  # Raised whenever decoding changes a pixel.


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


def load(
  folder: pathlib.Path,
  name: str,
  decode: Callable[[], Iterable[np.ndarray]],
) -> tuple[np.ndarray, list[int]]:
  """Returns arrays from the cache, after decoding them if they are not there.

  Args:
    folder: of the cache.
    name: from `fingerprint`.
    decode: yields arrays [n, ...] that differ in n alone.

  Returns:
    all of them, [sum of n, ...], read-only, and each n.

  Raises:
    UserError: the disk is full, or the folder cannot be written.
  """
  target = folder / name
  try:
    return _open(target)
  except (OSError, ValueError, KeyError):
    shutil.rmtree(target, ignore_errors=True)  # Damaged, or not there.
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix='incomplete.') as made:
      whole = pathlib.Path(made) / name
      whole.mkdir()
      _write(whole, decode())
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


def _write(folder: pathlib.Path, arrays: Iterable[np.ndarray]) -> None:
  lengths = []
  with (folder / 'values').open('wb') as file:
    for array in arrays:
      lengths.append(len(array))
      file.write(np.ascontiguousarray(array))
  facts = {
    'shape': (sum(lengths), *array.shape[1:]),
    'dtype': array.dtype.str,
    'lengths': lengths,
  }
  (folder / 'facts.json').write_bytes(json.dumps(facts).encode())


def _open(folder: pathlib.Path) -> tuple[np.ndarray, list[int]]:
  facts = json.loads((folder / 'facts.json').read_bytes())
  shape = tuple(facts['shape'])
  size = (folder / 'values').stat().st_size
  if size != np.dtype(facts['dtype']).itemsize * np.prod(shape, dtype=np.int64):
    raise ValueError('cut short')
  values = np.memmap(folder / 'values', facts['dtype'], 'r', shape=shape)
  return np.asarray(values), facts['lengths']
