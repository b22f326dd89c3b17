"""Reads the masks of pictures, and says what is doubtful about them."""

import pathlib
from collections.abc import Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np

from memae_jax.data.images import decode_image, layouts
from memae_jax.runtime import errors, foreign


class _Read(NamedTuple):
  """A mask as it is kept, and of what it was made.

  marked: [H, W] bool, resized.
  share: of the pixels, that are marked before.
  lossy, turned: whether a file of it was so.
  """

  marked: np.ndarray
  share: float
  lossy: bool
  turned: bool


class Masks(NamedTuple):
  """The masks of all samples.

  marked: [S, H, W] bool; normal samples have none.
  remarks, warnings: as of a Source.
  """

  marked: np.ndarray
  remarks: tuple[str, ...]
  warnings: tuple[str, ...]


def read(
  pool: futures.Executor,
  samples: Sequence[layouts.Sample],
  found: Sequence[decode_image.Picture],
  size: decode_image.Size,
) -> Masks:
  """Reads the masks of samples.

  Args:
    pool: that reads them.
    samples: all samples.
    found: their pictures.
    size: what masks are resized to.

  Raises:
    UserError: a mask cannot be read, or does not fit its picture.
  """
  marked = np.zeros((len(found), *found[0].pixels.shape[:2]), bool)
  given = [i for i, sample in enumerate(samples) if sample.masks]
  read_one = lambda i: _one(samples[i], found[i], size)
  of_kind: dict[bool, list[_Read]] = {True: [], False: []}
  for i, mask in zip(given, pool.map(read_one, given)):
    anomalous = bool(samples[i].kind)
    of_kind[anomalous].append(mask)
    if anomalous:
      marked[i] = mask.marked
  return Masks(
    marked,
    _remarks(samples, [*of_kind[True], *of_kind[False]]),
    _warnings(
      [m.share for m in of_kind[True]], [m.share for m in of_kind[False]]
    ),
  )


def _one(sample, picture, size) -> _Read:
  """The mask of one picture, of one file or of several."""
  files, several = sample.masks
  read_files = [decode_image.mask(file) for file in files]
  upright = [
    _upright(file, mask, sample.file, picture)
    for file, mask in zip(files, read_files)
  ]
  for file, marked in zip(files, upright):
    if not several and (marked != upright[0]).any():
      raise errors.UserError(
        f'{foreign.name_of(sample.file)} has two masks that differ,'
        f' {foreign.name_of(files[0])} and {foreign.name_of(file)}; remove one'
      )
  marked = np.any(upright, axis=0)
  return _Read(
    decode_image.fit_mask(marked, size),
    float(marked.mean()),
    any(mask.lossy for mask in read_files),
    any(a is not b.marked for a, b in zip(upright, read_files)),
  )


def _upright(
  file: pathlib.Path,
  mask: decode_image.Mask,
  of: pathlib.Path,
  picture: decode_image.Picture,
) -> np.ndarray:
  """The mask [H, W] as its picture is shown.

  EXIF turns many a picture whose mask was drawn on the stored pixels: the size
  says so.
  """
  marked, shape = mask.marked, picture.size[::-1]
  names = foreign.name_of(file), foreign.name_of(of)
  if picture.orientation != mask.orientation == 1:
    turned = decode_image.turned(marked, picture.orientation)
    if turned.shape == marked.shape == shape and (turned != marked).any():
      raise errors.UserError(
        f'{names[1]} is turned by its EXIF data, but its mask {names[0]} is'
        ' not, and its size does not say whether it is of the picture as stored'
        ' or as shown; save the picture upright, without EXIF data'
      )
    if turned.shape == shape != marked.shape:
      return turned
  if marked.shape != shape:
    raise errors.UserError(
      f'mask {names[0]} is {marked.shape[1]}x{marked.shape[0]}, but its picture'
      f' {names[1]} is {shape[1]}x{shape[0]}; give both one size'
    )
  return marked


def _remarks(samples, read_masks: Sequence[_Read]) -> tuple[str, ...]:
  of = f' of {len(read_masks)} masks'
  several = sum(bool(s.masks and len(s.masks.files) > 1) for s in samples)
  return tuple(
    f'{count}{of} {text}'
    for count, text in (
      (
        sum(mask.lossy for mask in read_masks),
        'are JPEG or lossy WebP, of which the bright half is anomalous',
      ),
      (
        sum(mask.turned for mask in read_masks),
        'turned as the EXIF data of their pictures say',
      ),
      (several, 'are of several files, each of which counts'),
    )
    if count
  )


def _warnings(anomalous: list[float], normal: list[float]) -> tuple[str, ...]:
  """Warns of masks by the shares that they mark."""
  out = []
  if anomalous and np.mean(anomalous) > 0.5:
    out.append(
      f'the masks mark {np.mean(anomalous):.0%} of their pictures on average:'
      ' they may be inverted; black must be normal'
    )
  if empty := anomalous.count(0):
    out.append(
      f'{empty} of {len(anomalous)} masks of anomalous pictures mark nothing'
    )
  if marking := sum(share > 0 for share in normal):
    out.append(
      f'{marking} of {len(normal)} masks of normal pictures mark something;'
      ' these pictures count as normal, without a mask'
    )
  return tuple(out)
