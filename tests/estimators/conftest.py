import numpy as np
import pytest

import memae_jax
from memae_jax import config as config_lib
from memae_jax.data import in_memory, protocols

# A network so small that a fit takes a second.
SMALL = {
  'epochs': 2,
  'widths': (8,),
  'code': 2,
  'slots': 6,
  'random_state': 0,
  'verbose': 0,
}


@pytest.fixture(scope='session')
def table():
  """Sixty rows of four columns, with offsets and units of their own."""
  rng = np.random.default_rng(0)
  return rng.normal(size=(60, 4)) * [1, 10, 0.1, 1] + [0, 100, 0, -5]


@pytest.fixture(scope='session')
def small():
  """Makes a small estimator by the name of its class."""

  def make(name='MemAE', **parameters):
    return getattr(memae_jax, name)(**{**SMALL, **parameters})

  return make


@pytest.fixture(scope='session')
def train(detector, table):
  """The rows of the table that trained the fitted MemAE."""
  config = config_lib.resolve(detector.fitted_.config).data
  source = in_memory.source(table, None, config)
  return protocols.split(source, config, seed=0).train


@pytest.fixture(scope='session')
def detector(small, table):
  """A fitted MemAE; nobody may change it."""
  return small().fit(table)
