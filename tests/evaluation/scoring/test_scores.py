"""Scores of one replica, with its samples."""

import numpy as np

from memae_jax.evaluation.scoring import scores
from tests import finished


def test_errors_are_those_of_reconstructions_or_else_the_maps():
  inputs = np.ones((2, 3, 4, 2), np.float32)
  rebuilt = np.stack([inputs[..., 0], inputs[..., 0] - 2], axis=-1)
  facts = np.zeros(2), np.zeros(2, bool), ('a', 'b')
  gallery = scores.Gallery(inputs, rebuilt, *facts)
  np.testing.assert_array_equal(gallery.errors, np.full((2, 3, 4), 2))
  maps = np.arange(24.0).reshape(2, 3, 4)
  gallery = scores.Gallery(inputs, None, *facts, maps=maps)
  assert gallery.errors is maps


def test_the_threshold_is_a_quantile_of_the_held_out_normals():
  replica = finished.replica('memae', 0)
  held_out = np.array([1.0, 2.0, 3.0])
  replica = replica._replace(validation_score=held_out)
  assert replica.threshold(0.5) == 2
  assert replica._replace(validation_score=held_out[:0]).threshold(0.5) is None


def test_the_first_name_of_each_variant():
  pairs = [('ae', 'ae/2'), ('memae', 'memae/1'), ('ae', 'ae/1')]
  assert scores.first_names(pairs) == ['ae/1', 'memae/1']
