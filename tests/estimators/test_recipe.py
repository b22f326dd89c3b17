import numpy as np
import pytest

from memae_jax.config import config_file, packaged
from memae_jax.estimators import recipe
from memae_jax.runtime import errors

_NOTHING = dict.fromkeys(recipe.NAMED)


def _config(method='memae', shape=(5,), dtype=np.float64, fields=None, **named):
  named = _NOTHING | named
  return recipe.config(method, shape, np.dtype(dtype), named, 3, fields)


def test_tables_have_the_standard_recipe():
  """That of configs/arrays.py, but for what an estimator has none of."""
  of_file = config_file.get_config(str(packaged.files()['arrays']))
  config = _config()
  for group in ('model', 'methods', 'train'):
    wanted = of_file[group].to_dict()
    if group == 'train':
      wanted['seed'] = 3
    assert config[group].to_dict() == wanted
  assert config.data.scaling == 'standard' and config.data.clip == 5


@pytest.mark.parametrize('side, layers', [(8, 1), (28, 3), (256, 5)])
def test_images_have_convolutions(side, layers):
  config = _config(shape=(side, side), dtype=np.uint8)
  assert config.model.network == 'conv' and len(config.model.widths) == layers
  assert config.data.scaling == 'fixed'
  assert _config(shape=(side, side)).data.scaling == 'minmax'


def test_names_and_fields():
  config = _config(epochs=2, slots=7, fields={'train.alpha': 0.5})
  assert config.train.epochs == 2 and config.model.memory.slots == 7
  assert config.train.alpha == 0.5
  nested = _config(fields={'train': {'alpha': 0.5}})
  assert nested.train.alpha == 0.5
  assert _config('deep_svdd', code=4).methods.deep_svdd.code == 4


@pytest.mark.parametrize(
  'method, named, fields, words',
  [
    ('memae', {}, {'train.alfa': 1}, 'did you mean "alpha"'),
    ('memae', {'epochs': 2}, {'train.epochs': 2}, 'set twice'),
    ('memae', {}, {'train.seed': 2}, 'use random_state'),
    ('memae', {}, {'fleet.seeds': 2}, 'memae_jax.train'),
    ('memae', {}, {'data.protocol': 'given'}, 'belongs to the estimator'),
    ('ae', {'slots': 2}, None, 'method "ae" does not read it'),
    ('memae', {'epochs': -1}, None, '"train.epochs" is -1'),
    ('memae', {}, 'abc', 'give a dict'),
  ],
)
def test_refused(method, named, fields, words):
  with pytest.raises(errors.UserError, match=words):
    _config(method, fields=fields, **named)


def test_blocks_do_not_depend_on_the_number_of_samples():
  assert recipe.block((20,)) == 512 and recipe.block((28, 28, 1)) == 16
  assert recipe.block((1000, 1000, 3)) == 1
