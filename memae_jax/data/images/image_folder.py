"""Data set "image_folder": a user's folder of pictures as a Source.

train/good/000.png                 normal: the one folder in train, or train
test/good/000.png                  normal: good, normal, ok, or named as in
                                   train
test/scratch/000.png               anomalous, one folder for each kind
ground_truth/scratch/000_mask.png  which pixels; optional, see `mask_files`

Without a folder test, the data have neither labels nor a test set of their own.
Layouts of published sets are in `mvtec` and `visa_dagm`, pictures that stand
alone in `single`.
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
  single,
  visa_dagm,
)
from memae_jax.data.images import masks as masks_lib
from memae_jax.runtime import errors, foreign

# Suffixes of pictures that this project does not read.
_OTHER_KINDS = (
  '.avif', '.cr2', '.dcm', '.dng', '.exr', '.gif', '.heic', '.heif', '.jp2',
  '.nef', '.npy', '.pgm', '.pnm', '.ppm', '.raw', '.tga',
)  # fmt: skip


def load(config) -> types.Source:
  """Loads the pictures of `data.path`, training pictures first.

  Args:
    config: the resolved `config.data`.

  Returns:
    Source with inputs [S, H, W, 1 or 3] uint8; label 0 is normal.

  Raises:
    UserError: a folder or a file is wrong; the message names it.
  """
  root, alone = _root(config.path), config.protocol == 'alone'
  layout = single.layout(root) if alone else _layout(root)
  root = root if root.is_dir() else root.parent
  samples = layout.samples
  has_mask, masks = None, masks_lib.Masks(None, (), ())
  with futures.ThreadPoolExecutor() as pool:  # Pillow decodes in parallel.
    levels_choice = _levels(pool, samples, config.levels)
    read = lambda s: decode_image.read(
      s.file, config.image_size, config.colour, levels=levels_choice.levels
    )
    pictures = list(pool.map(read, samples))
    sizes = single.sizes(samples, pictures, config) if alone else None
    inputs = _stack(samples, pictures, sizes is not None)
    if sizes is not None:
      single.check_distinct(samples, inputs, sizes)
    if layout.has_masks:
      has_mask = np.array([not s.kind or bool(s.masks) for s in samples])
      masks = masks_lib.read(pool, samples, pictures, config.image_size)
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
    places={'file': np.array([layouts.inside(root, s.file) for s in samples])},
    levels=tuple(levels_choice.levels),
    unknown=_unknown(config, inputs.shape[1:3]),
    sizes=sizes,
    labelled=bool(names) or bool(is_test.any() and not alone),
    dropped=_dropped(root, layout),
    notes=_notes(samples, pictures, config.image_size),
    remarks=(
      *layout.remarks,
      *(levels_choice.remarks if any(p.had_16_bit for p in pictures) else ()),
      *_remarks(pictures),
      *masks.remarks,
    ),
    warnings=(
      *layout.warnings,
      *_unread_warnings(root, layout),
      *levels_choice.warnings,
      *_warnings(root, samples, pictures),
      *masks.warnings,
    ),
  )


def _unknown(config, size: tuple[int, int]) -> np.ndarray | None:
  """Returns the pixels that `data.fill` marks, or None.

  Raises:
    UserError: the mask has another size, marks nothing or leaves nothing, or
      the protocol is another one.
  """
  if not config.fill:
    return None
  path = pathlib.Path(config.fill)
  name = foreign.name_of(path)
  if config.protocol != 'alone':
    raise errors.UserError(
      f'config field "data.fill" is {name}, but data.protocol is'
      f' "{config.protocol}"; use "alone"'
    )
  pixels = decode_image.read(path, config.image_size, 'grey').pixels
  if pixels.shape[:2] != size:
    raise errors.UserError(
      f'{name} has {pixels.shape[0]} x {pixels.shape[1]} pixels, but the'
      f' pictures {size[0]} x {size[1]}; give a mask of that size'
    )
  marked = pixels[..., 0] >= 128
  if marked.all() or not marked.any():
    raise errors.UserError(
      f'{name} marks {"all" if marked.all() else "none"} of the pixels; white'
      ' are those to fill in'
    )
  return marked


def _root(path: str) -> pathlib.Path:
  if not path:
    raise errors.UserError(
      'config field "data.path" is empty; data set "image_folder" needs a'
      ' folder'
    )
  return pathlib.Path(path)


def _layout(root: pathlib.Path) -> layouts.Layout:
  """Returns the layout of a folder.

  Raises:
    UserError: no normal picture trains, or the layout is unknown.
  """
  layout = _read_layout(root)
  if all(sample.kind or sample.is_test for sample in layout.samples):
    raise errors.UserError(
      f'{foreign.name_of(root)} has no normal picture that trains;'
      f' {layouts.EXPECTED}'
    )
  return layout


def _read_layout(root: pathlib.Path) -> layouts.Layout:
  root_name = foreign.name_of(root)
  if not root.is_dir():
    raise errors.UserError(f'{root_name} is no folder; {layouts.EXPECTED}')
  names = layouts.TRAIN
  train = layouts.child(root, names)
  if train is None:
    if (root / 'Data/Images').is_dir():
      return visa_dagm.visa(root)
    hints = [
      f'; give one of its folders, such as {foreign.name_of(folder)}'
      for folder in listing.folders(root)
      if layouts.is_category(folder)
    ]
    raise errors.UserError(
      f'{root_name} has no folder train; {layouts.EXPECTED}'
      + ''.join(hints[:1])
    )
  if layouts.child(train, ('label',)) and layouts.direct(train):
    return visa_dagm.dagm(root, train)
  return mvtec.layout(root, train)


def _levels(pool, samples, asked) -> levels.Choice:
  """Chooses the levels of 16-bit pictures by those that train.

  Args:
    pool: executor that reads the pictures.
    samples: all samples.
    asked: `data.levels`, or () to choose.
  """
  train = [s.file for s in samples if not (s.is_test or s.kind)]
  train = train or [s.file for s in samples]  # Pictures that stand alone.
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
        ' 8: the same object may differ in brightness; save all alike',
      )
    )
  return choice


def _stack(
  samples: Sequence[layouts.Sample],
  pictures: Sequence[decode_image.Picture],
  may_differ: bool,
) -> np.ndarray:
  """Returns the pixels of all pictures, [S, H, W, C] uint8.

  C is 3 if any picture has 3 channels.

  Args:
    samples: all of them.
    pictures: of each.
    may_differ: whether they may differ in size; then all lie at the top left.

  Raises:
    UserError: pictures differ in size, and may not.
  """
  shapes = [picture.pixels.shape for picture in pictures]
  for sample, picture in zip(samples, pictures):
    if picture.pixels.shape[:2] != shapes[0][:2] and not may_differ:
      other, first = map(foreign.name_of, (sample.file, samples[0].file))
      raise errors.UserError(
        f'{other} is {_size(picture)}, but {first} is {_size(pictures[0])}; set'
        ' data.image_size, or give all pictures one size'
      )
  inputs = np.full((len(shapes), *np.max(shapes, axis=0)), single.GREY)
  for out, picture, (height, width, _) in zip(inputs, pictures, shapes):
    out[:height, :width] = picture.pixels  # Grey is copied to each channel.
  return inputs


def _size(picture: decode_image.Picture) -> str:
  return '{}x{}'.format(*picture.size)


def _unused_files(layout) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
  """Returns the files that are not used: of pictures, and of masks."""
  used = {file for files in layout.left_out.values() for file in files}
  for sample in layout.samples:
    used |= {sample.file, *(sample.masks.files if sample.masks else ())}
  return tuple(
    [file for file in files if file not in used] for files in layout.looked_at
  )


def _dropped(root, layout) -> tuple[dict[str, Any], ...]:
  """Returns what `types.Source.dropped` says of files that are not read."""
  pictures_left, masks_left = _unused_files(layout)
  files_by_reason = {
    'files that are no pictures, or in no folder of a kind': pictures_left,
    'files that are no masks of a picture': masks_left,
  } | layout.left_out
  return tuple(
    {
      'count': len(files),
      'why': f'{why}, such as {layouts.inside(root, files[0])}',
    }
    for why, files in files_by_reason.items()
    if files
  )


def _unread_warnings(root, layout) -> tuple[str, ...]:
  """Returns warnings of pictures that are not read, and of missing masks."""
  pictures_left, masks_left = _unused_files(layout)
  of_other_kinds = [
    f for f in pictures_left if f.suffix.lower() in _OTHER_KINDS
  ]
  warnings = []
  if of_other_kinds:
    first = layouts.inside(root, of_other_kinds[0])
    warnings.append(
      f'{len(of_other_kinds)} pictures such as {first} are left out, since they'
      f' are none of {", ".join(decode_image.SUFFIXES)}; convert them'
    )
  astray = [  # MVTec 3D has positions (xyz) beside colours; they are expected.
    file
    for file in pictures_left
    if file.suffix.lower() in decode_image.SUFFIXES and 'xyz' not in file.parts
  ]
  if astray:
    first = layouts.inside(root, astray[0])
    warnings.append(
      f'{len(astray)} pictures such as {first} are left out, since they lie in'
      ' no folder of a kind; move or remove them'
    )
  anomalous = [s for s in layout.samples if s.kind and s.is_test]
  without_mask = [s for s in anomalous if not s.masks]
  if layout.has_masks and without_mask:
    first = layouts.inside(root, without_mask[0].file)
    hint = ''
    if masks_left:
      example = layouts.inside(root, masks_left[0])
      hint = f'; {len(masks_left)} files fit no picture, such as {example}'
    warnings.append(
      f'{len(without_mask)} of {len(anomalous)} anomalous test pictures have no'
      f' mask, such as {first}{hint}; expected in ground_truth/KIND:'
      f' {mask_files.EXPECTED}. Metrics of pixels leave these pictures out'
    )
  return tuple(warnings)


def _notes(samples, pictures, side) -> dict[str, int]:
  squeezed = [p for p in pictures if side and p.size[0] != p.size[1]]
  return {
    'anomalies_with_mask': sum(bool(s.kind and s.masks) for s in samples),
    'pictures_scaled_from_16_bits': sum(p.had_16_bit for p in pictures),
    'pictures_clipped_from_16_bits': sum(p.clipped for p in pictures),
    'pictures_with_alpha_dropped': sum(p.had_alpha for p in pictures),
    'pictures_squeezed_to_squares': len(squeezed),
  }


def _remarks(pictures: Sequence[decode_image.Picture]) -> tuple[str, ...]:
  remarks = []
  if turned := sum(p.orientation != 1 for p in pictures):
    remarks.append(f'{turned} pictures turned upright, as their EXIF data say')
  if dropped := sum(p.had_alpha for p in pictures):
    remarks.append(
      f'{dropped} pictures have an alpha channel, which is dropped'
    )
  return tuple(remarks)


def _warnings(root, samples, pictures) -> tuple[str, ...]:
  inside = lambda sample: layouts.inside(root, sample.file)
  warnings = []
  if transparent := [s for s, p in zip(samples, pictures) if p.from_alpha]:
    warnings.append(
      f'{len(transparent)} of {len(pictures)} pictures such as'
      f' {inside(transparent[0])} have one colour and all of their content in'
      ' the alpha channel, which is read as grey'
    )
  trained = Counter(p.had_16_bit for s, p in zip(samples, pictures)
                    if not s.is_test)  # fmt: skip
  tested = [s for s, p in zip(samples, pictures) if s.is_test and p.had_16_bit]
  if tested and not trained[True]:
    warnings.append(
      f'{len(tested)} test pictures such as {inside(tested[0])} have 16 bits,'
      ' but no training picture has: they are read by the whole range of 16'
      ' bits; save all alike, or set data.levels'
    )
  return tuple(warnings)
