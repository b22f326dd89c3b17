"""What no experiment is built of."""

import pytest

from memae_jax.runtime import errors
from memae_jax.training import experiment
from tests import helpers


def test_more_slots_than_encodings_are_refused():
  fields = {'model.memory.slots': 500, 'model.memory.init': 'encodings'}
  with pytest.raises(errors.UserError, match='start from the encodings of 500'):
    experiment.build(helpers.digits(**fields))
  experiment.build(helpers.digits(**fields | {'model.memory.init': 'uniform'}))
