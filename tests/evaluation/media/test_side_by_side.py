"""Test pictures beside the maps of all methods."""

import types

import numpy as np

from memae_jax.data import types as data_types
from memae_jax.evaluation.media import side_by_side
from memae_jax.evaluation.scoring import scores

TESTS = np.arange(2, 10)


def _experiment(masks=True):
  inputs = np.random.default_rng(0).integers(0, 256, (10, 6, 8, 3), np.uint8)
  labels = np.int32([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
  truth = inputs[..., 0] > 200
  has_mask = np.arange(10) != 4
  source = data_types.Source(
    'x',
    inputs,
    labels,
    ('good', 'hole', 'crack'),
    masks=truth if masks else None,
    has_mask=has_mask if masks else None,
  )
  split = types.SimpleNamespace(test=TESTS, train=np.arange(2))
  return types.SimpleNamespace(source=source, splits=[split])


def _replica(variant, count, seed=0, limit=0.5, sample=TESTS):
  maps = np.random.default_rng(seed).random((count, 6, 8)).astype(np.float16)
  return scores.ReplicaScores(
    f'{variant}/seed={seed}',
    {'variant': variant},
    np.float32([3, 1, 9, 4, 8, 6, 5, 7]),
    TESTS > 4,
    sample,
    np.zeros(2),
    maps=maps if count else None,
    pixels=({'defect_threshold': limit}, {}),
  )


def test_methods_and_baselines_with_maps_of_the_same_samples_are_shown():
  exp = _experiment()
  networks = [
    _replica('ae', 7, seed=1),
    _replica('ae', 7),  # The first by name.
    _replica('kde', 0),
    _replica('bank', 7, sample=TESTS[::-1]),
  ]
  rivals = [_replica('mean', 7, limit=None)]
  shown = side_by_side.of(exp, networks, rivals)
  assert [c.name for c in shown.columns] == ['ae', 'mean']
  assert [c.limit for c in shown.columns] == [0.5, None]
  np.testing.assert_array_equal(shown.columns[0].maps, networks[1].maps)
  known = np.array([2, 3, 5, 6, 7, 8, 9])  # The mask of sample 4 is not known.
  np.testing.assert_array_equal(shown.sample, known)
  np.testing.assert_array_equal(shown.inputs, exp.source.inputs[known])
  np.testing.assert_array_equal(shown.masks, exp.source.masks[known])
  np.testing.assert_array_equal(shown.columns[0].score, [3, 1, 4, 8, 6, 5, 7])
  for column in shown.columns:
    assert column.maps.min() <= column.scale[0] < column.scale[1]
    assert column.scale[1] <= column.maps.max()


def test_one_picture_of_each_kind_is_chosen_by_the_median_score():
  shown = side_by_side.of(_experiment(), [_replica('ae', 7)], [])
  few = shown.at(side_by_side.chosen(shown))
  assert few.title == ('good', 'crack', 'hole')
  # Of scores 1, 3; of 5, 7; of 4, 6, 8: the upper median.
  np.testing.assert_array_equal(few.columns[0].score, [3, 7, 6])
  np.testing.assert_array_equal(few.sample, [2, 9, 7])
  np.testing.assert_array_equal(
    few.inputs, _experiment().source.inputs[[2, 9, 7]]
  )


def test_without_masks_all_pictures_are_shown_that_have_maps():
  exp = _experiment(masks=False)
  shown = side_by_side.of(exp, [_replica('ae', 8)], [])
  assert shown.masks is None and len(shown.sample) == 8
  assert shown.at(np.array([1])).masks is None
  assert side_by_side.of(exp, [_replica('ae', 0)], []) is None


def test_there_is_no_figure_where_no_mask_is_known():
  exp = _experiment()
  unknown = exp.source._replace(has_mask=np.zeros(10, bool))
  replica = _replica('ae', 7)._replace(maps=np.zeros((0, 6, 8), np.float16))
  exp = types.SimpleNamespace(source=unknown, splits=exp.splits)
  assert side_by_side.of(exp, [replica], []) is None


def test_maps_that_are_all_the_same_have_a_scale():
  flat = _replica('ae', 7)
  flat = flat._replace(maps=np.zeros_like(flat.maps))
  (column,) = side_by_side.of(_experiment(), [flat], []).columns
  assert column.scale == (0.0, 1.0)
