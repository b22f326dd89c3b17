"""A path that libraries read as it is written, to a folder of any name.

Orbax and tensorstore take some characters of a path for their own: brackets
and stars for patterns, a backslash or a colon for a separator. What they are
given instead is a link in a temporary folder.
"""

import contextlib
import pathlib
import re
import tempfile

import jax

from memae_jax.runtime import errors

_PLAIN = re.compile(r'[\w /.,=+%~@-]+')  # No surrogate: text that is no UTF-8.


@contextlib.contextmanager
def to(folder: pathlib.Path):
  """Yields a path to an existing folder that every library reads alike.

  Raises:
    UserError: there is none.
  """
  if _PLAIN.fullmatch(str(folder)):
    yield folder
    return
  with tempfile.TemporaryDirectory(prefix='memae_jax_') as made:
    link = pathlib.Path(made) / 'folder'
    if jax.process_count() > 1 or not _PLAIN.fullmatch(str(link)):
      shown = ascii(str(folder))[1:-1]
      raise errors.UserError(
        f'the path {shown} has a character that checkpoints cannot have in'
        ' their names; use letters, digits and -_.,=+%~@'
      )
    link.symlink_to(folder, target_is_directory=True)
    try:
      yield link
    finally:
      link.unlink(missing_ok=True)
