"""Layouts of published sets of pictures that are not like MVTec AD.

VisA: Data/Images/Normal, Data/Images/Anomaly, Data/Masks/Anomaly; the file
split_csv/1cls.csv, here or one folder up, says which pictures are tested.

DAGM: Train/*.PNG, Train/Label/*_label.PNG, Train/Label/Labels.txt, and the same
in Test.
"""

import csv
import io
import pathlib

from memae_jax.data import listing
from memae_jax.data.images import decode_image, layouts, mask_files
from memae_jax.runtime import errors, foreign


def visa(root: pathlib.Path) -> layouts.Layout:
  """Returns the roles of the files of one object of VisA.

  Args:
    root: path of the folder of the object.

  Raises:
    UserError: the csv file of the split does not fit the pictures.
  """
  images, mask_root = root / 'Data/Images', root / 'Data/Masks'
  files = {f: list(decode_image.files(f)) for f in listing.folders(images)}
  masks = {}
  if mask_root.is_dir():
    masks = {f: f.relative_to(mask_root) for f in decode_image.files(mask_root)}
  masks_of = mask_files.assign(masks, mask_files.by_name(files))
  split, samples, remarks = _visa_split(root), [], []
  for part in ('train', 'test'):
    for folder, pictures in files.items():
      kind = '' if layouts.is_normal(folder.name, 'normal') else folder.name
      folder_samples = [
        layouts.Sample(file, kind, part == 'test', masks_of.get(file))
        for file in pictures
        if split.get(file, '' if split else 'train') == part
      ]
      samples += folder_samples
      if folder_samples:
        where = layouts.inside(root, folder)
        use = f', {part}' if split else ''
        remarks.append(f'{where}{use}: {layouts.counted(folder_samples)}')
  if not split:
    remarks.append(
      'no split_csv/1cls.csv says which pictures are tested; data.protocol'
      ' "random_rows" tests on a third'
    )
  return layouts.Layout(
    normal='Normal',
    samples=samples,
    has_masks=mask_root.is_dir(),
    looked_at=(listing.files(images), list(masks)),
    remarks=tuple(remarks),
  )


def _visa_split(root: pathlib.Path) -> dict[pathlib.Path, str]:
  """Returns {picture: 'train' or 'test'}; {} if there is no csv file."""
  name = root.resolve().name
  for top in (root.parent, root):
    path = top / 'split_csv/1cls.csv'
    if not path.is_file():
      continue
    with foreign.reading(path, 'csv'):
      text = foreign.content(path).decode('utf-8-sig')
      rows = csv.DictReader(io.StringIO(text, newline=''), strict=True)
      part_of = {
        root / pathlib.PurePath(row['image']).relative_to(name): row['split']
        for row in rows
        if row['object'] == name
      }
    missing = [file for file in part_of if not file.is_file()]
    if missing or not part_of:
      why = (
        f'names {layouts.inside(root, missing[0])}, which is not there'
        if missing
        else f'has no row of "{foreign.name_of(name)}"'
      )
      raise errors.UserError(
        f'{foreign.name_of(path)} {why}; complete the files, or remove this one'
      )
    return part_of
  return {}


def dagm(root: pathlib.Path, train: pathlib.Path) -> layouts.Layout:
  """Returns the roles of the files of one class of DAGM.

  Args:
    root: path of the folder of the class.
    train: path of its folder Train.

  Raises:
    UserError: labels and masks contradict each other.
  """
  test = layouts.child(root, layouts.TEST)
  samples, remarks, looked_at, left_out = [], [], [], {}
  for folder in [train] + ([test] if test else []):
    files = layouts.direct(folder)
    label_folder = layouts.child(folder, ('label',))
    masks = {}
    if label_folder:
      mask_paths = decode_image.files(label_folder)
      masks = {file: file.relative_to(label_folder) for file in mask_paths}
    masks_of = mask_files.assign(masks, mask_files.by_name({folder: files}))
    used = {file for entry in masks_of.values() for file in entry.files}
    looked_at += [mask for mask in masks if mask not in used]
    if label_folder:
      _check_labels(label_folder / 'Labels.txt', files, masks_of)
    where = layouts.inside(root, folder)
    for kind in ('', 'defect'):
      kind_samples = [
        layouts.Sample(file, kind, folder == test, masks_of.get(file))
        for file in files
        if bool(kind) == (file in masks_of)
      ]
      if not kind_samples:
        continue
      if kind and folder == train:
        remarks.append(f'{where}: {len(kind_samples)} anomalous, left out')
        left_out['anomalous pictures in the folder that trains'] = [
          sample.file for sample in kind_samples
        ]
        continue
      remarks.append(f'{where}: {layouts.counted(kind_samples)}')
      samples += kind_samples
  return layouts.Layout(
    normal='normal',
    samples=samples,
    has_masks=True,
    looked_at=([], looked_at),
    left_out=left_out,
    remarks=tuple(remarks),
    warnings=layouts.one_sided(samples, 'normal'),
  )


def _check_labels(path, files, masks_of) -> None:
  """Raises UserError if Labels.txt and the masks name different pictures.

  A line of the file holds a number, 1 for a defect, the name of the picture, 0,
  and the name of the mask or 0.
  """
  if not path.is_file():
    return
  with foreign.reading(path, 'text file'):
    lines = foreign.content(path).decode().splitlines()
  cells = [line.split() for line in lines]
  defective = {c[2]: c[1] == '1' for c in cells if len(c) == 5}
  for file in files:
    is_defective, has_mask = defective.get(file.name), file in masks_of
    if is_defective is not None and is_defective != has_mask:
      raise errors.UserError(
        f'{foreign.name_of(path)} says that {foreign.name_of(file.name)} has'
        f' {"a" if is_defective else "no"} defect, but there is'
        f' {"a" if has_mask else "no"} mask of it; correct one of both'
      )
