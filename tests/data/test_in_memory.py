import numpy as np
import pytest

from memae_jax.data import in_memory, sources
from memae_jax.runtime import errors


@pytest.mark.parametrize('kind', ['float64', 'float32', 'int64'])
def test_equals_what_a_file_of_it_gives(kind, data_config, tmp_path):
  rng = np.random.default_rng(0)
  rows = (rng.normal(size=(20, 3)) * 100 + [0, 1e9, 5]).astype(kind)
  np.savez(tmp_path / 'rows.npz', inputs=rows)
  fields = {'name': 'arrays', 'protocol': 'all', 'scaling': 'standard'}
  config = data_config(**fields, path=str(tmp_path / 'rows.npz'))
  read = sources.load(config)
  made = in_memory.source(rows, None, data_config(**fields))
  np.testing.assert_array_equal(made.inputs, read.inputs)
  assert made.columns == read.columns
  assert sources.data_sha256(made) == sources.data_sha256(read)
  assert (made.host.centre == read.host.centre).all()


def test_what_an_array_cannot_be(data_config):
  config = data_config(name='arrays', protocol='all', scaling='standard')
  with pytest.raises(errors.UserError, match='X row 1.*nan'):
    in_memory.source(np.array([[1.0], [np.nan]]), None, config)
  labelled = data_config(name='arrays', protocol='all', label_column='y')
  with pytest.raises(errors.UserError, match='count as normal'):
    in_memory.source(np.ones((5, 2)), None, labelled)


def test_marks_of_missing_values_leave_the_array_as_it_is(data_config):
  rows = np.array([[1.0, -9.0], [2.0, 3.0]])
  config = data_config(
    name='arrays', protocol='all', missing='median', missing_marks=('-9',)
  )
  assert np.isnan(in_memory.raw(rows, config)[0][0, 1]) and rows[0, 1] == -9


def test_zeros_stand_for_samples():
  facts = {
    'shape': [2], 'dtype': 'float32', 'names': ['a', 'b'], 'levels': [0, 1]
  }  # fmt: skip
  source = in_memory.like(facts, None)
  assert source.inputs.shape == (3, 2) and not source.inputs.any()
  assert [c.name for c in source.columns] == ['a', 'b']
