"""Layout of MVTec AD and of the sets that follow it.

Its folders are train/NORMAL, test/NORMAL, test/KIND and ground_truth/KIND.
MVTec LOCO has them, too, with validation/NORMAL and several masks per picture;
so have MVTec 3D, MPDD, BTAD, and VisA as one class.
"""

import pathlib
import re

from memae_jax.data import listing
from memae_jax.data.images import decode_image, layouts, mask_files
from memae_jax.runtime import errors, foreign

# Names that both normal pictures and a kind of anomaly may have.
_DOUBTFUL = re.compile(
  r'(good|normal|ok)(s|[ _.-].*|\d+)|0|neg|negative|healthy|nominal|clean|pass'
  r'|passed|intact|undamaged|(no|non|without)[ _-]?(defects?|defective)'
  r'|defect[ _-]?free|non[ _-]?anomal(y|ous)',
  re.IGNORECASE,
)
_VALIDATION = ('validation', 'valid', 'val')


def layout(root: pathlib.Path, train: pathlib.Path) -> layouts.Layout:
  """Returns the roles of the files in a folder.

  Args:
    root: path of the folder.
    train: path of its folder train.

  Raises:
    UserError: a folder or a picture is missing, or may have two meanings.
  """
  normal_folder, name, empty = _train_folder(train)
  validation, left_out = _validation_folders(root, name)
  test = layouts.child(root, layouts.TEST)
  tested, empty_in_test = _test_folders(test, name)
  folders = listing.folders(root)
  mask_folders = [f for f in folders if f.name.lower() in layouts.GROUND_TRUTH]
  train_apart = mask_files.apart([normal_folder])
  test_apart = mask_files.apart(tested)
  if train_apart.masks:
    left_out['masks of normal pictures'] = list(train_apart.masks)
  masks = test_apart.masks | {
    file: file.relative_to(folder)
    for folder in mask_folders
    for file in decode_image.files(folder)
  }
  masks_of = mask_files.assign(masks, mask_files.by_name(test_apart.pictures))
  samples, remarks = [], []
  for folder, files, is_test in [
    *((f, files, False) for f, files in train_apart.pictures.items()),
    *((f, list(decode_image.files(f)), False) for f in validation),
    *((f, files, True) for f, files in test_apart.pictures.items()),
  ]:
    if not files and any(folder in mask.parents for mask in test_apart.masks):
      continue
    normal = folder == normal_folder or layouts.is_normal(folder.name, name)
    folder_samples = _samples(folder, files, is_test, normal, masks_of)
    use = ', added to those that train' if folder in validation else ''
    where = layouts.inside(root, folder)
    remarks.append(f'{where}: {layouts.counted(folder_samples)}{use}')
    samples += folder_samples
  remarks += [*train_apart.remarks, *test_apart.remarks]
  empty += empty_in_test
  remarks += [f'{layouts.inside(root, f)}: empty' for f in empty]
  looked_at = [train, *validation, *([test] if test else [])]
  return layouts.Layout(
    normal=name,
    samples=samples,
    has_masks=bool(mask_folders or test_apart.masks),
    looked_at=tuple(
      [file for folder in folders for file in listing.files(folder)]
      for folders in (looked_at, mask_folders)
    ),
    left_out=left_out,
    remarks=tuple(remarks),
    warnings=(
      *train_apart.warnings,
      *test_apart.warnings,
      *layouts.one_sided(samples, name),
    ),
  )


def _samples(folder, files, is_test, normal, masks_of):
  """Returns the samples of a folder, all of one kind.

  Raises:
    UserError: the folder has no picture.
  """
  if not files:
    raise errors.UserError(
      f'{foreign.name_of(folder)} has no picture'
      f' ({", ".join(decode_image.SUFFIXES)}); put some there, or remove it'
    )
  kind = '' if normal else folder.name
  return [layouts.Sample(f, kind, is_test, masks_of.get(f)) for f in files]


def _train_folder(train: pathlib.Path):
  """Returns the folder that trains, the normal label, and empty folders.

  Raises:
    UserError: train does not have exactly one folder of pictures.
  """
  folders, empty = _with_and_without_files(train)
  if not folders and layouts.direct(train):
    return train, layouts.NORMAL[0], empty
  if len(folders) != 1:
    listed = ', '.join(foreign.name_of(f.name) for f in folders) or 'no folder'
    raise errors.UserError(
      f'{foreign.name_of(train)} has {listed}, but needs one folder, of normal'
      f' pictures; {layouts.EXPECTED}'
    )
  return folders[0], folders[0].name, empty


def _with_and_without_files(
  parent: pathlib.Path,
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
  """Returns the folders with files at any depth, and the folders without."""
  folders = listing.folders(parent)
  empty = [folder for folder in folders if listing.is_empty(folder)]
  return [folder for folder in folders if folder not in empty], empty


def _validation_folders(root: pathlib.Path, normal: str):
  """Returns folders of normal pictures, and files left out: {why: files}."""
  parent = layouts.child(root, _VALIDATION)
  if parent is None:
    return [], {}
  folders, _ = _with_and_without_files(parent)
  kept = [f for f in folders if layouts.is_normal(f.name, normal)]
  others = [
    file for f in folders if f not in kept for file in decode_image.files(f)
  ]
  why = 'anomalous pictures of a validation set'
  return kept, {why: others} if others else {}


def _test_folders(test: pathlib.Path | None, train_name: str):
  """Returns the folders that are tested, and empty ones.

  Raises:
    UserError: test has no folder with files, or a name has two meanings.
  """
  if test is None:
    return [], []
  tested, empty = _with_and_without_files(test)
  if not tested:
    raise errors.UserError(
      f'{foreign.name_of(test)} has no folder; {layouts.EXPECTED}, or remove it'
    )
  _check_names([folder.name for folder in tested], train_name, test)
  return tested, empty


def _check_names(names, train_name: str, test) -> None:
  """Raises UserError if names of test folders may have two meanings."""
  fold = layouts.folded
  named_normal = [name for name in names if fold(name) in layouts.NORMAL]
  named_as_train = [name for name in names if fold(name) == fold(train_name)]
  if named_normal and named_as_train and fold(train_name) not in layouts.NORMAL:
    raise errors.UserError(
      f'{foreign.name_of(test)} has {foreign.name_of(named_as_train[0])}, named'
      f' as the folder that trains, and {foreign.name_of(named_normal[0])};'
      ' rename the one that is anomalous'
    )
  for name in names:
    doubtful = _DOUBTFUL.fullmatch(name.strip())
    if doubtful and not layouts.is_normal(name, train_name):
      raise errors.UserError(
        f'{foreign.name_of(test / name)} may be normal pictures or a kind of'
        ' anomaly; call it good, or name it after its defect'
      )
