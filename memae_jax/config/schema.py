"""The schema of an experiment: every field, its default, type and range.

A file in `configs/` starts from `default()` and sets what differs. The roles of
a field in a run stand in the field itself, see `fields.Field`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import ml_collections

from memae_jax.config import (
  data_fields,
  fields,
  method_fields,
  model_fields,
  run_fields,
)
from memae_jax.methods import registry
from memae_jax.runtime import errors

# Those of plugins come from their entries.
for _family, _fields in method_fields.ALL.items():
  registry.SETTINGS.setdefault(_family, {}).update(_fields)

PAPERS = ('mnist', 'cifar10', 'kddcup99', 'ped2', 'avenue', 'shanghaitech')

SCHEMA: dict[str, Any] = {
  'name': fields.text('', 'Name of the experiment, used in reports.').role(
    fields.NO_WEIGHT
  ),
  'plugins': fields.many(
    fields.name(), (), 'Modules that were loaded by --plugin; not to be set.'
  ).role(fields.NO_WEIGHT),
  'paper': fields.choice(
    '', ('', *PAPERS), 'Data set whose table of the paper is in the report.'
  ).role(fields.NO_WEIGHT),
  'data': data_fields.DATA,
  'model': model_fields.MODEL,
  # The settings of each family of methods, see `methods.registry.Entry`.
  'methods': registry.SETTINGS,
  'train': run_fields.TRAIN,
  'fleet': run_fields.FLEET,
  'mesh': run_fields.MESH,
  'eval': run_fields.EVAL,
}


def has_role(field: str, role: str) -> bool:
  """Returns whether a field, such as 'data.path', has a role of `fields`."""
  try:
    node = find(field)
  except errors.UserError:  # Its plugin is not loaded.
    return False
  return isinstance(node, fields.Field) and role in node.roles


def with_role(role: str) -> tuple[str, ...]:
  """Returns the names of all fields that have a role, such as 'data.path'."""
  names: list[str] = []

  def visit(group, prefix):
    for key, node in group.items():
      if not isinstance(node, fields.Field):
        visit(node, f'{prefix}{key}.')
      elif role in node.roles:
        names.append(prefix + key)

  visit(SCHEMA, '')
  return tuple(names)


def trains(field: str) -> bool:
  """Returns whether a field, such as 'train.alpha', decides the weights.

  `eval.checkpoint` is the only field of `eval` that does, as the weights that
  are stored depend on it.
  """
  if field.startswith('eval.'):
    return field == 'eval.checkpoint'
  return not has_role(field, fields.NO_WEIGHT)


def names_run(field: str) -> bool:
  """Returns whether the results of a run may depend on a field.

  Settings of methods that decide no weight decide scores or maps.
  """
  return trains(field) or field.startswith(('eval.', 'methods.'))


def walk(
  schema: Mapping, leaf: Callable[[fields.Field], Any]
) -> dict[str, Any]:
  """Returns a group with `leaf(field)` in place of each field."""
  return {
    key: leaf(node) if isinstance(node, fields.Field) else walk(node, leaf)
    for key, node in schema.items()
  }


def default() -> ml_collections.ConfigDict:
  """Returns a config with every field of the schema at its default."""
  return ml_collections.ConfigDict(walk(SCHEMA, lambda field: field.default))


def find(name: str) -> fields.Field | Mapping[str, Any]:
  """Returns the field or group of a name, such as 'model.memory.slots'.

  Raises:
    UserError: there is none.
  """
  node = SCHEMA
  for key in name.split('.'):
    if isinstance(node, fields.Field):
      raise errors.UserError(
        f'config field "{name}" is unknown; what stands before "{key}" is not'
        ' a group of fields'
      )
    if key not in node:
      raise unknown(name, key, node)
    node = node[key]
  return node


def unknown(name: str, key: str, schema: Mapping) -> errors.UserError:
  """Returns the error on a key that a group of the schema does not have."""
  return errors.UserError(
    f'config field "{name[:100]}" is unknown'
    + errors.did_you_mean(key[:100], schema)
  )
