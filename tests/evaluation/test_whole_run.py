import pytest

from memae_jax.evaluation import whole_run
from memae_jax.runtime import errors
from tests import helpers


def test_what_cannot_be_trained_is_refused(tmp_path):
  with pytest.raises(errors.UserError, match='has no gradient'):
    whole_run.train(helpers.digits(**{'model.memory.read': 'top_k'}), tmp_path)
  fields = {
    'data.protocol': 'all',
    'data.normal_labels': ('0', '1'),
    'fleet.normal_classes': (),
  }
  with pytest.raises(errors.UserError, match='tests no sample'):
    whole_run.train(helpers.digits(**fields), tmp_path)
