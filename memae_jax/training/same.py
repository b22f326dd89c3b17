"""Whether a config is that of a run: which of its fields may differ, and why.

What a run was trained by is what its checkpoints say. config.json can be
edited, and is what the next command on the run starts from.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from memae_jax import config as config_lib
from memae_jax.config import fields
from memae_jax.runtime import errors, jax_settings


def there(stored: Mapping[str, Any], workdir: pathlib.Path) -> Any:
  """The config that a checkpoint was trained by, complete.

  Args:
    stored: `meta` of the checkpoint; of an earlier version it may lack fields,
      or the config, which then is that of the folder.
    workdir: of the run.

  Raises:
    UserError: it is no config of this project.
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

  `eval` fields may differ, but for the checkpoint rule: it decides what is
  stored. So may names, where the data lie (what they are is checked by their
  hash), how they are fed, which changes no batch, and how the work is spread
  and the memory read, which changes only rounding. If the last step is
  evaluated, so may the number of epochs at a constant learning rate, as those
  that were trained are the same then, and when the run logs and validates.

  Args:
    trained: config of the run, see `there`.
    config: resolved.
    workdir: of the run.
    other_data: whether samples of other data are only evaluated; then the
      fields of `data` may differ, but for scaling.
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
  shown = '; '.join(
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
    f'{workdir} holds a run of another config ({shown}{more}); {mend}'
  )


def _edited(workdir: pathlib.Path, fields, wanted: Mapping[str, Any]) -> bool:
  """Whether the values of fields come from the config.json of the run."""
  try:
    now = config_lib.load(workdir / 'config.json')
  except errors.UserError:
    return False
  now = config_lib.flatten(now.to_dict())
  return all(now[field] == wanted[field] for field in fields)


def names_other_data(trained: Any, config: Any) -> bool:
  """Whether a config asks for data that a run may not have trained on.

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
  """Raises UserError if a checkpoint was trained on other data, unasked.

  Args:
    exp: the experiment.
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
  """Raises UserError unless an experiment means what a checkpoint was.

  Args:
    exp: the experiment.
    stored: `meta` of the checkpoint.
    workdir: of the run.
    goes_on: whether it trains on from there.
  """
  trained = there(stored, workdir)
  check(trained, exp.config, workdir, exp.trained_on is not None)
  check_data(exp, stored)
  jax_settings.check(stored.get('environment') or {}, goes_on)
