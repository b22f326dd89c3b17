"""A user's folder of pictures, laid out like MVTec AD, as a Source.

train/good/000.png                normal: the one folder in train
test/good/000.png                 normal (or "normal", or named as in train)
test/scratch/000.png              anomalous, one folder for each kind
ground_truth/scratch/000_mask.png where; optional, may also be 000.png

Without the folder test there are no labels and no test set of its own.
"""

import pathlib
from collections.abc import Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np

from memae_jax import errors
from memae_jax.data import listing, pictures, types

_LAYOUT = 'expected train/good, test/good and test/KIND with pictures in them'
_NORMAL = ('good', 'normal')  # Names of normal test folders.
_MASK_SUFFIXES = ('.png', '.bmp', '.tif', '.tiff', '.webp')  # JPEG is lossy.


class _Sample(NamedTuple):
  """A picture file, and its mask file if there is one."""

  file: pathlib.Path
  label: int
  is_test: bool
  mask: pathlib.Path | None


def load(config) -> types.Source:
  """Loads the pictures of `data.path`, those of train first.

  Returns:
    Source with inputs [S, H, W, 1 or 3] uint8; label 0 is normal.

  Raises:
    UserError: naming the folder or the file that is wrong.
  """
  root = _root(config.path)
  names, samples = _samples(root)
  with futures.ThreadPoolExecutor() as pool:  # Pillow decodes in parallel.
    read = lambda s: pictures.read(s.file, config.image_size, config.colour)
    found = list(pool.map(read, samples))
    inputs = _stack(samples, found)
    masks = has_mask = None
    if (root / 'ground_truth').is_dir():
      masks = np.zeros(inputs.shape[:3], bool)
      has_mask = np.array([not s.label or bool(s.mask) for s in samples])
      given = [i for i, sample in enumerate(samples) if sample.mask]
      read = lambda i: _mask(samples[i], found[i], config.image_size)
      for i, mask in zip(given, pool.map(read, given)):
        masks[i] = mask
  is_test = np.array([sample.is_test for sample in samples])
  return types.Source(
    name='image_folder',
    inputs=inputs,
    labels=np.array([sample.label for sample in samples], np.int32),
    label_names=names,
    normal_labels=(0,),
    is_test=is_test if is_test.any() else None,
    masks=masks,
    has_mask=has_mask,
    places={'file': np.array([str(s.file.relative_to(root)) for s in samples])},
    labelled=bool(is_test.any()),
    dropped=_dropped(root, samples),
    notes=_notes(samples, found, config.image_size),
  )


def _root(path: str) -> pathlib.Path:
  if not path:
    raise errors.UserError(
      'config field "data.path" is empty; data set "image_folder" needs a'
      ' folder'
    )
  root = pathlib.Path(path)
  if not (root / 'train').is_dir():
    there = 'has no folder train' if root.is_dir() else 'is no folder'
    raise errors.UserError(f'{root} {there}; {_LAYOUT}')
  return root


def _samples(root: pathlib.Path) -> tuple[tuple[str, ...], list[_Sample]]:
  """Returns the names of the labels and all samples."""
  train, test = listing.folders(root / 'train'), listing.folders(root / 'test')
  if len(train) != 1:
    there = ', '.join(folder.name for folder in train) or 'no folder'
    raise errors.UserError(
      f'{root / "train"} has {there}, but needs one folder, of normal'
      f' pictures; {_LAYOUT}'
    )
  if not test and (root / 'test').exists():
    raise errors.UserError(
      f'{root / "test"} has no folder; {_LAYOUT}, or remove it'
    )
  names, samples = [train[0].name], []
  for folder in train + test:
    if folder.name in (names[0], *_NORMAL):
      label = 0
    else:
      label = len(names)
      names.append(folder.name)
    files = pictures.files(folder)
    if not files:
      raise errors.UserError(
        f'{folder} has no picture ({", ".join(pictures.SUFFIXES)}); put some'
        ' there, or remove it'
      )
    for file in files:
      mask = _mask_file(root, folder, file) if label else None
      samples.append(_Sample(file, label, folder in test, mask))
  return tuple(names), samples


def _mask_file(root, folder, file) -> pathlib.Path | None:
  place = root / 'ground_truth' / folder.name / file.relative_to(folder)
  for stem in (f'{file.stem}_mask', file.stem):
    for suffix in (*_MASK_SUFFIXES, *map(str.upper, _MASK_SUFFIXES)):
      mask = place.with_name(stem + suffix)
      if mask.is_file():
        return mask
  return None


def _stack(
  samples: Sequence[_Sample], found: Sequence[pictures.Picture]
) -> np.ndarray:
  """Returns [S, H, W, C]; C is 3 if any picture has 3 channels."""
  height, width, _ = found[0].pixels.shape
  for sample, picture in zip(samples, found):
    if picture.pixels.shape[:2] != (height, width):
      raise errors.UserError(
        f'{sample.file} is {_size(picture)}, but {samples[0].file} is'
        f' {_size(found[0])}; set data.image_size, or give all one size'
      )
  channels = max(picture.pixels.shape[2] for picture in found)
  inputs = np.empty((len(found), height, width, channels), np.uint8)
  for out, picture in zip(inputs, found):
    out[:] = picture.pixels  # Grey goes to each channel.
  return inputs


def _size(picture: pictures.Picture) -> str:
  return '{}x{}'.format(*picture.size)


def _mask(sample, picture, side) -> np.ndarray:
  """Returns [H, W] bool."""
  mask, size = pictures.read_mask(sample.mask, side)
  if size != picture.size:
    raise errors.UserError(
      f'mask {sample.mask} is {size[0]}x{size[1]}, but its picture'
      f' {sample.file} is {_size(picture)}; give both one size'
    )
  return mask


def _dropped(root, samples) -> tuple[dict[str, Any], ...]:
  """Tells of files that are not read."""
  used = {path for sample in samples for path in (sample.file, sample.mask)}
  dropped = []
  for folders, why in (
    (('train', 'test'), 'no pictures in a folder of their kind'),
    (('ground_truth',), 'no masks of an anomalous picture'),
  ):
    left = [
      f for name in folders for f in listing.files(root / name) if f not in used
    ]
    if left:
      first = left[0].relative_to(root).as_posix()
      dropped.append(
        {'count': len(left), 'why': f'files that are {why}, such as {first}'}
      )
  return tuple(dropped)


def _notes(samples, found, side) -> dict[str, int]:
  squeezed = [p for p in found if side and p.size[0] != p.size[1]]
  return {
    'anomalies_with_mask': sum(bool(sample.mask) for sample in samples),
    'pictures_scaled_from_16_bits': sum(p.had_16_bit for p in found),
    'pictures_with_alpha_dropped': sum(p.had_alpha for p in found),
    'pictures_squeezed_to_squares': len(squeezed),
  }
