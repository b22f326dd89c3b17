"""The layout of MVTec AD and of what follows it.

train/NORMAL, test/NORMAL, test/KIND and ground_truth/KIND: also of MVTec LOCO,
which has validation/NORMAL and several masks a picture, of MVTec 3D, MPDD and
BTAD, and of VisA as one class.
"""

import pathlib
import re

from memae_jax.data import listing
from memae_jax.data.images import decode_image, layouts, mask_files
from memae_jax.runtime import errors, foreign

# Names of normal pictures as well as of a kind of anomaly.
_DOUBTFUL = re.compile(
  r'(good|normal|ok)(s|[ _.-].*|\d+)|0|neg|negative|healthy|nominal|clean|pass'
  r'|passed|intact|undamaged|(no|non|without)[ _-]?(defects?|defective)'
  r'|defect[ _-]?free|non[ _-]?anomal(y|ous)',
  re.IGNORECASE,
)
_VALIDATION = ('validation', 'valid', 'val')
_GROUND_TRUTH = (
  'ground_truth',
  'ground-truth',
  'ground truth',
  'groundtruth',
  'gt',
  'mask',
  'masks',
)


def layout(root: pathlib.Path, train: pathlib.Path) -> layouts.Layout:
  """Returns what the files are.

  Args:
    root: the folder.
    train: its folder train.

  Raises:
    UserError: it lacks something, or has two meanings.
  """
  folder_of_normal, name, empty = _normal(train)
  validation, left_out = _validation(root, name)
  test = layouts.child(root, layouts.TEST)
  tested, more = _tested(test, name)
  is_for_masks = lambda folder: folder.name.lower() in _GROUND_TRUTH
  of_masks = list(filter(is_for_masks, listing.folders(root)))
  trained = mask_files.apart([folder_of_normal])
  apart = mask_files.apart(tested)
  if trained.masks:
    left_out['masks of normal pictures'] = list(trained.masks)
  masks = apart.masks | {
    file: file.relative_to(folder)
    for folder in of_masks
    for file in decode_image.files(folder)
  }
  of_picture = mask_files.assign(masks, mask_files.known(apart.pictures))
  samples, remarks = [], []
  for folder, files, is_test in [
    *((f, files, False) for f, files in trained.pictures.items()),
    *((f, list(decode_image.files(f)), False) for f in validation),
    *((f, files, True) for f, files in apart.pictures.items()),
  ]:
    if not files and any(folder in mask.parents for mask in apart.masks):
      continue
    normal = folder == folder_of_normal or layouts.is_normal(folder.name, name)
    some = _samples(folder, files, is_test, normal, of_picture)
    use = ', added to those that train' if folder in validation else ''
    where = layouts.inside(root, folder)
    remarks.append(f'{where}: {layouts.counted(some)}{use}')
    samples += some
  remarks += [*trained.remarks, *apart.remarks]
  remarks += [f'{layouts.inside(root, f)}: empty' for f in empty + more]
  looked_at = [train, *validation, *([test] if test else [])]
  return layouts.Layout(
    normal=name,
    samples=samples,
    has_masks=bool(of_masks or apart.masks),
    looked_at=tuple(
      [file for folder in folders for file in listing.files(folder)]
      for folders in (looked_at, of_masks)
    ),
    left_out=left_out,
    remarks=tuple(remarks),
    warnings=(
      *trained.warnings,
      *apart.warnings,
      *layouts.one_sided(samples, name),
    ),
  )


def _samples(folder, files, is_test, normal, of_picture):
  """The pictures of a folder, all of one kind."""
  if not files:
    raise errors.UserError(
      f'{foreign.name_of(folder)} has no picture'
      f' ({", ".join(decode_image.SUFFIXES)}); put some there, or remove it'
    )
  kind = '' if normal else folder.name
  return [layouts.Sample(f, kind, is_test, of_picture.get(f)) for f in files]


def _normal(train: pathlib.Path):
  """The folder that trains, the name of what is normal, and empty folders."""
  folders, empty = _filled(train)
  if not folders and layouts.direct(train):
    return train, layouts.NORMAL[0], empty
  if len(folders) != 1:
    there = ', '.join(foreign.name_of(f.name) for f in folders) or 'no folder'
    raise errors.UserError(
      f'{foreign.name_of(train)} has {there}, but needs one folder, of normal'
      f' pictures; {layouts.EXPECTED}'
    )
  return folders[0], folders[0].name, empty


def _filled(
  parent: pathlib.Path,
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
  """Folders with files at any depth, and those without."""
  folders = listing.folders(parent)
  empty = [folder for folder in folders if listing.is_empty(folder)]
  return [folder for folder in folders if folder not in empty], empty


def _validation(root: pathlib.Path, normal: str):
  """Folders of normal pictures, and what is left out: {why: files}."""
  parent = layouts.child(root, _VALIDATION)
  if parent is None:
    return [], {}
  folders, _ = _filled(parent)
  kept = [f for f in folders if layouts.is_normal(f.name, normal)]
  others = [
    file for f in folders if f not in kept for file in decode_image.files(f)
  ]
  why = 'anomalous pictures of a validation set'
  return kept, {why: others} if others else {}


def _tested(test: pathlib.Path | None, of_train: str):
  """Folders that are tested, and empty ones."""
  if test is None:
    return [], []
  tested, empty = _filled(test)
  if not tested:
    raise errors.UserError(
      f'{foreign.name_of(test)} has no folder; {layouts.EXPECTED}, or remove it'
    )
  _check_names([folder.name for folder in tested], of_train, test)
  return tested, empty


def _check_names(names, of_train: str, test) -> None:
  """Raises UserError for names of test folders with two meanings."""
  fold = layouts.folded
  usual = [name for name in names if fold(name) in layouts.NORMAL]
  as_train = [name for name in names if fold(name) == fold(of_train)]
  if usual and as_train and fold(of_train) not in layouts.NORMAL:
    raise errors.UserError(
      f'{foreign.name_of(test)} has {foreign.name_of(as_train[0])}, named as'
      f' the folder that trains, and {foreign.name_of(usual[0])}; rename the'
      ' one that is anomalous'
    )
  for name in names:
    doubtful = _DOUBTFUL.fullmatch(name.strip())
    if doubtful and not layouts.is_normal(name, of_train):
      raise errors.UserError(
        f'{foreign.name_of(test / name)} may be normal pictures or a kind of'
        ' anomaly; call it good, or after its defect'
      )
