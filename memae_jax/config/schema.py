"""The schema of an experiment: every field, its default, type and range.

A file in `configs/` starts from `default()` and sets what differs. What a field
is to a run (its role) stands in the field, see `fields.Field`.
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
registry.SETTINGS.setdefault('bank', {}).update(method_fields.BANK)

PAPERS = ('mnist', 'cifar10', 'kddcup99', 'ped2', 'avenue', 'shanghaitech')

SCHEMA: dict[str, Any] = {
  'name': fields.text('', 'Name of the experiment, used in reports.').role(
    fields.NO_WEIGHT
  ),
  'plugins': fields.many(
    fields.name(), (), 'Modules that were loaded by --plugin; not to be set.'
  ).role(fields.NO_WEIGHT),
  'paper': fields.choice(
    '', ('', *PAPERS), 'Table of the paper shown beside the results.'
  ).role(fields.NO_WEIGHT),
  'data': data_fields.DATA,
  'model': model_fields.MODEL,
  # Of each family of methods that has any, see `methods.registry.Entry`.
  'methods': registry.SETTINGS,
  'train': run_fields.TRAIN,
  'fleet': run_fields.FLEET,
  'mesh': run_fields.MESH,
  'eval': run_fields.EVAL,
}


def has_role(field: str, role: str) -> bool:
  """Whether a field, such as 'data.path', has a role of `fields`."""
  try:
    node = find(field)
  except errors.UserError:  # Of a plugin that is not loaded.
    return False
  return isinstance(node, fields.Field) and role in node.roles


def with_role(role: str) -> tuple[str, ...]:
  """Returns the names of all fields of a role, such as 'data.path'."""
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
  """Whether a field, such as 'train.alpha', decides what a run trains.

  Of `eval`, only the checkpoint rule does: what is stored depends on it.
  """
  if field.startswith('eval.'):
    return field == 'eval.checkpoint'
  return not has_role(field, fields.NO_WEIGHT)


def names_run(field: str) -> bool:
  """Whether the results of a run may depend on a field."""
  return trains(field) or field.startswith('eval.')


def walk(
  schema: Mapping, leaf: Callable[[fields.Field], Any]
) -> dict[str, Any]:
  """Returns `leaf(field)` in place of each field of a group."""
  return {
    key: leaf(node) if isinstance(node, fields.Field) else walk(node, leaf)
    for key, node in schema.items()
  }


def default() -> ml_collections.ConfigDict:
  """Returns a config with every field of the schema at its default."""
  return ml_collections.ConfigDict(walk(SCHEMA, lambda field: field.default))


def find(name: str) -> fields.Field | Mapping[str, Any]:
  """Returns the field or group `a.b.c` of the schema.

  Raises:
    UserError: there is none.
  """
  node = SCHEMA
  for key in name.split('.'):
    if isinstance(node, fields.Field):
      raise errors.UserError(
        f'config field "{name}" is unknown; what stands before "{key}" is no'
        ' group of fields'
      )
    if key not in node:
      raise unknown(name, key, node)
    node = node[key]
  return node


def unknown(name: str, key: str, schema: Mapping) -> errors.UserError:
  """The error of a field that a group does not have."""
  return errors.UserError(
    f'config field "{name[:100]}" is unknown'
    + errors.did_you_mean(key[:100], schema)
  )
