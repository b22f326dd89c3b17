"""Content of folders, in the order in which people number things.

Hidden files and folders, and those that operating systems and archives leave
behind, are left out: no person put them there. Links to folders are followed.
"""

import os
import pathlib
import re

# Folders of Synology, QNAP, macOS archives, Windows and file systems, in lower
# case.
_LEFT_BEHIND = (
  '@eadir',
  '@recycle',
  '#recycle',
  '@recently-snapshot',
  '__macosx',
  '__pycache__',
  '$recycle.bin',
  'system volume information',
  'lost+found',
)
_LEFT_FILES = ('thumbs.db', 'ehthumbs.db', 'desktop.ini')


def natural(path: pathlib.PurePath) -> list[str | int]:
  """Returns a sort key by which '2.png' comes before '10.png'."""
  parts = re.split(r'(\d+)', path.as_posix())
  return [int(part) if part.isdecimal() else part for part in parts]


def folders(parent: pathlib.Path) -> list[pathlib.Path]:
  """Returns the folders in a folder, linked ones too; [] if there is none."""
  entries = parent.iterdir() if parent.is_dir() else ()
  return sorted(filter(_is_folder, entries), key=natural)


def files(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the files in a folder, at any depth.

  Each folder is listed once. A link to a folder in which the link itself lies
  is not followed: it would bring in the files beside it, without end.
  """
  out, seen = [], set()
  waiting, links = [folder], []
  while waiting or links:  # Links last: files keep the path without links.
    place = waiting.pop() if waiting else links.pop(0)
    real = pathlib.Path(os.path.realpath(place))
    if real in seen or not place.is_dir():
      continue
    seen.add(real)
    for entry in sorted(place.iterdir(), key=natural):
      if _is_folder(entry):
        if not entry.is_symlink():
          waiting.append(entry)
        elif not real.is_relative_to(os.path.realpath(entry)):
          links.append(entry)
      elif entry.is_file() and not entry.name.startswith('.'):
        out.append(entry)
  return sorted(out, key=natural)


def is_empty(folder: pathlib.Path) -> bool:
  """Returns whether a folder holds no file of a person, at any depth."""
  return all(file.name.lower() in _LEFT_FILES for file in files(folder))


def _is_folder(path: pathlib.Path) -> bool:
  left_behind = path.name.lower() in _LEFT_BEHIND
  return not (path.name.startswith('.') or left_behind) and path.is_dir()
