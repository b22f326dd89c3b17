"""Files and folders as people name them. Standard library only."""

import os
import pathlib
import re
import urllib.parse

from memae_jax.runtime import errors

# gs://bucket/x, and what is left of it after pathlib: gs:/bucket/x.
_ADDRESS = re.compile(r'[A-Za-z][\w+.@-]+:/')
_FILE_URL = re.compile(r'file:(?://(?:localhost)?)?(/(?!/).*)', re.IGNORECASE)


def local(name: str | os.PathLike[str], field: str) -> pathlib.Path:
  """Returns the path that a name stands for; `~` is expanded.

  Args:
    name: of a file or folder; `file:///a/b` is `/a/b`.
    field: the flag or field that has it, for messages, such as '--workdir'.

  Raises:
    UserError: the name is no text, is an address, such as gs://bucket/x, or has
      a character that no path can have, or a home folder that is not here.
  """
  if not isinstance(name, (str, os.PathLike)):
    raise errors.UserError(
      f'{field} is {name!r:.40}; give a path, as text or of pathlib'
    )
  address = _FILE_URL.fullmatch(str(name))
  if address:
    name = urllib.parse.unquote(address[1])
  elif _ADDRESS.match(str(name)):
    raise errors.UserError(
      f'{field} is "{name}", an address, but it must lie in the file system of'
      ' this machine; mount the bucket (by gcsfuse, s3fs, rclone mount, ...) or'
      ' copy it, and give the path'
    )
  if '\0' in str(name):
    raise errors.UserError(f'{field} is {name!r}, which no file can be named')
  path = pathlib.Path(name)
  try:
    return path.expanduser()
  except RuntimeError as error:
    raise errors.UserError(
      f'{field} is "{name}", but {path.parts[0]} is not a home folder here;'
      ' give the path in full'
    ) from error
