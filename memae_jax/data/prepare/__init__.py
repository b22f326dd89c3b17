"""Prepares a data set: `python -m memae_jax.data.prepare NAME`.

Downloads it from its publisher, or reads files already on disk, verifies
them and writes the prepared set to --data_dir. A set appears there whole or
not at all, so a run that was interrupted is simply repeated.
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

# Name of a data set -> module and TFDS builder. A builder has `URLS`, the
# publisher's files, and reads and verifies them in its `raw_dir`.
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


def _builder(name: str, folder: pathlib.Path):
  module, attribute = BUILDERS[name]
  cls = getattr(importlib.import_module(module), attribute)
  return cls(data_dir=os.fspath(folder), file_format='array_record')


def open_prepared(name: str, folder: pathlib.Path):
  """Returns the TFDS builder of a prepared set.

  Args:
    name: one of `BUILDERS`.
    folder: where prepared sets live, see `registry.data_dir`.

  Raises:
    UserError: it is not prepared, or damaged.
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
  except Exception as error:  # Whatever TFDS raises on broken files.
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
    name: one of `BUILDERS`.
    folder: where prepared sets live, see `registry.data_dir`.
    manual_dir: folder with the publisher's files; None: download them.

  Returns:
    the folder of the prepared set.

  Raises:
    UserError: unknown name, wrong or missing files, no network, no space.
  """
  if name not in BUILDERS:
    raise errors.UserError(
      f'data set "{name}" is unknown' + errors.did_you_mean(name, BUILDERS)
    )
  if manual_dir is not None and not manual_dir.is_dir():
    raise errors.UserError(f'--manual_dir {manual_dir} is no folder')
  if not disk.may_write(folder):
    with contextlib.suppress(errors.UserError):
      return pathlib.Path(open_prepared(name, folder).data_path)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with locks.exclusive(folder / f'.{name}.lock', f'preparing "{name}"'):
      return _prepare(name, folder, manual_dir)
  except OSError as error:  # No space, no permission.
    raise errors.UserError(
      f'data set "{name}" could not be prepared in {folder}: {_one_line(error)}'
    ) from error


def _prepare(name, folder, manual_dir) -> pathlib.Path:
  import tensorflow_datasets as tfds  # Slow to load.

  with contextlib.suppress(errors.UserError):
    return pathlib.Path(open_prepared(name, folder).data_path)
  target = pathlib.Path(_data_path(name, folder))
  shutil.rmtree(target, ignore_errors=True)  # Damaged, or not there.
  for left in target.parent.glob('incomplete.*'):  # Of a killed run.
    shutil.rmtree(left)
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
    if not manual_dir:  # Or the next attempt would take the same bad files.
      shutil.rmtree(builder.raw_dir)
    raise
  return pathlib.Path(open_prepared(name, folder).data_path)


def _data_path(name, folder) -> pathlib.Path:
  """Where a set goes, without opening what may be damaged."""
  module, attribute = BUILDERS[name]
  cls = getattr(importlib.import_module(module), attribute)
  return folder / cls.name / str(cls.VERSION)


def _one_line(error: BaseException) -> str:
  return ' '.join(str(error).split())[:300] or type(error).__name__


def run(*names: str) -> None:
  """Prepares the one data set that is named."""
  if len(names) != 1:
    raise errors.UserError(
      'give one data set: python -m memae_jax.data.prepare NAME with NAME one'
      f' of {", ".join(sorted(BUILDERS))}'
    )
  manual = flags.FLAGS.manual_dir
  path = prepare(
    names[0],
    registry.data_dir(flags.FLAGS.data_dir),
    paths.local(manual, '--manual_dir').absolute() if manual else None,
  )
  print(f'{names[0]} is ready in {path}')
