"""Stand-ins for experiments: samples and scores without a network."""

import types

import numpy as np

from memae_jax import config as config_lib
from memae_jax.data import types as data_types
from memae_jax.methods import base, tasks

CONFIG = {'data': {'name': 'digits'}, 'fleet': {'normal_classes': (0,)}}


def rebuilds_zeros(weights, rows, wanted):
  """Stands in for the scores of a fleet of [R] that reconstructs zeros."""
  del weights, wanted
  shape = len(rows), len(rows[0])
  scores = {'mse': np.zeros(shape)}
  return base.Prediction(scores)._replace(output=np.zeros((*shape, 4, 5, 3)))


def experiment_of_images(masks=None):
  """Returns an experiment on 6 images of 3 classes that rebuilds zeros."""
  rng = np.random.default_rng(0)
  source = data_types.Source(
    'x',
    rng.integers(0, 256, (6, 4, 5, 3)).astype(np.uint8),
    np.array([0, 0, 1, 1, 2, 2], np.int32),
    ('cat', 'dog', 'bird'),
    masks=masks,
    has_mask=None if masks is None else np.arange(6) != 3,
  )
  transform = data_types.Transform(*np.float32([[1 / 255], [0], [0], [9]]))
  split = data_types.Split(
    np.array([0]),
    np.array([0]),
    np.array([1, 2, 3, 4, 5]),
    np.array([0, 1, 1, 1, 1], bool),
    transform,
  )
  replica = lambda variant: types.SimpleNamespace(
    variant=variant, seed=0, normal_class=0
  )
  return types.SimpleNamespace(
    config=config_lib.resolve({**CONFIG, 'eval': {'batch_size': 2}}),
    source=source,
    rule='mse',
    map_rule='mse',
    task=tasks.Task(),
    splits=[split] * 2,
    programs=types.SimpleNamespace(score=rebuilds_zeros),
    replicas=[replica('memae'), replica('ae')],
  )
