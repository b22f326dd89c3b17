"""Layouts of published sets of pictures that are not like MVTec AD.

VisA: Data/Images/Normal, Data/Images/Anomaly, Data/Masks/Anomaly; who is tested
stands in split_csv/1cls.csv, here or one folder up.

DAGM: Train/*.PNG, Train/Label/*_label.PNG, Train/Label/Labels.txt; Test
likewise.
"""

import csv
import io
import pathlib

from memae_jax.data import listing
from memae_jax.data.images import decode_image, layouts, mask_files
from memae_jax.runtime import errors, foreign


def visa(root: pathlib.Path) -> layouts.Layout:
  """Returns what the files of one object of VisA are.

  Raises:
    UserError: the csv of the split does not fit the pictures.
  """
  images, mask_root = root / 'Data/Images', root / 'Data/Masks'
  files = {f: list(decode_image.files(f)) for f in listing.folders(images)}
  masks = {}
  if mask_root.is_dir():
    masks = {f: f.relative_to(mask_root) for f in decode_image.files(mask_root)}
  of_picture = mask_files.assign(masks, mask_files.known(files))
  split, samples, remarks = _visa_split(root), [], []
  for part in ('train', 'test'):
    for folder, some in files.items():
      kind = '' if layouts.is_normal(folder.name, 'normal') else folder.name
      chosen = [
        layouts.Sample(file, kind, part == 'test', of_picture.get(file))
        for file in some
        if split.get(file, '' if split else 'train') == part
      ]
      samples += chosen
      if chosen:
        where = layouts.inside(root, folder)
        use = f', {part}' if split else ''
        remarks.append(f'{where}{use}: {layouts.counted(chosen)}')
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
  """Returns 'train' or 'test' of each picture; {} if nothing says so."""
  name = root.resolve().name
  for top in (root.parent, root):
    path = top / 'split_csv/1cls.csv'
    if not path.is_file():
      continue
    with foreign.reading(path, 'csv'):
      text = foreign.content(path).decode('utf-8-sig')
      rows = csv.DictReader(io.StringIO(text, newline=''), strict=True)
      found = {
        root / pathlib.PurePath(row['image']).relative_to(name): row['split']
        for row in rows
        if row['object'] == name
      }
    lacking = [file for file in found if not file.is_file()]
    if lacking or not found:
      why = (
        f'names {layouts.inside(root, lacking[0])}, which is not there'
        if lacking
        else f'has no row of "{foreign.name_of(name)}"'
      )
      raise errors.UserError(
        f'{foreign.name_of(path)} {why}; complete the files, or remove the csv'
      )
    return found
  return {}


def dagm(root: pathlib.Path, train: pathlib.Path) -> layouts.Layout:
  """Returns what the files of one class of DAGM are.

  Args:
    root: the folder.
    train: its folder Train.

  Raises:
    UserError: labels and masks contradict each other.
  """
  test = layouts.child(root, layouts.TEST)
  samples, remarks, looked_at, left_out = [], [], [], {}
  for folder in [train] + ([test] if test else []):
    files, label = layouts.direct(folder), layouts.child(folder, ('label',))
    masks = {f: f.relative_to(label) for f in decode_image.files(label)} if (
      label
    ) else {}  # fmt: skip
    of_picture = mask_files.assign(masks, mask_files.known({folder: files}))
    used = {mask for some in of_picture.values() for mask in some.files}
    looked_at += [mask for mask in masks if mask not in used]
    if label:
      _check_labels(label / 'Labels.txt', files, of_picture)
    where = layouts.inside(root, folder)
    for kind in ('', 'defect'):
      some = [
        layouts.Sample(file, kind, folder == test, of_picture.get(file))
        for file in files
        if bool(kind) == (file in of_picture)
      ]
      if not some:
        continue
      if kind and folder == train:
        remarks.append(f'{where}: {len(some)} anomalous, left out')
        left_out['anomalous pictures in the folder that trains'] = [
          sample.file for sample in some
        ]
        continue
      remarks.append(f'{where}: {layouts.counted(some)}')
      samples += some
  return layouts.Layout(
    normal='normal',
    samples=samples,
    has_masks=True,
    looked_at=([], looked_at),
    left_out=left_out,
    remarks=tuple(remarks),
    warnings=layouts.one_sided(samples, 'normal'),
  )


def _check_labels(path, files, of_picture) -> None:
  """Raises UserError if Labels.txt names others than the masks do.

  A line of it: number, 1 if defective, picture, 0, mask or 0.
  """
  if not path.is_file():
    return
  with foreign.reading(path, 'text file'):
    lines = foreign.content(path).decode().splitlines()
  cells = [line.split() for line in lines]
  defective = {c[2]: c[1] == '1' for c in cells if len(c) == 5}
  for file in files:
    said, has_mask = defective.get(file.name), file in of_picture
    if said is not None and said != has_mask:
      raise errors.UserError(
        f'{foreign.name_of(path)} says that {foreign.name_of(file.name)} has'
        f' {"a" if said else "no"} defect, but there is'
        f' {"a" if has_mask else "no"} mask of it; correct one'
      )
