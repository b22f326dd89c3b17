"""Pictures that stand alone: a file, or a folder without training pictures.

fabric.png                         one picture, without a label
folder/000.png                     several, without labels
folder/good/000.png                normal: good, normal or ok
folder/scratch/000.png             anomalous
folder/ground_truth/scratch/000_mask.png

A folder `test` is read in the same way, and `train` beside it is left alone.
"""

import pathlib

from memae_jax.data import listing
from memae_jax.data.images import decode_image, layouts, mask_files
from memae_jax.runtime import errors, foreign

_NORMAL = layouts.NORMAL[0]


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
