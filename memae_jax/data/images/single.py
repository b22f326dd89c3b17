"""Pictures that stand alone: a file, or a folder without training pictures.

fabric.png                         one picture, without a label
folder/000.png                     several, without labels
folder/good/000.png                normal: good, normal or ok
folder/scratch/000.png             anomalous
folder/ground_truth/scratch/000_mask.png

A folder `test` is read in the same way, and `train` beside it is left alone.
Pictures may differ in size: arrays have that of the largest, and grey around.
"""

import hashlib
import pathlib
from collections.abc import Sequence

import numpy as np

from memae_jax.data import listing
from memae_jax.data.images import decode_image, layouts, mask_files
from memae_jax.runtime import errors, foreign

GREY = np.uint8(128)  # Around pictures that are smaller than the largest.
_NORMAL = layouts.NORMAL[0]
# Scalings that look at a pixel by itself, so that grey around changes nothing.
_BY_PIXEL = 'fixed', 'none'


def layout(root: pathlib.Path) -> layouts.Layout:
  """Returns the pictures at a path, all of them to test.

  Raises:
    UserError: there is none.
  """
  if root.is_file():
    return _plain(root.name, [root])
  if not root.is_dir():
    raise errors.UserError(
      f'{foreign.name_of(root)} is neither a picture nor a folder of pictures;'
      ' check the path (path=, data.path)'
    )
  top = layouts.child(root, layouts.TEST) or root
  folders = [
    f
    for f in listing.folders(top)
    if f.name.lower() not in (*layouts.GROUND_TRUTH, *layouts.TRAIN)
  ]
  own = [f for f in layouts.direct(top)]
  if own or not folders:
    if not own:
      raise errors.UserError(
        f'{foreign.name_of(top)} has no picture; give a picture, or a folder of'
        f' pictures ({", ".join(decode_image.SUFFIXES)})'
      )
    return _plain(root.name, own)
  pictures = {f: decode_image.files(f) for f in folders}
  of_masks = [
    f
    for parent in dict.fromkeys((root, top))
    for f in listing.folders(parent)
    if f.name.lower() in layouts.GROUND_TRUTH
  ]
  masks = {
    file: file.relative_to(folder)
    for folder in of_masks
    for file in decode_image.files(folder)
  }
  found = mask_files.assign(
    masks, mask_files.by_name({f: list(p) for f, p in pictures.items()})
  )
  samples = [
    layouts.Sample(
      file,
      '' if layouts.is_normal(folder.name, _NORMAL) else folder.name,
      True,
      found.get(file),
    )
    for folder, files in pictures.items()
    for file in files
  ]
  return layouts.Layout(
    normal=_NORMAL,
    samples=samples,
    has_masks=bool(of_masks),
    looked_at=([s.file for s in samples], list(masks)),
  )


def _plain(name: str, files: list[pathlib.Path]) -> layouts.Layout:
  samples = [layouts.Sample(file, '', True) for file in files]
  return layouts.Layout(
    normal=name, samples=samples, has_masks=False, looked_at=(files, [])
  )


def sizes(
  samples: Sequence[layouts.Sample],
  pictures: Sequence[decode_image.Picture],
  config,
) -> np.ndarray | None:
  """Returns height and width of each picture, [S, 2]; None: all have one size.

  Args:
    samples: all of them.
    pictures: of each.
    config: the resolved `config.data`.

  Raises:
    UserError: sizes differ where a mask or the scaling is of one size.
  """
  found = np.array([p.pixels.shape[:2] for p in pictures], np.int32)
  if (found == found[0]).all():
    return None
  first, other = (
    f'{foreign.name_of(samples[i].file)} has {found[i, 0]} x {found[i, 1]}'
    for i in (0, int((found != found[0]).any(axis=1).argmax()))
  )
  for field, is_set, mend in (
    ('fill', config.fill, 'give the one picture that it is of'),
    (
      'scaling',
      config.scaling not in _BY_PIXEL,
      f'use one of {", ".join(_BY_PIXEL)}',
    ),
  ):
    if is_set:
      raise errors.UserError(
        f'config field "data.{field}" is "{config[field]}", which is for'
        f' pictures of one size, but {first} pixels and {other}; set'
        f' data.image_size, or {mend}'
      )
  return found


def check_distinct(
  samples: Sequence[layouts.Sample], inputs: np.ndarray, sizes: np.ndarray
) -> None:
  """Raises UserError for pictures that differ by grey around them alone.

  Args:
    samples: all of them.
    inputs: [S, H, W, C] uint8, with grey around smaller pictures.
    sizes: [S, 2] from `sizes`.
  """
  seen: dict[bytes, int] = {}
  for k, page in enumerate(inputs):
    earlier = seen.setdefault(hashlib.sha256(page).digest(), k)
    if (sizes[earlier] != sizes[k]).any():
      one, other = (foreign.name_of(samples[i].file) for i in (earlier, k))
      raise errors.UserError(
        f'{one} and {other} are the same picture, but for a grey border; remove'
        ' one of them'
      )
