"""What a layout makes of a folder of pictures, and words that all use."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from memae_jax.data import listing
from memae_jax.data.images import decode_image, mask_files
from memae_jax.runtime import errors, foreign

EXPECTED = 'expected train/good, test/good and test/KIND with pictures in them'
TRAIN = ('train', 'training')
TEST = ('test', 'testing')
NORMAL = ('good', 'normal', 'ok')  # In any case.


class Sample(NamedTuple):
  """A picture file.

  kind: name of its label; '': normal.
  masks: of it, if there are any.
  """

  file: pathlib.Path
  kind: str
  is_test: bool
  masks: mask_files.Masks | None = None


class Layout(NamedTuple):
  """What the files of a folder are.

  normal: name of the normal label.
  samples: those of the training first.
  has_masks: whether there is a place for masks of the anomalous.
  looked_at: files in the folders of pictures, and in those of masks.
  left_out: pictures that are read by nobody: {why: files}.
  remarks, warnings: as of a Source.
  """

  normal: str
  samples: list[Sample]
  has_masks: bool
  looked_at: tuple[list[pathlib.Path], list[pathlib.Path]]
  left_out: dict[str, list[pathlib.Path]] = {}
  remarks: tuple[str, ...] = ()
  warnings: tuple[str, ...] = ()


def child(parent: pathlib.Path, names: Sequence[str]) -> pathlib.Path | None:
  """Returns the one folder with one of some names, in any case.

  Raises:
    UserError: there are several.
  """
  found = [f for f in listing.folders(parent) if f.name.lower() in names]
  if len(found) > 1:
    raise errors.UserError(
      f'{foreign.name_of(parent)} has {found[0].name} and {found[1].name};'
      ' remove or rename one'
    )
  return found[0] if found else None


def direct(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the pictures that lie in a folder itself."""
  return [f for f in decode_image.files(folder) if f.parent == folder]


def inside(root: pathlib.Path, path: pathlib.Path) -> str:
  """Returns a path below a folder as text that any stream can hold."""
  return foreign.name_of(path.relative_to(root).as_posix())


def counted(samples: Sequence[Sample]) -> str:
  """Returns what one folder holds, such as '12 anomalous, 11 with a mask'."""
  masks = sum(sample.masks is not None for sample in samples)
  kind = 'anomalous' if samples[0].kind else 'normal'
  return f'{len(samples)} {kind}' + (f', {masks} with a mask' if masks else '')


def folded(name: str) -> str:
  """Returns a name as names of folders are compared."""
  return name.strip().casefold()


def is_normal(name: str, of_train: str) -> bool:
  """Whether a folder holds normal pictures, next to the one that trains."""
  return folded(name) in (*NORMAL, folded(of_train))


def one_sided(samples: Sequence[Sample], normal: str) -> tuple[str, ...]:
  """Returns a warning if only one kind is tested."""
  tested = [sample for sample in samples if sample.is_test]
  kinds = {sample.kind for sample in tested}
  if not tested or {''} < kinds:
    return ()
  if kinds == {''}:
    return (
      f'all {len(tested)} test pictures are normal, so that detection cannot'
      ' be measured; put anomalous pictures in test/KIND',
    )
  names = ', '.join(dict.fromkeys([foreign.name_of(normal), *NORMAL]))
  return (
    f'all {len(tested)} test pictures are anomalous, since no folder in test'
    f' has a name of normal ones ({names}), so that detection cannot be'
    ' measured; rename the folder of normal pictures to good',
  )
