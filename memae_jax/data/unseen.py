"""Reads new samples as a trained network takes them, for `scorer`.

What a file becomes is said by the entry `input` of a scorer's meta.json. Here
as there, nothing that trains is imported.
"""

import csv
import dataclasses
import logging
import pathlib
import types as pytypes
from collections.abc import Mapping
from typing import Any

import numpy as np

from memae_jax import errors
from memae_jax.data import (
  clips,
  decoding,
  foreign,
  pictures,
  readers,
  types,
)

_LOG = logging.getLogger(__name__)
_NO_CATEGORY = '(missing)'


def columns(wanted: Mapping[str, Any]) -> list[types.Column]:
  """Returns the columns of a table."""
  return [
    types.Column(c['name'], tuple(c['categories'])) for c in wanted['columns']
  ]


def read(
  path: pathlib.Path, wanted: Mapping[str, Any]
) -> tuple[list[Any], np.ndarray | clips.Gathered]:
  """Reads the samples of a file or folder.

  Args:
    path: of what the kind of the input asks for.
    wanted: `input` of meta.json.

  Returns:
    A name, row or frame of each sample, and the samples.

  Raises:
    UserError: naming what is wrong.
  """
  kind = wanted['kind']
  if kind != 'table' and wanted['dtype'] != 'uint8':
    raise errors.UserError(
      f'{path} would be read as uint8, but the network takes'
      f' {wanted["dtype"]}; give a .npy file'
    )
  return {'table': _table, 'images': _images, 'clips': _clips}[kind](
    path, wanted
  )


def _colour(wanted) -> str:
  return 'rgb' if wanted['shape'][-1] == 3 else 'grey'


def _images(path, wanted):
  files = pictures.files(path) if path.is_dir() else (path,)
  if not files:
    raise errors.UserError(
      f'{path} has no picture ({", ".join(pictures.SUFFIXES)})'
    )
  height, width, channels = wanted['shape']
  found = np.empty((len(files), height, width, channels), np.uint8)
  for out, file in zip(found, files):
    pixels = pictures.read(file, wanted['image_size'], _colour(wanted)).pixels
    if pixels.shape != out.shape:
      raise errors.UserError(
        f'{file} is {pixels.shape[1]}x{pixels.shape[0]}, but the network takes'
        f' {width}x{height}; resize it as the training pictures were'
      )
    out[:] = pixels
  root = path if path.is_dir() else path.parent
  return [file.relative_to(root).as_posix() for file in files], found


@dataclasses.dataclass(frozen=True, eq=False)
class Clips(clips.Gathered):
  """Clips of one video, whose frames lie on disk.

  seconds: [S] of the scored frames; None: not known.
  """

  seconds: np.ndarray | None = None


def _clips(path, wanted):
  _, height, width, _ = wanted['shape']
  video = decoding.open_video(path)
  frames, footage = decoding.decode(video, (width, height), _colour(wanted))
  for line in footage.warnings:
    _LOG.warning('warning: %s', line)
  config = pytypes.SimpleNamespace(**wanted)
  found = clips.of_one(foreign.name_of(path), frames, config)
  at = footage.at(found.scored)
  return found.scored.tolist(), Clips(found.frames, found.number, at)


def _table(path, wanted):
  """Reads csv; columns that the network does not know are left out."""
  if path.suffix != '.csv' or not path.is_file():
    raise errors.UserError(
      f'{path} is no table; give a .csv file, or a .npy file of encoded rows'
    )
  try:
    with path.open(encoding='utf-8-sig', newline='') as file:
      return _csv(path, csv.reader(file, strict=True), wanted)
  except (UnicodeDecodeError, csv.Error) as error:
    raise errors.UserError(f'{path} is no readable csv: {error}') from error


def _csv(path, reader, wanted):
  header = [name.strip() for name in next(reader, [])]
  known = columns(wanted)
  for column in known:
    if column.name not in header:
      raise errors.UserError(
        f'{path} has no column "{column.name}"'
        + errors.did_you_mean(column.name, header)
      )
  rows = []
  for cells in filter(None, reader):
    where = f'{path} line {reader.line_num}'
    if len(cells) != len(header):
      raise errors.UserError(
        f'{where} has {len(cells)} cells, but the header has {len(header)}'
      )
    cell = dict(zip(header, cells))
    values = (_encoded(c, cell[c.name].strip(), wanted, where) for c in known)
    rows.append(readers.to_float32(np.concatenate(list(values))))
  return list(range(len(rows))), np.array(rows)


def _encoded(column: types.Column, cell: str, wanted, where: str) -> np.ndarray:
  """A number, or one-hot over the categories, as `tables.encode` has them."""
  missing = cell in readers.MISSING
  if missing and wanted['missing'] == 'error':
    raise errors.UserError(f'{where}: column "{column.name}" has no value')
  if not column.categories:
    try:
      return np.array([np.nan if missing else float(cell)])
    except ValueError:
      raise errors.UserError(
        f'{where}: column "{column.name}" holds text, "{cell[:40]}"'
      ) from None
  cell = _NO_CATEGORY if missing else cell
  if cell not in column.categories and wanted['unknown_category'] == 'error':
    raise errors.UserError(
      f'{where}: column "{column.name}" has no category "{cell[:40]}"'
      + errors.did_you_mean(cell, column.categories)
      + '; remove the row, or train with data.unknown_category "zero"'
    )
  return np.array([cell == name for name in column.categories], np.float64)
