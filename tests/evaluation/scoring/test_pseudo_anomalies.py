import dataclasses

import jax
import numpy as np
import pytest

from memae_jax import losses
from memae_jax.data import transforms
from memae_jax.evaluation.scoring import baselines, collect, pseudo_anomalies
from memae_jax.training import experiment
from tests import helpers


@pytest.fixture(scope='module')
def exp():
  return experiment.build(
    helpers.digits(**{'fleet.variants': ('memae', 'ae'), 'eval.batch_size': 7})
  )


def _evaluate(exp):
  state = exp.programs.init()
  weights = collect.select_weights(exp, state, 0)[0]
  held = jax.device_get(
    exp.programs.score(weights, [s.validation for s in exp.splits])
  )
  held = [
    baselines.Scored(None, None, held={'mse': e[: len(s.validation)]})
    for e, s in zip(held.scores['mse'], exp.splits)
  ]
  of_rules = pseudo_anomalies.evaluate(exp, weights, held, ('mse', 'ssim'))
  assert all(list(of_rule) == ['mse'] for of_rule in of_rules)
  return [of_rule['mse'] for of_rule in of_rules]


@pytest.mark.parametrize('shape', [(6, 8, 8, 1), (4, 5, 5, 3), (3, 1, 2, 1)])
def test_kinds_change_images_and_nothing_else(shape):
  images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
  before = images.copy()
  for kind in pseudo_anomalies.kinds(shape[1:]):
    made = pseudo_anomalies.make(kind, images, (3, 1))
    assert made.shape == shape and made.dtype == np.uint8
    np.testing.assert_array_equal(
      made, pseudo_anomalies.make(kind, images, (3, 1))
    )
  np.testing.assert_array_equal(images, before)
  assert 'rotate' not in pseudo_anomalies.kinds(
    (4, 5, 1)
  ) and not pseudo_anomalies.kinds((12,))


def test_each_kind_is_what_it_says():
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (5, 4, 4, 1)).astype(np.uint8)
  make = lambda kind: pseudo_anomalies.make(kind, images, (0, 0))
  np.testing.assert_array_equal(make('flip')[2], images[2, ::-1])
  np.testing.assert_array_equal(make('rotate')[2], np.rot90(images[2]))
  swapped = make('shuffle')
  np.testing.assert_array_equal(swapped[:, :2, :2], images[:, 2:, 2:])
  np.testing.assert_array_equal(swapped[:, 2:, :2], images[:, :2, 2:])
  lighter = make('blend')
  for i, image in enumerate(images):
    others = np.maximum(image, np.delete(images, i, axis=0))
    assert (lighter[i] == others).reshape(4, -1).all(axis=1).any()
  changed = make('cutpaste') != images
  assert (changed.reshape(5, -1).sum(axis=1) <= 4).all() and changed.any()


def test_scores_are_those_of_the_network_and_deterministic(exp):
  aurocs = _evaluate(exp)
  assert aurocs == _evaluate(exp)
  assert [set(one) for one in aurocs] == [set(pseudo_anomalies.KINDS)] * 4
  weights = collect.select_weights(exp, exp.programs.init(), 0)[0]
  one = jax.tree.map(
    lambda x: np.asarray(x)[2], (weights, exp.programs.hyper.method.knobs)
  )
  split = exp.splits[2]
  raw = exp.source.inputs[split.validation]

  def error(images):
    x = transforms.apply(images, split.transform)
    out = exp.trainer.method.model.apply(one[0].variables, x, one[1])
    return np.asarray(losses.mean(losses.squared(x, out.reconstruction)))

  normal, flipped = error(raw), error(raw[:, ::-1])
  won = (flipped[:, None] > normal) + (flipped[:, None] == normal) / 2
  assert aurocs[2]['flip'] == pytest.approx(won.mean(), abs=1e-3)


def test_no_test_data_enter(exp):
  spoilt = exp.source.inputs.copy()
  used = np.concatenate([s.validation for s in exp.splits])
  tested = np.setdiff1d(np.concatenate([s.test for s in exp.splits]), used)
  spoilt[tested] = 255 - spoilt[tested]
  other = dataclasses.replace(exp, source=exp.source._replace(inputs=spoilt))
  assert _evaluate(other) == _evaluate(exp)


def test_one_validation_normal_is_too_few(exp):
  splits = tuple(s._replace(validation=s.validation[:1]) for s in exp.splits)
  few = dataclasses.replace(exp, splits=splits)
  held = [baselines.Scored(None, None, held={'mse': np.ones(1)})] * 4
  found = pseudo_anomalies.evaluate(few, None, held, ('mse',))
  assert found == [{'mse': {}}] * 4
