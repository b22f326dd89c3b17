"""Fields of the schema."""

import pytest

from memae_jax import config as config_lib
from memae_jax.config import fields


def _leaves(schema, prefix=''):
  for key, node in schema.items():
    if isinstance(node, fields.Field):
      yield prefix + key, node
    else:
      yield from _leaves(node, f'{prefix}{key}.')


FIELDS = dict(_leaves(config_lib.SCHEMA))


@pytest.mark.parametrize('name', FIELDS)
def test_every_field_has_a_sound_default_and_a_doc(name):
  field = FIELDS[name]
  assert field.doc and field.convert(field.default) == field.default
