"""Files and folders that are whole or not there: written aside, then renamed.

If several processes run, only the first writes.
"""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator

from memae_jax.runtime import disk, parallel


def write(path: pathlib.Path, content: str | bytes | Iterable[str]) -> None:
  """Writes a file so that readers see the old or the new one, never a part.

  Args:
    path: of the file.
    content: all of it, or pieces of text one after another.

  Raises:
    UserError: the disk refuses it.
  """
  if not parallel.is_first():
    return
  if isinstance(content, (str, bytes)):
    content = [content]
  with replacing(path) as place, place.open('wb') as file:
    for part in content:
      if isinstance(part, str):  # Names may hold bytes that are not UTF-8.
        part = part.encode('utf-8', 'backslashreplace')
      file.write(part)


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a path to write to; at the end it becomes the file `path`.

  Both have the same suffix. Only the first process may call it.

  Raises:
    UserError: the disk refuses it.
  """
  with disk.writing(path.parent):
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
      dir=path.parent, prefix=f'.{path.stem[:20]}.', suffix=path.suffix
    )
    try:
      with os.fdopen(handle, 'rb') as file:
        yield pathlib.Path(name)
        os.fsync(file.fileno())
      os.chmod(name, 0o666 & ~_umask())
      os.replace(name, path)
    except BaseException:
      pathlib.Path(name).unlink(missing_ok=True)
      raise


@contextlib.contextmanager
def replacing_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields an empty folder to fill; at the end it becomes `folder`.

  What was there goes, but only then. Only the first process may call it.

  Raises:
    UserError: the disk refuses it.
  """
  folder = folder.resolve()
  with disk.writing(folder.parent):
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix='.') as spare:
      new, old = pathlib.Path(spare, 'new'), pathlib.Path(spare, 'old')
      new.mkdir()
      yield new
      if folder.exists():
        folder.rename(old)
      try:
        new.rename(folder)
      except OSError:
        if old.exists():
          old.rename(folder)
        raise


def _umask() -> int:
  current = os.umask(0)
  os.umask(current)
  return current
