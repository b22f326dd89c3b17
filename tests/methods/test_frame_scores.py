"""Scores of pictures and frames that every method with a map has."""

import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import losses
from memae_jax.methods import base, frame_scores
from memae_jax.training import experiment, step
from tests import helpers


def _maps(**names):
  rng = np.random.default_rng(0)
  return {
    name: jnp.asarray(rng.uniform(size=(2, 5, 4)), jnp.float32)
    for name in names
  }


@pytest.mark.parametrize(
  ('largest', 'count'), [(3, 3), (0.25, 5), (1e-6, 1), (1000, 20)]
)
def test_largest_cells_are_a_number_or_a_share(largest, count):
  rules = frame_scores.Rules(losses.CLIP, largest)
  maps = _maps(mse=1)
  found = rules.added(base.Prediction({}, maps)).scores
  cells = np.sort(np.asarray(maps['mse']).reshape(2, -1), axis=1)
  np.testing.assert_allclose(found['max_cell'], cells[:, -1])
  expected = cells[:, -count:].mean(axis=1)
  np.testing.assert_allclose(found['largest_cells'], expected, rtol=1e-6)
  assert rules.count(20) == count and 'psnr' not in found


def test_twenty_seven_of_the_recipe_are_the_default_share():
  share = helpers.clips().eval.largest_cells
  assert frame_scores.Rules(losses.FRAME, share).count(5400) == 27


def test_cells_are_of_squared_errors_or_of_what_there_is():
  maps = _maps(ssim=1, mse=1)
  added = frame_scores.Rules(losses.FRAME, 1).added
  found = added(base.Prediction({}, maps)).scores
  np.testing.assert_allclose(found['max_cell'], maps['mse'].max(axis=(1, 2)))
  assert losses.map_of('largest_cells', maps) is maps['mse']
  of_bank = _maps(memory_distance=1)
  found = added(base.Prediction({}, of_bank)).scores
  np.testing.assert_allclose(
    found['max_cell'], of_bank['memory_distance'].max(axis=(1, 2))
  )
  assert losses.map_of('max_cell', of_bank) is of_bank['memory_distance']
  scores = {'kde': jnp.zeros(2)}
  assert added(base.Prediction(scores)).scores == scores
  assert losses.map_of('max_cell', {}) is None


def test_ratio_is_of_single_frames():
  error = jnp.asarray([0.04, 0.0])
  for form, names in (
    (losses.FRAME, {'mse', 'psnr'}),
    (losses.CLIP, {'mse'}),
  ):
    found = frame_scores.Rules(form, 1).added(base.Prediction({'mse': error}))
    assert set(found.scores) == names
  found = frame_scores.Rules(losses.FRAME, 1).added(
    base.Prediction({'mse': error})
  )
  # An error of 0.1 of the range everywhere is 20 dB.
  np.testing.assert_allclose(found.scores['psnr'], [-20, -100], rtol=1e-6)
  rule = losses.find('psnr')
  x = jnp.zeros((1, 3, 4, 1))
  ratio = rule.reduce(rule.errors(x, x + 0.2))
  np.testing.assert_allclose(ratio, -20, rtol=1e-5)


def test_forms():
  form = frame_scores.form
  assert form(True, (3, 4, 1)) == losses.FRAME
  assert form(False, (3, 4, 1)) == losses.IMAGE
  assert form(True, (8, 3, 4, 1)) == losses.CLIP
  names = lambda form: {rule.name for rule in losses.fitting(form)}
  assert names(losses.FRAME) == names(losses.IMAGE) | {'psnr'}
  assert frame_scores.rules(helpers.digits().eval, False, (8,)) is None


@pytest.mark.parametrize(
  ('fields', 'own', 'shown'),
  [
    ({}, '', 'mse'),
    ({'eval.score': 'ssim'}, '', 'ssim'),
    ({'eval.score': 'ssim'}, 'memory_distance', 'memory_distance'),
    ({'eval.score': 'ssim'}, 'kde', 'mse'),  # It has no map.
    ({'eval.score': 'max_cell'}, 'memory_distance', 'mse'),
    ({'eval.score': 'sum', 'eval.parts': ('kde', 'ssim')}, '', 'ssim'),
  ],
)
def test_pictures_have_maximum_and_mean_of_the_map_of_their_score(
  fields, own, shown
):
  options = helpers.digits(**fields).eval
  rules = frame_scores.rules(options, False, (5, 4, 1), own)
  maps = _maps(gradient=1, mse=1, ssim=1, memory_distance=1)
  found = rules.added(base.Prediction({'mse': jnp.zeros(2)}, maps)).scores
  assert set(found) == {'mse', 'max_cell', 'mean_cell'}
  wanted = np.asarray(maps[shown])
  np.testing.assert_allclose(found['max_cell'], wanted.max(axis=(1, 2)))
  mean = wanted.mean(axis=(1, 2))
  np.testing.assert_allclose(found['mean_cell'], mean, rtol=1e-6)


@pytest.mark.parametrize(
  'fields',
  [{}, {'data.clip_frames': 1, 'model.time_strides': ()}],
  ids=['clips', 'frames'],
)
def test_every_family_has_them_from_one_pass(fields):
  exp = experiment.build(
    helpers.clips(
      **{
        'data.image_size': 16,
        'data.image_width': 16,
        'data.clip_frames': 4,
        'data.clip_stride': 20,
        'model.widths': (4,),
        'model.time_strides': (2,),
        'fleet.variants': ('ae', 'pca'),
        'eval.score': 'largest_cells',
        'eval.largest_cells': 5,
      }
      | fields
    )
  )
  rows = exp.splits[0].test[:6]
  for member in exp.members:
    assert member.rule == 'largest_cells'
    weights = step.weights(member.programs.init())
    found = member.programs.score(weights, [rows], ('maps',))
    assert {'mse', 'max_cell', 'largest_cells'} <= set(found.scores)
    assert ('psnr' in found.scores) == bool(fields)
    cells = np.sort(np.asarray(found.maps['mse'])[0, :6].reshape(6, -1), axis=1)
    np.testing.assert_allclose(
      np.asarray(found.scores['largest_cells'])[0, :6],
      cells[:, -5:].mean(axis=1),
      rtol=1e-5,
    )
