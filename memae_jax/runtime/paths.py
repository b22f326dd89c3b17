"""Files and folders as people name them. Standard library only."""

import pathlib
import re
import urllib.parse

from memae_jax.runtime import errors

# gs://bucket/x, and what is left of it after pathlib: gs:/bucket/x.
_ADDRESS = re.compile(r'[A-Za-z][\w+.@-]+:/')
_OF_FILE = re.compile(r'file:(?://(?:localhost)?)?(/(?!/).*)', re.IGNORECASE)


def local(name: str, what: str) -> pathlib.Path:
  """Returns the path that a name stands for; `~` is expanded.

  Args:
    name: of a file or folder; `file:///a/b` is `/a/b`.
    what: names it in messages, such as '--workdir'.

  Raises:
    UserError: it is an address that no file of this machine has.
  """
  here = _OF_FILE.fullmatch(str(name))
  if here:
    name = urllib.parse.unquote(here[1])
  elif _ADDRESS.match(str(name)):
    raise errors.UserError(
      f'{what} is "{name}", an address, but it must lie in the file system of'
      ' this machine; mount the bucket (by gcsfuse, s3fs, rclone mount, ...) or'
      ' copy it, and give the path'
    )
  if '\0' in str(name):
    raise errors.UserError(f'{what} is {name!r}, which no file can be named')
  path = pathlib.Path(name)
  try:
    return path.expanduser()
  except RuntimeError as error:
    raise errors.UserError(
      f'{what} is "{name}", but {path.parts[0]} is no home folder here; give'
      ' the path in full'
    ) from error
