"""Layout: the role of each file in a folder of pictures; names of folders."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from memae_jax.data import listing
from memae_jax.data.images import decode_image, mask_files
from memae_jax.runtime import errors, foreign

EXPECTED = 'expected train/good, test/good and test/KIND with pictures in them'
TRAIN = ('train', 'training')
TEST = ('test', 'testing')
NORMAL = ('good', 'normal', 'ok')  # In upper or lower case.
GROUND_TRUTH = (
  'ground_truth',
  'ground-truth',
  'ground truth',
  'groundtruth',
  'gt',
  'mask',
  'masks',
)


class Sample(NamedTuple):
  """One picture.

  file: path of the picture.
  kind: name of its label; '': normal.
  is_test: False if it trains.
  masks: its masks, or None.
  """

  file: pathlib.Path
  kind: str
  is_test: bool
  masks: mask_files.Masks | None = None


class Layout(NamedTuple):
  """Roles of the files in a folder.

  normal: name of the normal label.
  samples: training samples, then test samples.
  has_masks: True if there is a place for masks of anomalous pictures.
  looked_at: files in the folders of pictures, and files in folders of masks.
  left_out: pictures that are not used: {why: files}.
  remarks, warnings: see `types.Source`.
  """

  normal: str
  samples: list[Sample]
  has_masks: bool
  looked_at: tuple[list[pathlib.Path], list[pathlib.Path]]
  left_out: dict[str, list[pathlib.Path]] = {}
  remarks: tuple[str, ...] = ()
  warnings: tuple[str, ...] = ()


def child(parent: pathlib.Path, names: Sequence[str]) -> pathlib.Path | None:
  """Returns the folder in `parent` that has one of the names, or None.

  Args:
    parent: the folder to look in.
    names: names in lower case; folders match in upper case, too.

  Raises:
    UserError: several folders match.
  """
  matching = [f for f in listing.folders(parent) if f.name.lower() in names]
  if len(matching) > 1:
    raise errors.UserError(
      f'{foreign.name_of(parent)} has {matching[0].name} and'
      f' {matching[1].name}; remove or rename one of them'
    )
  return matching[0] if matching else None


def is_category(folder: pathlib.Path) -> bool:
  """Returns whether a folder is laid out as one category of a set.

  It has a folder that trains, or VisA's folder of pictures.
  """
  visa = (folder / 'Data/Images').is_dir()
  return visa or child(folder, TRAIN) is not None


def categories(root: pathlib.Path, depth: int = 3) -> list[pathlib.Path]:
  """Returns the folders of categories, in natural order.

  Args:
    root: a category itself, or a folder of one or of several sets.
    depth: how many levels below `root` are looked at.
  """
  if is_category(root):
    return [root]
  below = listing.folders(root) if depth else []
  return [found for folder in below for found in categories(folder, depth - 1)]


def direct(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the pictures directly in a folder, not in folders below it."""
  return [f for f in decode_image.files(folder) if f.parent == folder]


def inside(root: pathlib.Path, path: pathlib.Path) -> str:
  """Returns a path relative to a folder, as text that any stream can hold."""
  return foreign.name_of(path.relative_to(root).as_posix())


def counted(samples: Sequence[Sample]) -> str:
  """Returns the numbers of samples: '12 anomalous, 11 with a mask'.

  Args:
    samples: samples of one kind.
  """
  masks = sum(sample.masks is not None for sample in samples)
  kind = 'anomalous' if samples[0].kind else 'normal'
  return f'{len(samples)} {kind}' + (f', {masks} with a mask' if masks else '')


def folded(name: str) -> str:
  """Returns a key that is equal for names of folders that count as equal."""
  return name.strip().casefold()


def is_normal(name: str, train_name: str) -> bool:
  """Returns whether a folder of this name holds normal pictures.

  Args:
    name: name of the folder.
    train_name: name of the folder that trains; it is normal, too.
  """
  return folded(name) in (*NORMAL, folded(train_name))


def one_sided(samples: Sequence[Sample], normal: str) -> tuple[str, ...]:
  """Returns a warning if all test pictures are normal, or all anomalous."""
  tested = [sample for sample in samples if sample.is_test]
  kinds = {sample.kind for sample in tested}
  if not tested or {''} < kinds:
    return ()
  if kinds == {''}:
    return (
      f'all {len(tested)} test pictures are normal, so detection cannot'
      ' be measured; put anomalous pictures in test/KIND',
    )
  names = ', '.join(dict.fromkeys([foreign.name_of(normal), *NORMAL]))
  return (
    f'all {len(tested)} test pictures are anomalous, since no folder in test'
    f' has a name for normal pictures ({names}), so detection cannot be'
    ' measured; rename the folder of normal pictures to good',
  )
