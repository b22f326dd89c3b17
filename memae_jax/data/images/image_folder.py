"""A user's folder of pictures as a Source.

train/good/000.png                normal: the one folder in train, or train
test/good/000.png                 normal: good, normal, ok, or named as in train
test/scratch/000.png              anomalous, one folder for each kind
ground_truth/scratch/000_mask.png where; optional, see `mask_files`

Without the folder test there are no labels and no test set of its own. Other
layouts are those of published sets, see `mvtec` and `visa_dagm`.
"""

import pathlib
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import numpy as np

from memae_jax.data import listing, types
from memae_jax.data.images import (
  decode_image,
  layouts,
  levels,
  mask_files,
  mvtec,
  visa_dagm,
)
from memae_jax.data.images import masks as masks_lib
from memae_jax.runtime import errors, foreign

# Pictures that are none of ours.
_OTHER_KINDS = (
  '.avif', '.cr2', '.dcm', '.dng', '.exr', '.gif', '.heic', '.heif', '.jp2',
  '.nef', '.npy', '.pgm', '.pnm', '.ppm', '.raw', '.tga',
)  # fmt: skip


def load(config) -> types.Source:
  """Loads the pictures of `data.path`, those of train first.

  Returns:
    Source with inputs [S, H, W, 1 or 3] uint8; label 0 is normal.

  Raises:
    UserError: naming the folder or the file that is wrong.
  """
  if not config.path:
    raise errors.UserError(
      'config field "data.path" is empty; data set "image_folder" needs a'
      ' folder'
    )
  root = pathlib.Path(config.path)
  layout = _layout(root)
  samples = layout.samples
  inside = lambda sample: layouts.inside(root, sample.file)
  has_mask, masks = None, masks_lib.Masks(None, (), ())
  with futures.ThreadPoolExecutor() as pool:  # Pillow decodes in parallel.
    scale = _levels(pool, samples, config.levels)
    read = lambda s: decode_image.read(
      s.file, config.image_size, config.colour, levels=scale.levels
    )
    found = list(pool.map(read, samples))
    inputs = _stack(samples, found)
    if layout.has_masks:
      has_mask = np.array([not s.kind or bool(s.masks) for s in samples])
      masks = masks_lib.read(pool, samples, found, config.image_size)
  names = list(dict.fromkeys(s.kind for s in samples if s.kind))
  is_test = np.array([sample.is_test for sample in samples])
  return types.Source(
    name='image_folder',
    inputs=inputs,
    labels=np.array([('', *names).index(s.kind) for s in samples], np.int32),
    label_names=tuple(map(foreign.name_of, (layout.normal, *names))),
    normal_labels=(0,),
    is_test=is_test if is_test.any() else None,
    masks=masks.marked,
    has_mask=has_mask,
    places={'file': np.array([inside(sample) for sample in samples])},
    levels=tuple(scale.levels),
    labelled=bool(is_test.any() or names),
    dropped=_dropped(root, layout),
    notes=_notes(samples, found, config.image_size),
    remarks=(
      *layout.remarks,
      *(scale.remarks if any(p.had_16_bit for p in found) else ()),
      *_remarks(found),
      *masks.remarks,
    ),
    warnings=(
      *layout.warnings,
      *_unread(root, layout),
      *scale.warnings,
      *_warnings(samples, found, inside),
      *masks.warnings,
    ),
  )


def _layout(root: pathlib.Path) -> layouts.Layout:
  """What the files of a folder are; some of them train."""
  layout = _any_layout(root)
  if all(sample.kind or sample.is_test for sample in layout.samples):
    raise errors.UserError(
      f'{foreign.name_of(root)} has no normal picture that trains;'
      f' {layouts.EXPECTED}'
    )
  return layout


def _any_layout(root: pathlib.Path) -> layouts.Layout:
  shown = foreign.name_of(root)
  if not root.is_dir():
    raise errors.UserError(f'{shown} is no folder; {layouts.EXPECTED}')
  names = layouts.TRAIN
  train = layouts.child(root, names)
  if train is None:
    if (root / 'Data/Images').is_dir():
      return visa_dagm.visa(root)
    hint = [
      f'; give one of its folders, such as {foreign.name_of(folder)}'
      for folder in listing.folders(root)
      if layouts.child(folder, names) or (folder / 'Data').is_dir()
    ]
    raise errors.UserError(
      f'{shown} has no folder train; {layouts.EXPECTED}' + ''.join(hint[:1])
    )
  if layouts.child(train, ('label',)) and layouts.direct(train):
    return visa_dagm.dagm(root, train)
  return mvtec.layout(root, train)


def _levels(pool, samples, asked) -> levels.Choice:
  """The scale of 16-bit pictures, by those that train."""
  train = [s.file for s in samples if not (s.is_test or s.kind)]
  total, lock = np.zeros(2**16, np.int64), threading.Lock()

  def count(file) -> bool:
    values = decode_image.values_of_16_bits(file)
    if values is None:
      return False
    counted = levels.counts(values)
    with lock:
      np.add(total, counted, out=total)
    return True

  wide = 0 if asked else sum(pool.map(count, train))
  choice = levels.choose(total, asked)
  if 0 < wide < len(train):
    choice = choice._replace(
      warnings=(
        *choice.warnings,
        f'{wide} of {len(train)} pictures that train have 16 bits, the others'
        ' 8: one object may have two brightnesses; save all alike',
      )
    )
  return choice


def _stack(
  samples: Sequence[layouts.Sample], found: Sequence[decode_image.Picture]
) -> np.ndarray:
  """Returns [S, H, W, C]; C is 3 if any picture has 3 channels."""
  height, width, _ = found[0].pixels.shape
  for sample, picture in zip(samples, found):
    if picture.pixels.shape[:2] != (height, width):
      one, first = map(foreign.name_of, (sample.file, samples[0].file))
      raise errors.UserError(
        f'{one} is {_size(picture)}, but {first} is {_size(found[0])}; set'
        ' data.image_size, or give all one size'
      )
  channels = max(picture.pixels.shape[2] for picture in found)
  inputs = np.empty((len(found), height, width, channels), np.uint8)
  for out, picture in zip(inputs, found):
    out[:] = picture.pixels  # Grey goes to each channel.
  return inputs


def _size(picture: decode_image.Picture) -> str:
  return '{}x{}'.format(*picture.size)


def _left(layout) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
  """Files that are not read, among pictures and among masks."""
  used = {file for files in layout.left_out.values() for file in files}
  for sample in layout.samples:
    used |= {sample.file, *(sample.masks.files if sample.masks else ())}
  return tuple([f for f in some if f not in used] for some in layout.looked_at)


def _dropped(root, layout) -> tuple[dict[str, Any], ...]:
  """Tells of files that are not read."""
  pictures_left, masks_left = _left(layout)
  whys = {
    'files that are no pictures in a folder of their kind': pictures_left,
    'files that are no masks of a picture': masks_left,
  } | layout.left_out
  return tuple(
    {
      'count': len(files),
      'why': f'{why}, such as {layouts.inside(root, files[0])}',
    }
    for why, files in whys.items()
    if files
  )


def _unread(root, layout) -> tuple[str, ...]:
  """Warns of pictures of other kinds, and of masks that are missing."""
  left, masks_left = _left(layout)
  others = [file for file in left if file.suffix.lower() in _OTHER_KINDS]
  out = []
  if others:
    first = layouts.inside(root, others[0])
    out.append(
      f'{len(others)} pictures such as {first} are left out, since they are'
      f' none of {", ".join(decode_image.SUFFIXES)}; convert them'
    )
  astray = [  # But for positions beside colours, as of MVTec 3D.
    file
    for file in left
    if file.suffix.lower() in decode_image.SUFFIXES and 'xyz' not in file.parts
  ]
  if astray:
    first = layouts.inside(root, astray[0])
    out.append(
      f'{len(astray)} pictures such as {first} are left out, since they lie in'
      ' no folder of a kind; move or remove them'
    )
  anomalous = [s for s in layout.samples if s.kind and s.is_test]
  without = [s for s in anomalous if not s.masks]
  if layout.has_masks and without:
    first = layouts.inside(root, without[0].file)
    left = f'; {len(masks_left)} files fit no picture, such as ' + (
      layouts.inside(root, masks_left[0]) if masks_left else ''
    )
    out.append(
      f'{len(without)} of {len(anomalous)} anomalous test pictures have no'
      f' mask, such as {first}{left if masks_left else ""}; expected in'
      f' ground_truth/KIND: {mask_files.EXPECTED}. Metrics of pixels leave'
      ' these pictures out'
    )
  return tuple(out)


def _notes(samples, found, side) -> dict[str, int]:
  squeezed = [p for p in found if side and p.size[0] != p.size[1]]
  return {
    'anomalies_with_mask': sum(bool(s.kind and s.masks) for s in samples),
    'pictures_scaled_from_16_bits': sum(p.had_16_bit for p in found),
    'pictures_clipped_from_16_bits': sum(p.clipped for p in found),
    'pictures_with_alpha_dropped': sum(p.had_alpha for p in found),
    'pictures_squeezed_to_squares': len(squeezed),
  }


def _remarks(found: Sequence[decode_image.Picture]) -> tuple[str, ...]:
  out = []
  if turned := sum(p.orientation != 1 for p in found):
    out.append(f'{turned} pictures turned upright, as their EXIF data say')
  if dropped := sum(p.had_alpha for p in found):
    out.append(f'{dropped} pictures have an alpha channel, which is dropped')
  return tuple(out)


def _warnings(samples, found, inside) -> tuple[str, ...]:
  out = []
  if alone := [s for s, p in zip(samples, found) if p.from_alpha]:
    out.append(
      f'{len(alone)} of {len(found)} pictures such as {inside(alone[0])} have'
      ' one colour and all of their content in the alpha channel, which is read'
      ' as grey'
    )
  trained = Counter(p.had_16_bit for s, p in zip(samples, found)
                    if not s.is_test)  # fmt: skip
  tested = [s for s, p in zip(samples, found) if s.is_test and p.had_16_bit]
  if tested and not trained[True]:
    out.append(
      f'{len(tested)} test pictures such as {inside(tested[0])} have 16 bits,'
      ' but none that train: they are read by the whole range of 16 bits; save'
      ' all alike, or set data.levels'
    )
  return tuple(out)
