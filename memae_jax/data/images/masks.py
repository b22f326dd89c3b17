"""Reads the masks of pictures, and warns of doubtful ones."""

import pathlib
from collections.abc import Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np

from memae_jax.data.images import decode_image, layouts
from memae_jax.runtime import errors, foreign


class _Read(NamedTuple):
  """Mask of one picture.

  marked: [H, W] bool, resized.
  share: share of pixels that are marked before resizing.
  lossy: True if one of its files is lossy.
  turned: True if one of its files was turned as its picture was.
  """

  marked: np.ndarray
  share: float
  lossy: bool
  turned: bool


class Masks(NamedTuple):
  """Masks of all samples.

  marked: [S, H, W] bool, True where a pixel of an anomalous sample is marked;
    None if there are no masks.
  remarks, warnings: see `types.Source`.
  """

  marked: np.ndarray | None
  remarks: tuple[str, ...]
  warnings: tuple[str, ...]


def read(
  pool: futures.Executor,
  samples: Sequence[layouts.Sample],
  pictures: Sequence[decode_image.Picture],
  size: decode_image.Size,
) -> Masks:
  """Reads the masks of samples.

  Args:
    pool: executor that reads the masks.
    samples: all samples.
    pictures: the picture of each sample.
    size: size to which masks are resized.

  Raises:
    UserError: a mask cannot be read, or does not fit its picture.
  """
  # Pictures that stand alone may differ in size, see `single.sizes`.
  shape = np.max([p.pixels.shape[:2] for p in pictures], axis=0)
  marked = np.zeros((len(pictures), *shape), bool)
  with_masks = [i for i, sample in enumerate(samples) if sample.masks]
  read_mask = lambda i: _read_one(samples[i], pictures[i], size)
  masks_of: dict[bool, list[_Read]] = {True: [], False: []}
  for i, mask in zip(with_masks, pool.map(read_mask, with_masks)):
    anomalous = bool(samples[i].kind)
    masks_of[anomalous].append(mask)
    if anomalous:
      height, width = mask.marked.shape
      marked[i, :height, :width] = mask.marked
  return Masks(
    marked,
    _remarks(samples, [*masks_of[True], *masks_of[False]]),
    _warnings(
      [m.share for m in masks_of[True]], [m.share for m in masks_of[False]]
    ),
  )


def _read_one(sample, picture, size) -> _Read:
  """Reads the mask of one picture, from one file or several."""
  files, several = sample.masks
  masks = [decode_image.mask(file) for file in files]
  upright = [
    _upright(file, mask, sample.file, picture)
    for file, mask in zip(files, masks)
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
    any(mask.lossy for mask in masks),
    any(a is not b.marked for a, b in zip(upright, masks)),
  )


def _upright(
  file: pathlib.Path,
  mask: decode_image.Mask,
  picture_file: pathlib.Path,
  picture: decode_image.Picture,
) -> np.ndarray:
  """Returns a mask [H, W] turned as its picture is shown.

  EXIF data may turn a picture whose mask was drawn on the stored pixels. The
  size of the mask tells which of both it fits.

  Raises:
    UserError: the mask has another size, or fits both.
  """
  marked, shape = mask.marked, picture.size[::-1]
  names = foreign.name_of(file), foreign.name_of(picture_file)
  if picture.orientation != mask.orientation == 1:
    turned = decode_image.turned(marked, picture.orientation)
    if turned.shape == marked.shape == shape and (turned != marked).any():
      raise errors.UserError(
        f'{names[1]} is turned by its EXIF data, but its mask {names[0]} is'
        ' not, and its size does not tell whether it was drawn on the picture'
        ' as stored or as shown; save the picture upright, without EXIF data'
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
  of_all = f' of {len(read_masks)} masks'
  several = sum(bool(s.masks and len(s.masks.files) > 1) for s in samples)
  return tuple(
    f'{count}{of_all} {text}'
    for count, text in (
      (
        sum(mask.lossy for mask in read_masks),
        'are JPEG or lossy WebP, of which the bright half is anomalous',
      ),
      (
        sum(mask.turned for mask in read_masks),
        'are turned as the EXIF data of their pictures say',
      ),
      (several, 'have several files, all of which count'),
    )
    if count
  )


def _warnings(anomalous: list[float], normal: list[float]) -> tuple[str, ...]:
  """Returns warnings of doubtful masks.

  Args:
    anomalous: shares of pixels that are marked, of anomalous pictures.
    normal: shares of pixels that are marked, of normal pictures.
  """
  warnings = []
  if anomalous and np.mean(anomalous) > 0.5:
    warnings.append(
      f'the masks mark {np.mean(anomalous):.0%} of their pictures on average:'
      ' they may be inverted; black pixels must be the normal ones'
    )
  if empty := anomalous.count(0):
    warnings.append(
      f'{empty} of {len(anomalous)} masks of anomalous pictures mark nothing'
    )
  if marking := sum(share > 0 for share in normal):
    warnings.append(
      f'{marking} of {len(normal)} masks of normal pictures mark something;'
      ' these pictures count as normal, without a mask'
    )
  return tuple(warnings)
