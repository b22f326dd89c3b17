"""Comparison of a config with that of a run: which fields may differ, and why.

The config that a run was trained by is stored in its checkpoints. config.json
can be edited; the next command on the run starts from it.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from memae_jax import config as config_lib
from memae_jax.config import fields
from memae_jax.runtime import errors, jax_settings


def there(stored: Mapping[str, Any], workdir: pathlib.Path) -> Any:
  """Returns the config that a checkpoint was trained by, with all fields.

  Args:
    stored: `meta` of the checkpoint. Where an earlier version wrote it, fields
      may be missing, or the config; then it is the config.json of the run.
    workdir: of the run.

  Raises:
    UserError: it is not a config of this version.
  """
  if 'config' not in stored:
    return config_lib.load(workdir / 'config.json')
  try:
    return config_lib.resolve(stored['config'])
  except errors.UserError as error:
    raise errors.UserError(
      f'the checkpoints of {workdir} are of another version of this project'
      f' ({error}); use that version'
    ) from error


def check(
  trained: Any, config: Any, workdir: pathlib.Path, other_data: bool = False
) -> None:
  """Raises UserError if a run was trained by another config than this.

  These fields may differ:
  - `eval`, except for the checkpoint rule, which decides what is stored;
  - names, and where the data lie, as their hash is checked;
  - how samples are fed, which changes no batch;
  - how the work is spread and the memory read, which changes only rounding;
  - if the last step is evaluated, when the run logs and validates, and at a
    constant learning rate the number of epochs: the steps that were taken are
    the same.

  Args:
    trained: config of the run, see `there`.
    config: resolved.
    workdir: of the run.
    other_data: whether samples of other data are only evaluated; then fields
      of `data` may differ, except for scaling.
  """
  before = config_lib.flatten(trained.to_dict())
  wanted = config_lib.flatten(config.to_dict())
  last = before['eval.checkpoint'] == wanted['eval.checkpoint'] == 'last'
  constant = last and wanted['train.schedule'] == 'constant'

  def may_differ(field: str) -> bool:
    return (
      not config_lib.trains(field)
      or config_lib.has_role(field, fields.MOVED)
      or (
        other_data
        and field.startswith('data.')
        and not config_lib.has_role(field, fields.SCALES)
      )
      or (last and config_lib.has_role(field, fields.LOOKS))
      or (constant and field == 'train.epochs')
    )

  differ = [
    field
    for field in wanted
    if before[field] != wanted[field] and not may_differ(field)
  ]
  if not differ:
    return
  differences = '; '.join(
    f'{field}: {before[field]!r} there, {wanted[field]!r} now'
    for field in differ[:3]
  )
  more = '; ...' if len(differ) > 3 else ''
  if all(config_lib.has_role(field, fields.LOOKS) for field in differ):
    more += '; by eval.checkpoint "validation" it decides what is kept'
  mend = 'give another --workdir'
  if _edited(workdir, differ, wanted):
    mend = 'config.json was changed after the training, put it back'
  raise errors.UserError(
    f'{workdir} holds a run of another config ({differences}{more}); {mend}'
  )


def _edited(workdir: pathlib.Path, fields, wanted: Mapping[str, Any]) -> bool:
  """Returns whether the values of fields are those of the run's config.json."""
  try:
    now = config_lib.load(workdir / 'config.json')
  except errors.UserError:
    return False
  now = config_lib.flatten(now.to_dict())
  return all(now[field] == wanted[field] for field in fields)


def names_other_data(trained: Any, config: Any) -> bool:
  """Returns whether a config names data that a run may not have trained on.

  Args:
    trained: config of the run, see `there`.
    config: resolved.
  """
  return any(
    trained.data[key] != config.data[key]
    for key in trained.data
    if config_lib.trains(f'data.{key}')
  )


def check_data(exp: Any, stored: Mapping[str, Any]) -> None:
  """Raises UserError if a checkpoint was trained on other data than it names.

  Args:
    exp: the experiment; if it evaluates other data on purpose, all is well.
    stored: `meta` of the checkpoint.
  """
  same = stored.get('data_sha256') == exp.identity['data_sha256']
  if exp.trained_on is None and not same:
    raise errors.UserError(
      f'the data set "{exp.source.name}" is not the one that this run was'
      f' trained on (sha256 {exp.identity["data_sha256"][:12]}, was'
      f' {str(stored.get("data_sha256"))[:12]}); give another --workdir, or'
      ' the old data'
    )


def check_origin(
  exp: Any,
  stored: Mapping[str, Any],
  workdir: pathlib.Path,
  goes_on: bool = False,
) -> None:
  """Raises UserError unless a checkpoint is one of an experiment.

  Config, data and settings of JAX are compared.

  Args:
    exp: the experiment.
    stored: `meta` of the checkpoint.
    workdir: of the run.
    goes_on: whether a training continues from it.
  """
  trained = there(stored, workdir)
  check(trained, exp.config, workdir, exp.trained_on is not None)
  check_data(exp, stored)
  jax_settings.check(stored.get('environment') or {}, goes_on)
