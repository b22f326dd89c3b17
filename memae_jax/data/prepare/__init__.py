"""Prepares a data set: `python -m memae_jax.data.prepare NAME`.

Downloads the set from its publisher, or reads files that are on disk already,
verifies them and writes the prepared set to --data_dir. A set appears there
complete or not at all, so a command that was interrupted is simply repeated.
"""

import contextlib
import importlib
import io
import os
import pathlib
import shutil
import sys

from absl import flags

from memae_jax.data import registry
from memae_jax.data.prepare import downloads
from memae_jax.runtime import disk, errors, locks, paths

# Name of a data set -> module and class of its TFDS builder. A builder has
# `URLS`, the publisher's files, which it reads and verifies in its `raw_dir`.
BUILDERS = {
  'cifar10': ('memae_jax.data.prepare.builders.cifar10', 'Cifar10Blocks'),
  'cuhk_avenue': ('memae_jax.data.prepare.builders.cuhk_avenue', 'CuhkAvenue'),
  'kddcup99': (
    'memae_jax.data.prepare.builders.kddcup99',
    'Kddcup99TenPercent',
  ),
  'mnist': ('memae_jax.data.prepare.builders.mnist', 'MnistBlocks'),
  'shanghaitech': (
    'memae_jax.data.prepare.builders.shanghaitech',
    'Shanghaitech',
  ),
  'ucsd_ped2': ('memae_jax.data.prepare.builders.ucsd_ped2', 'UcsdPed2'),
}
# Sets that stay folders of files: name -> module with their `prepare`.
FOLDERS = {
  'creditcard': 'memae_jax.data.prepare.builders.creditcard',
  'creditcard_made': 'memae_jax.data.prepare.builders.creditcard_made',
  'mvtec': 'memae_jax.data.prepare.builders.mvtec',
}
_NAMES = (*BUILDERS, *FOLDERS)


def _class(name: str):
  """Returns the class of a data set's builder."""
  module, attribute = BUILDERS[name]
  return getattr(importlib.import_module(module), attribute)


def _builder(name: str, folder: pathlib.Path):
  """Returns the builder of a data set in a folder; opens what is there."""
  return _class(name)(data_dir=os.fspath(folder), file_format='array_record')


def open_prepared(name: str, folder: pathlib.Path):
  """Returns the TFDS builder of a prepared set.

  Args:
    name: one of `BUILDERS`.
    folder: of all prepared sets, see `registry.data_dir`.

  Raises:
    UserError: the set is not prepared, or is damaged.
  """
  again = f'python -m memae_jax.data.prepare {name} --data_dir={folder}'
  if not folder.is_dir():
    raise errors.UserError(
      f'data set "{name}" is not prepared in {folder}; run {again}'
    )
  try:
    builder = _builder(name, folder)
    ready = builder.is_prepared()
    for split in builder.info.splits if ready else ():
      records = builder.as_data_source(split)
      if not len(records):
        raise ValueError(f'split "{split}" is empty')
      records[0], records[len(records) - 1]
  except Exception as error:  # TFDS may raise anything on broken files.
    raise errors.UserError(
      f'data set "{name}" in {folder} is damaged ({_one_line(error)}); run'
      f' {again}'
    ) from error
  if not ready:
    raise errors.UserError(
      f'data set "{name}" is not prepared in {folder}; run {again}'
    )
  return builder


def prepare(
  name: str, folder: pathlib.Path, manual_dir: pathlib.Path | None = None
) -> pathlib.Path:
  """Prepares a data set, unless a sound one is there.

  Args:
    name: one of `BUILDERS` or `FOLDERS`.
    folder: of all prepared sets, see `registry.data_dir`.
    manual_dir: folder with the publisher's files; None: download them.

  Returns:
    the folder of the prepared set.

  Raises:
    UserError: the name is unknown, files are wrong or missing, there is no
      network, or the disk is full.
  """
  if name not in _NAMES:
    raise errors.UserError(
      f'data set "{name}" is unknown' + errors.did_you_mean(name, _NAMES)
    )
  if manual_dir is not None and not manual_dir.is_dir():
    raise errors.UserError(
      f'--manual_dir {manual_dir} is not a folder; give the one with the'
      " publisher's files"
    )
  if name in BUILDERS and not disk.may_write(folder):
    with contextlib.suppress(errors.UserError):
      return pathlib.Path(open_prepared(name, folder).data_path)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with locks.exclusive(folder / f'.{name}.lock', f'preparing "{name}"'):
      if name in FOLDERS:
        module = importlib.import_module(FOLDERS[name])
        return module.prepare(folder / name, manual_dir)
      return _prepare(name, folder, manual_dir)
  except OSError as error:  # No space, no permission.
    raise errors.UserError(
      f'data set "{name}" could not be prepared in {folder}: {_one_line(error)}'
    ) from error


def _prepare(name, folder, manual_dir) -> pathlib.Path:
  """Prepares a data set while no other process does; see `prepare`."""
  import tensorflow_datasets as tfds  # Slow to load.

  with contextlib.suppress(errors.UserError):
    return pathlib.Path(open_prepared(name, folder).data_path)
  target = _data_path(name, folder)
  shutil.rmtree(target, ignore_errors=True)  # It is damaged or not there.
  for leftover in target.parent.glob('incomplete.*'):  # From a killed process.
    shutil.rmtree(leftover)
  builder = _builder(name, folder)
  builder.raw_dir = manual_dir or folder / 'downloads' / name
  if not manual_dir:
    for url in builder.URLS:
      print(f'fetching {url}', flush=True)
      downloads.fetch(url, builder.raw_dir)
  print(f'preparing {name} in {target}', flush=True)
  if not sys.stderr.isatty():
    tfds.disable_progress_bar()
  try:
    # TFDS writes to a folder incomplete.* and renames it at the end.
    with contextlib.redirect_stdout(io.StringIO()):
      builder.download_and_prepare(
        download_dir=os.fspath(folder / 'downloads'),
        download_config=tfds.download.DownloadConfig(try_download_gcs=False),
      )
  except errors.UserError:
    if not manual_dir:  # The next attempt shall not take the same bad files.
      shutil.rmtree(builder.raw_dir)
    raise
  return pathlib.Path(open_prepared(name, folder).data_path)


def _data_path(name, folder) -> pathlib.Path:
  """Returns the folder of a prepared set without opening it."""
  builder = _class(name)
  return folder / builder.name / str(builder.VERSION)


def _one_line(error: BaseException) -> str:
  """Returns the message of an error as one line."""
  return ' '.join(str(error).split())[:300] or type(error).__name__


def run(*names: str) -> None:
  """Runs the command; takes the name of one data set, and the flags."""
  if len(names) != 1:
    raise errors.UserError(
      'give one data set: python -m memae_jax.data.prepare NAME with NAME one'
      f' of {", ".join(sorted(_NAMES))}'
    )
  manual = flags.FLAGS.manual_dir
  path = prepare(
    names[0],
    registry.data_dir(flags.FLAGS.data_dir),
    paths.local(manual, '--manual_dir').absolute() if manual else None,
  )
  print(f'{names[0]} is ready in {path}')
