"""Card payments: the publisher's file as it is, checked and linked.

Nothing is downloaded, as the file lies behind a login.
"""

import os
import pathlib
import tempfile

from memae_jax import config as config_lib
from memae_jax.data.prepare.builders import raw
from memae_jax.data.sets import creditcard
from memae_jax.runtime import errors

HOMEPAGE = 'https://www.kaggle.com/datasets/mlg-ulb/creditcardfraud'
ARCHIVES = ('creditcardfraud.zip', 'archive.zip')


def prepare(
  target: pathlib.Path, manual_dir: pathlib.Path | None
) -> pathlib.Path:
  """Links or unpacks the file, unless a sound one is there.

  Args:
    target: folder of the prepared set.
    manual_dir: has `creditcard.csv` (or .csv.gz, .parquet), or the archive.

  Returns:
    `target`.

  Raises:
    UserError: neither is there, or the file is not of the form of the table.
  """
  there, given = _found(target), _found(manual_dir)
  if given is None and there is not None:
    _check(there)
    return target
  if given is not None:
    _check(given)
    for name in creditcard.FILES:
      (target / name).unlink(missing_ok=True)
    target.mkdir(exist_ok=True)
    (target / given.name).symlink_to(given.absolute())
    return target
  archives = [manual_dir / name for name in ARCHIVES if manual_dir]
  archive = next((path for path in archives if path.is_file()), None)
  if archive is None:
    where = f'{manual_dir} holds' if manual_dir else 'there is'
    raise errors.UserError(
      f'{where} no {creditcard.FILES[0]}, nor an archive with it; fetch it from'
      f' {HOMEPAGE}, which asks for a login, and give its folder as'
      ' --manual_dir'
    )
  _unpack(archive, target)
  return target


def _found(folder: pathlib.Path | None) -> pathlib.Path | None:
  """Returns the path of the file in a folder, or None."""
  paths = [folder / name for name in creditcard.FILES if folder]
  return next((path for path in paths if path.is_file()), None)


def _unpack(archive: pathlib.Path, target: pathlib.Path) -> None:
  """Makes the file of an archive, complete or not at all."""
  name = creditcard.FILES[0]
  with tempfile.TemporaryDirectory(dir=target.parent) as folder:
    raw.extract(archive, pathlib.Path(folder), HOMEPAGE)
    path = pathlib.Path(folder) / name
    if not path.is_file():
      raise errors.UserError(
        f'{archive} has no {name}; fetch it again from {HOMEPAGE}'
      )
    _check(path)
    target.mkdir(exist_ok=True)
    os.replace(path, target / name)


def _check(path: pathlib.Path) -> None:
  """Reads the whole file; raises UserError if it is not of the form."""
  creditcard.read(str(path), config_lib.default().data)
