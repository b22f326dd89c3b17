"""Methods by name, and the fields that each reads."""

import pytest

from memae_jax.methods import registry
from memae_jax.runtime import errors


@pytest.mark.parametrize(
  ('method', 'field', 'reads'),
  [
    ('memae', 'train.alpha', True),
    ('memae', 'model.memory.threshold', True),
    ('nonspar', 'model.memory.slots', True),
    ('nonspar', 'model.memory.threshold', False),  # It sets it itself.
    ('ae', 'train.alpha', False),
    ('ae', 'train.learning_rate', True),  # No entry names it.
  ],
)
def test_fields_that_a_method_reads(method, field, reads):
  assert registry.reads(method, field) == reads


@pytest.mark.parametrize(
  ('name', 'words'),
  [('my-method', 'letters, digits and "_"'), ('memae', 'registered twice')],
)
def test_names_that_cannot_be_registered(name, words):
  before = registry.names()
  entry = registry.Entry(
    name, 'Mine', 'mine', lambda *given: None, settings={'depth': 1}
  )
  with pytest.raises(errors.UserError, match=words):
    registry.register(entry)
  assert registry.names() == before and 'mine' not in registry.SETTINGS


def test_rivals_are_methods():
  for name in registry.names():
    assert set(registry.find(name).rivals) <= set(registry.names()), name
