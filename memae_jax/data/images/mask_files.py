"""Finds files that are masks, and the pictures that they belong to, by names.

The mask of test/crack/000.png may be called 000, 000_mask, 000_gt, mask_000 and
the like, with any suffix of a picture, in a folder with the name of its kind
(crack, crack_mask). Several masks of one picture lie in a folder with its name
(000/000.png, 000/001.png) or are numbered (000_mask_1).
"""

import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from memae_jax.data.images import decode_image
from memae_jax.runtime import errors, foreign

_WORD = r'(?:masks?|gt|labels?|ground[ _-]?truth|seg|segmentation|annotations?)'
_MASK_NAME = re.compile(_WORD, re.IGNORECASE)
_AFTER = re.compile(
  rf'(?P<stem>.+?)[ _.-]?{_WORD}(?P<number>[ _.-]?\d+)?', re.IGNORECASE
)
_BEFORE = re.compile(rf'{_WORD}[ _.-]?(?P<stem>.+)', re.IGNORECASE)
EXPECTED = '000_mask.png or 000.png for 000.png'

# Name of a folder of one kind -> path in it without suffix -> its pictures.
PicturesByName = Mapping[str, Mapping[str, Sequence[pathlib.Path]]]


class Masks(NamedTuple):
  """Masks of one picture.

  files: paths of the masks.
  several: True if each of them marks a part of the anomaly; False if they are
    copies of one mask.
  """

  files: tuple[pathlib.Path, ...]
  several: bool


class Apart(NamedTuple):
  """Files of folders of pictures, parted into pictures and masks.

  pictures: {folder: its pictures in natural order}.
  masks: {mask: its path as if it lay in a folder of masks}.
  remarks: lines on folders that are named after masks and hold masks.
  warnings: lines on masks that lie among pictures.
  """

  pictures: dict[pathlib.Path, list[pathlib.Path]]
  masks: dict[pathlib.Path, pathlib.PurePath]
  remarks: tuple[str, ...]
  warnings: tuple[str, ...]


def _stems(name: str) -> list[tuple[str, bool]]:
  """Returns stems of pictures that may have a mask of this stem.

  Each comes with whether the mask is then one of several.
  """
  stems = [(name, False)]
  if match := _AFTER.fullmatch(name):
    stems.append((match['stem'], bool(match['number'])))
  if match := _BEFORE.fullmatch(name):
    stems.append((match['stem'], False))
  return stems


def _key(path: pathlib.PurePath) -> str:
  """Returns a key that is equal for a picture and its mask.

  Folders named rgb are left out: colours may lie in one beside depths.
  """
  parts = [part for part in path.parts if part.lower() != 'rgb']
  return pathlib.PurePath(*parts).as_posix()


def by_name(
  files: Mapping[pathlib.Path, Iterable[pathlib.Path]],
) -> PicturesByName:
  """Returns the pictures of folders by their names.

  Args:
    files: {folder of one kind: its pictures}.
  """
  out = {}
  for folder, pictures in files.items():
    for file in pictures:  # A folder without pictures gives no kind.
      key = _key(file.relative_to(folder).with_suffix(''))
      of_kind = out.setdefault(folder.name, {})
      of_kind.setdefault(key.casefold(), []).append(file)
  return out


def _kind(name: str, kinds: Iterable[str]) -> str | None:
  """Returns the kind whose masks lie in a folder of this name, or None."""
  for matches in (
    lambda kind: kind == name,
    lambda kind: kind.casefold() == name.casefold(),
    lambda kind: kind.casefold() in (s.casefold() for s, _ in _stems(name)),
  ):
    if matching := [kind for kind in kinds if matches(kind)]:
      return matching[0]
  return None


def _fitting_pictures(
  place: pathlib.PurePath, by_kind: PicturesByName
) -> tuple[list[pathlib.Path], bool]:
  """Returns the pictures that a mask may belong to.

  Args:
    place: path of the mask in a folder of masks.
    by_kind: from `by_name`.

  Returns:
    The pictures, and whether the mask is one of several.
  """
  if place.parts[0].lower() == 'test' and len(place.parts) > 1:
    place = place.relative_to(place.parts[0])
  first, *inner = place.parts
  kind = _kind(first, by_kind) if inner else None
  if kind is not None:
    place, kinds = pathlib.PurePath(*inner), [by_kind[kind]]
  else:
    kinds = list(by_kind.values())
  pictures_at = lambda path: [
    file for names in kinds for file in names.get(_key(path).casefold(), ())
  ]
  for stem, several in _stems(place.stem):
    if pictures := pictures_at(place.with_name(stem)):
      exact = [file for file in pictures if file.stem == stem]
      return exact or pictures, several
  inside = len(place.parts) > 1
  return (pictures_at(place.parent) if inside else []), True


def assign(
  masks: Mapping[pathlib.Path, pathlib.PurePath], by_kind: PicturesByName
) -> dict[pathlib.Path, Masks]:
  """Returns {picture: its masks} for the pictures that have masks.

  Args:
    masks: {mask: its path in a folder of masks}.
    by_kind: the pictures, from `by_name`.

  Raises:
    UserError: a mask may belong to several pictures.
  """
  masks_by_picture: dict[pathlib.Path, list[tuple[pathlib.Path, bool]]] = {}
  for mask, place in masks.items():
    fitting, several = _fitting_pictures(place, by_kind)
    if len(fitting) > 1:
      one, two = map(foreign.name_of, fitting[:2])
      raise errors.UserError(
        f'{foreign.name_of(mask)} may be the mask of {one} or of {two}; put it'
        ' in a folder with the name of its kind, and give each picture a name'
        ' of its own'
      )
    for picture in fitting:
      masks_by_picture.setdefault(picture, []).append((mask, several))
  return {
    picture: Masks(
      tuple(m for m, _ in flagged), all(flag for _, flag in flagged)
    )
    for picture, flagged in masks_by_picture.items()
  }


def apart(folders: Sequence[pathlib.Path]) -> Apart:
  """Takes masks out of folders of pictures.

  Files are masks if their names say so (crack_mask beside crack, a folder mask,
  000_mask.png beside 000.png), all are black and white only, and each belongs
  to a picture; not all of these pictures may be black and white. If no file is
  black and white, all are pictures.

  Args:
    folders: folders of kinds, beside each other.

  Raises:
    UserError: files could be masks as well as pictures.
  """
  files_of = {folder: _files(folder) for folder in folders}
  groups = [
    group for folder in folders for group in _groups_of_masks(folder, files_of)
  ]
  doubtful = {file for group in groups for file in group}
  rest = {
    folder: [file for file in files if file not in doubtful]
    for folder, files in files_of.items()
  }
  by_kind = by_name({folder: files for folder, files in rest.items() if files})
  masks, remarks, warnings = {}, [], []
  for group in groups:
    if fitting := _pictures_of_group(group, by_kind):
      masks |= group
      text = _masks_remark(group, fitting)
      if any(_MASK_NAME.fullmatch(p) for p in next(iter(group)).parts[-3:-1]):
        remarks.append(text)
      else:
        warnings.append(f'{text}; move them to ground_truth/KIND')
  return Apart(
    {
      f: [file for file in files if file not in masks]
      for f, files in files_of.items()
    },
    masks,
    tuple(remarks),
    tuple(warnings),
  )


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the pictures in a folder, but no positions (xyz) beside rgb."""
  files = decode_image.files(folder)
  inside = lambda file: file.relative_to(folder).parts
  if {'rgb', 'xyz'} <= {inside(file)[0] for file in files}:
    files = [file for file in files if inside(file)[0] != 'xyz']
  return list(files)


def _groups_of_masks(
  folder, files_of
) -> list[dict[pathlib.Path, pathlib.PurePath]]:
  """Finds files whose names say that they are masks.

  Args:
    folder: a folder of one kind.
    files_of: {folder: its files}, for all folders of kinds.

  Returns:
    Groups of files; each is {file: its path as if in a folder of masks}.
  """
  kinds = [other.name.casefold() for other in files_of if other != folder]
  stems_of_folder = [stem.casefold() for stem, _ in _stems(folder.name)[1:]]
  if _MASK_NAME.fullmatch(folder.name):
    return [{file: file.relative_to(folder) for file in files_of[folder]}]
  if any(stem in kinds for stem in stems_of_folder):
    return [
      {file: file.relative_to(folder.parent) for file in files_of[folder]}
    ]
  in_mask_folders, beside_pictures = {}, {}
  file_stems = {(file.parent, file.stem) for file in files_of[folder]}
  for file in files_of[folder]:
    place = file.relative_to(folder.parent)
    parts = [p for p in place.parts[1:-1] if not _MASK_NAME.fullmatch(p)]
    if len(parts) < len(place.parts) - 2:
      in_mask_folders[file] = pathlib.PurePath(folder.name, *parts, file.name)
    elif any((file.parent, s) in file_stems for s, _ in _stems(file.stem)[1:]):
      beside_pictures[file] = place
  return [group for group in (in_mask_folders, beside_pictures) if group]


def _pictures_of_group(group, by_kind: PicturesByName) -> list[pathlib.Path]:
  """Returns the pictures that the masks of a group belong to.

  Returns none if the group holds pictures rather than masks.

  Raises:
    UserError: the group could hold either.
  """
  has_two_values = {
    file: decode_image.is_black_and_white(file) for file in group
  }
  if not any(has_two_values.values()):
    return []
  fitting = [_fitting_pictures(place, by_kind)[0] for place in group.values()]
  pictures = [file for matching in fitting for file in matching]
  if not (all(has_two_values.values()) and all(fitting)) or all(
    decode_image.is_black_and_white(file) for file in pictures
  ):
    fits = sum(map(bool, fitting))
    first = next(iter(group))
    raise errors.UserError(
      f'{foreign.name_of(first.parent)} may hold pictures or masks: of'
      f' {len(group)} files named like masks, such as'
      f' {foreign.name_of(first.name)}, {sum(has_two_values.values())} are'
      f' black and white and {fits} have the name of a picture; move masks to'
      ' ground_truth/KIND, or rename the pictures'
    )
  return pictures


def _masks_remark(group, fitting) -> str:
  """Returns a remark on files that count as masks, by ends of their paths."""
  inside = lambda file: foreign.name_of(pathlib.PurePath(*file.parts[-3:]))
  return (
    f'{len(group)} black and white files such as {inside(next(iter(group)))}'
    f' are taken for masks of pictures such as {inside(fitting[0])}'
  )
