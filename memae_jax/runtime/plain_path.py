"""Path without special characters to a folder of any name.

To Orbax and tensorstore some characters of a path have a meaning: brackets and
stars are patterns, a backslash or a colon is a separator. For such a folder
they get a link in a temporary folder instead.
"""

import contextlib
import pathlib
import re
import tempfile

import jax

from memae_jax.runtime import errors

_PLAIN = re.compile(r'[\w /.,=+%~@-]+')  # No surrogate: text that is not UTF-8.


@contextlib.contextmanager
def to(folder: pathlib.Path):
  """Yields a path to an existing folder that every library reads alike.

  Raises:
    UserError: the path has a special character, and a link is no way out:
      several processes run, or the temporary folder has one, too.
  """
  if _PLAIN.fullmatch(str(folder)):
    yield folder
    return
  with tempfile.TemporaryDirectory(prefix='memae_jax_') as temporary:
    link = pathlib.Path(temporary) / 'folder'
    if jax.process_count() > 1 or not _PLAIN.fullmatch(str(link)):
      name = ascii(str(folder))[1:-1]
      raise errors.UserError(
        f'the path {name} has a character that checkpoints cannot have in'
        ' their names; use letters, digits and -_.,=+%~@'
      )
    link.symlink_to(folder, target_is_directory=True)
    try:
      yield link
    finally:
      link.unlink(missing_ok=True)
