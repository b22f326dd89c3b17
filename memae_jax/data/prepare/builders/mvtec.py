"""MVTec AD as folders of pictures, one for each category.

They are the publisher's files as they are, which `data.images` reads: those of
an archive are unpacked, folders that are unpacked already are linked. Nothing
is downloaded, as the publisher asks for a form.
"""

import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence

from memae_jax.data.images import layouts
from memae_jax.data.images import mvtec as mvtec_layout
from memae_jax.data.prepare.builders import raw
from memae_jax.runtime import errors

HOMEPAGE = 'https://www.mvtec.com/company/research/datasets/mvtec-ad'
ARCHIVE = 'mvtec_anomaly_detection.tar.xz'
CATEGORIES = (
  'bottle',
  'cable',
  'capsule',
  'carpet',
  'grid',
  'hazelnut',
  'leather',
  'metal_nut',
  'pill',
  'screw',
  'tile',
  'toothbrush',
  'transistor',
  'wood',
  'zipper',
)


def prepare(
  target: pathlib.Path, manual_dir: pathlib.Path | None
) -> pathlib.Path:
  """Makes the folders of the categories; those that are there stay.

  Args:
    target: folder of the prepared set.
    manual_dir: has the archive, or folders of some or all categories, at most
      three levels below.

  Returns:
    `target`.

  Raises:
    UserError: neither is there, the archive is damaged or lacks a category, or
      a category is not laid out as published.
  """
  there, given = _found(target), _found(manual_dir)
  missing = [name for name in CATEGORIES if name not in there]
  archive = manual_dir / ARCHIVE if manual_dir else None
  if archive and archive.is_file() and not set(missing) <= given.keys():
    _unpack(archive, target, missing)
    return target
  linked = [name for name in missing if name in given]
  for name in linked:
    _check(given[name])
  if not there and not linked:
    where = f'{manual_dir} holds' if manual_dir else 'there is'
    raise errors.UserError(
      f'{where} no {ARCHIVE}, nor a folder of MVTec AD such as {CATEGORIES[0]};'
      f' fetch it from {HOMEPAGE}, which asks for a form, and give its folder'
      ' as --manual_dir'
    )
  for name in linked:
    _free(target, name).symlink_to(given[name].absolute())
  return target


def _found(folder: pathlib.Path | None) -> dict[str, pathlib.Path]:
  """Returns the folders of categories below a folder, by their names."""
  found = layouts.categories(folder) if folder else []
  return {path.name: path for path in found if path.name in CATEGORIES}


def _unpack(
  archive: pathlib.Path, target: pathlib.Path, names: Sequence[str]
) -> None:
  """Makes folders of an archive, each complete or not at all.

  Args:
    archive: of the publisher.
    target: folder of the prepared set.
    names: of the categories.
  """
  prefix = f'incomplete.{target.name}.'
  for leftover in target.parent.glob(f'{prefix}*'):  # From a killed process.
    shutil.rmtree(leftover)
  with tempfile.TemporaryDirectory(dir=target.parent, prefix=prefix) as folder:
    raw.extract(archive, pathlib.Path(folder), HOMEPAGE)
    found = _found(pathlib.Path(folder))
    for name in CATEGORIES:
      if name not in found:
        raise errors.UserError(
          f'{archive} has no category "{name}"; fetch it again from {HOMEPAGE}'
        )
      _check(found[name])
    for name in names:
      os.replace(found[name], _free(target, name))


def _free(target: pathlib.Path, name: str) -> pathlib.Path:
  """Returns the path of a category to be, without a link to nowhere."""
  target.mkdir(exist_ok=True)
  path = target / name
  path.unlink(missing_ok=True)
  return path


def _check(folder: pathlib.Path) -> None:
  """Raises UserError if a category lacks pictures or masks."""
  train = layouts.child(folder, layouts.TRAIN)
  layout = mvtec_layout.layout(folder, train)
  tested = {bool(sample.kind) for sample in layout.samples if sample.is_test}
  if tested != {False, True} or not layout.has_masks:
    raise errors.UserError(
      f'{folder} is no whole category of MVTec AD: {layouts.EXPECTED}, and'
      f' masks in ground_truth/KIND; fetch it again from {HOMEPAGE}'
    )
