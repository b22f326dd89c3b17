"""Files that are complete or absent: written beside their place, then renamed.

Where several processes run, only the first writes.
"""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from memae_jax.runtime import disk, parallel


def write(path: pathlib.Path, content: str | bytes) -> None:
  """Writes a file so that a reader sees the old or the new one, never a part.

  Args:
    path: of the file; its folder is made.
    content: text is written as UTF-8.

  Raises:
    UserError: the disk refuses it.
  """
  if not parallel.is_first():
    return
  data = content
  if isinstance(content, str):  # Names may hold bytes that are not UTF-8.
    data = content.encode('utf-8', 'backslashreplace')
  with replacing(path) as place:
    place.write_bytes(data)


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields the path of a new file, which replaces `path` when the block ends.

  It has the suffix of `path`. If the block raises, `path` stays as it is. Call
  it in the first process only.

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


def _umask() -> int:
  current = os.umask(0)
  os.umask(current)
  return current
