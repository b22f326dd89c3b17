"""What lies in a folder, in the order in which people number things."""

import pathlib
import re


def natural(path: pathlib.Path) -> list[str | int]:
  """Sorts '2.png' before '10.png'."""
  parts = re.split(r'(\d+)', path.as_posix())
  return [int(part) if part.isdecimal() else part for part in parts]


def folders(parent: pathlib.Path) -> list[pathlib.Path]:
  """Returns the folders in a folder, but for hidden ones."""
  found = parent.iterdir() if parent.is_dir() else ()
  visible = [f for f in found if f.is_dir() and not f.name.startswith('.')]
  return sorted(visible, key=natural)


def files(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the files at any depth, but for hidden ones."""
  hidden = lambda file: any(
    part.startswith('.') for part in file.relative_to(folder).parts
  )
  found = (f for f in folder.rglob('*') if f.is_file() and not hidden(f))
  return sorted(found, key=natural)
