"""Fixtures of the tests of tables; each file has a `load` of its own."""

import pytest

from memae_jax.runtime import errors


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
