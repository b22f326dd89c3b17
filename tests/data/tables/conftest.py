"""Fixtures of the tests of tables; a file may have a `load` of its own."""

import pytest

from memae_jax.runtime import errors


@pytest.fixture
def load(load_table):
  return load_table


@pytest.fixture
def load_outcomes(load_table):
  """Loads tables such as `examples.OUTCOMES`."""

  def make(content, name='my.csv', **fields):
    fields = {
      'label_column': 'outcome',
      'categorical_columns': ('city',),
      **fields,
    }
    return load_table(content, name, **fields)

  return make


@pytest.fixture
def refused(load):
  """Returns a function that loads bad input and returns the message, a line."""

  def make(*args, **fields):
    with pytest.raises(errors.UserError) as caught:
      load(*args, **fields)
    message = str(caught.value)
    assert '\n' not in message
    return message

  return make
