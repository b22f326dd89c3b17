"""Which picture files are masks, and of which pictures, by their names.

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
_WHOLE = re.compile(_WORD, re.IGNORECASE)
_AFTER = re.compile(
  rf'(?P<stem>.+?)[ _.-]?{_WORD}(?P<number>[ _.-]?\d+)?', re.IGNORECASE
)
_BEFORE = re.compile(rf'{_WORD}[ _.-]?(?P<stem>.+)', re.IGNORECASE)
EXPECTED = '000_mask.png or 000.png for 000.png'

# Folders of a kind -> path in it without suffix -> pictures of that name.
Known = Mapping[str, Mapping[str, Sequence[pathlib.Path]]]


class Masks(NamedTuple):
  """The masks of one picture; `several`: what any of them marks counts."""

  files: tuple[pathlib.Path, ...]
  several: bool


class Apart(NamedTuple):
  """Files of folders of pictures, masks among them taken out.

  pictures: folder -> its pictures in natural order.
  masks: mask -> its path as if it lay in a folder of masks.
  remarks: which folders that are called so hold masks.
  warnings: which masks lie among pictures.
  """

  pictures: dict[pathlib.Path, list[pathlib.Path]]
  masks: dict[pathlib.Path, pathlib.PurePath]
  remarks: tuple[str, ...]
  warnings: tuple[str, ...]


def _stems(name: str) -> list[tuple[str, bool]]:
  """Stems of the pictures that a mask may be of, and whether of several."""
  found = [(name, False)]
  if match := _AFTER.fullmatch(name):
    found.append((match['stem'], bool(match['number'])))
  if match := _BEFORE.fullmatch(name):
    found.append((match['stem'], False))
  return found


def _key(path: pathlib.PurePath) -> str:
  """What a picture and its mask share; colours may lie beside depths."""
  parts = [part for part in path.parts if part.lower() != 'rgb']
  return pathlib.PurePath(*parts).as_posix()


def known(files: Mapping[pathlib.Path, Iterable[pathlib.Path]]) -> Known:
  """Returns the pictures of folders by their names."""
  found = {}
  for folder, some in files.items():
    for file in some:  # A folder of masks only is no kind.
      key = _key(file.relative_to(folder).with_suffix(''))
      of_kind = found.setdefault(folder.name, {})
      of_kind.setdefault(key.casefold(), []).append(file)
  return found


def _kind(name: str, kinds: Iterable[str]) -> str | None:
  """The kind whose masks lie in a folder."""
  for same in (
    lambda kind: kind == name,
    lambda kind: kind.casefold() == name.casefold(),
    lambda kind: kind.casefold() in (s.casefold() for s, _ in _stems(name)),
  ):
    if fitting := [kind for kind in kinds if same(kind)]:
      return fitting[0]
  return None


def _fitting(
  place: pathlib.PurePath, pictures_of: Known
) -> tuple[list[pathlib.Path], bool]:
  """The pictures that a mask may be of, and whether it is one of several."""
  if place.parts[0].lower() == 'test' and len(place.parts) > 1:
    place = place.relative_to(place.parts[0])
  first, *inner = place.parts
  kind = _kind(first, pictures_of) if inner else None
  if kind is not None:
    place, tables = pathlib.PurePath(*inner), [pictures_of[kind]]
  else:
    tables = list(pictures_of.values())
  look = lambda path: [
    file for t in tables for file in t.get(_key(path).casefold(), ())
  ]
  for stem, several in _stems(place.stem):
    if found := look(place.with_name(stem)):
      exact = [file for file in found if file.stem == stem]
      return exact or found, several
  inside = len(place.parts) > 1
  return (look(place.parent) if inside else []), True


def assign(
  masks: Mapping[pathlib.Path, pathlib.PurePath], pictures_of: Known
) -> dict[pathlib.Path, Masks]:
  """Returns the masks of each picture that has some.

  Args:
    masks: file -> its path in a folder of masks.
    pictures_of: see `known`.

  Raises:
    UserError: a mask may be of several pictures.
  """
  found: dict[pathlib.Path, list[tuple[pathlib.Path, bool]]] = {}
  for mask, place in masks.items():
    fitting, several = _fitting(place, pictures_of)
    if len(fitting) > 1:
      one, two = map(foreign.name_of, fitting[:2])
      raise errors.UserError(
        f'{foreign.name_of(mask)} may be the mask of {one} or of {two}; put it'
        ' in a folder with the name of its kind, and give each picture a name'
        ' of its own'
      )
    for picture in fitting:
      found.setdefault(picture, []).append((mask, several))
  return {
    picture: Masks(tuple(m for m, _ in some), all(many for _, many in some))
    for picture, some in found.items()
  }


def apart(folders: Sequence[pathlib.Path]) -> Apart:
  """Takes masks out of folders of pictures.

  Files count as masks if they are called so (crack_mask beside crack, a folder
  mask, 000_mask.png beside 000.png), hold black and white only, and each fits
  a picture that does not. If none is black and white they are pictures.

  Args:
    folders: those of kinds, beside each other.

  Raises:
    UserError: it could be either.
  """
  every = {folder: _files(folder) for folder in folders}
  groups = [group for folder in folders for group in _called(folder, every)]
  doubtful = {file for group in groups for file in group}
  rest = {
    folder: [file for file in files if file not in doubtful]
    for folder, files in every.items()
  }
  names = known({folder: files for folder, files in rest.items() if files})
  masks, remarks, warnings = {}, [], []
  for group in groups:
    if fitting := _checked(group, names):
      masks |= group
      text = _taken_for(group, fitting)
      if any(_WHOLE.fullmatch(p) for p in next(iter(group)).parts[-3:-1]):
        remarks.append(text)
      else:
        warnings.append(f'{text}; move them to ground_truth/KIND')
  return Apart(
    {f: [x for x in files if x not in masks] for f, files in every.items()},
    masks,
    tuple(remarks),
    tuple(warnings),
  )


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
  """Pictures; beside colours (rgb), positions (xyz) are left out."""
  files, inside = (
    decode_image.files(folder),
    lambda f: f.relative_to(folder).parts,
  )
  if {'rgb', 'xyz'} <= {inside(file)[0] for file in files}:
    files = [file for file in files if inside(file)[0] != 'xyz']
  return list(files)


def _called(folder, every) -> list[dict[pathlib.Path, pathlib.PurePath]]:
  """Files of a folder that are called masks, in groups, and their places."""
  kinds = [other.name.casefold() for other in every if other != folder]
  of_kind = [stem.casefold() for stem, _ in _stems(folder.name)[1:]]
  if _WHOLE.fullmatch(folder.name):
    return [{file: file.relative_to(folder) for file in every[folder]}]
  if any(stem in kinds for stem in of_kind):
    return [{file: file.relative_to(folder.parent) for file in every[folder]}]
  below, beside = {}, {}
  stems = {(file.parent, file.stem) for file in every[folder]}
  for file in every[folder]:
    place = file.relative_to(folder.parent)
    parts = [p for p in place.parts[1:-1] if not _WHOLE.fullmatch(p)]
    if len(parts) < len(place.parts) - 2:
      below[file] = pathlib.PurePath(folder.name, *parts, file.name)
    elif any((file.parent, s) in stems for s, _ in _stems(file.stem)[1:]):
      beside[file] = place
  return [group for group in (below, beside) if group]


def _checked(group, names: Known) -> list[pathlib.Path]:
  """The pictures that a group of masks fits; none if it holds pictures."""
  plain = {file: decode_image.is_black_and_white(file) for file in group}
  if not any(plain.values()):
    return []
  fitting = [_fitting(place, names)[0] for place in group.values()]
  of = [file for some in fitting for file in some]
  if not (all(plain.values()) and all(fitting)) or all(
    decode_image.is_black_and_white(file) for file in of
  ):
    fits = sum(map(bool, fitting))
    first = next(iter(group))
    raise errors.UserError(
      f'{foreign.name_of(first.parent)} may hold pictures or masks: of'
      f' {len(group)} files called like masks, such as'
      f' {foreign.name_of(first.name)}, {sum(plain.values())} are black and'
      f' white and {fits} have the name of a picture; move masks to'
      ' ground_truth/KIND, or rename the pictures'
    )
  return of


def _taken_for(group, fitting) -> str:
  """Says what counts as masks, by paths of three parts."""
  inside = lambda file: foreign.name_of(pathlib.PurePath(*file.parts[-3:]))
  return (
    f'{len(group)} black and white files such as {inside(next(iter(group)))}'
    f' are taken for masks of pictures such as {inside(fitting[0])}'
  )
