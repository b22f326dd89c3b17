"""Fields of the schema by name and by role."""

import pytest

from memae_jax.config import fields, schema
from memae_jax.runtime import errors


def test_fields_and_groups_are_found_by_name():
  assert isinstance(schema.find('model.memory.slots'), fields.Field)
  assert 'slots' in schema.find('model.memory')


@pytest.mark.parametrize(
  ('name', 'words'),
  [
    (
      'model.memory.slot',
      '"model.memory.slot" is unknown.*did you mean "slots"',
    ),
    ('modle', 'did you mean "model"'),
    ('train.epochs.more', 'stands before "more" is not a group'),
  ],
)
def test_names_without_a_field(name, words):
  with pytest.raises(errors.UserError, match=words):
    schema.find(name)


def test_roles_are_those_of_the_fields():
  paths = schema.with_role(fields.PATH)
  assert 'data.path' in paths and 'train.epochs' not in paths
  assert all(schema.has_role(name, fields.PATH) for name in paths)
  assert not schema.has_role('methods.of_a_plugin.field', fields.PATH)


@pytest.mark.parametrize(
  ('name', 'trains', 'names_run'),
  [
    ('train.alpha', True, True),
    ('eval.checkpoint', True, True),
    ('eval.bootstrap', False, True),
    ('methods.bank.blur', False, True),
    ('paper', False, False),
  ],
)
def test_fields_that_decide_weights_and_results(name, trains, names_run):
  assert schema.trains(name) == trains
  assert schema.names_run(name) == names_run


def test_a_default_config_has_every_field_once():
  first, second = schema.default(), schema.default()
  assert first == second and first is not second
  first.train.epochs += 1
  assert schema.default() == second
