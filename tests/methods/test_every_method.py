"""What holds for every method; a new one is covered once it is registered."""

import jax
import numpy as np
import pytest

from memae_jax import losses
from memae_jax.evaluation import collect, words
from memae_jax.methods import registry
from memae_jax.training import experiment, loop, step
from tests import helpers

pytestmark = pytest.mark.slow

MESHES = (1, 1, 1), (1, 8, 1), (8, 1, 1)


def _config(name, mesh=(1, 1, 1), **fields):
  return helpers.digits(
    **{
      'fleet.variants': (name,),
      'fleet.normal_classes': (3,),
      'fleet.seeds': 8,
      'train.epochs': 0.2,
      'train.batch_size': 16,
      'mesh.replica': mesh[0],
      'mesh.data': mesh[1],
      'mesh.memory': mesh[2],
      **fields,
    }
  )


def _advanced(name, mesh=(1, 1, 1), **fields):
  """The losses of the first steps, and what is said of the test samples."""
  exp = experiment.build(_config(name, mesh, **fields))
  state, said = exp.programs.init(), []
  now = 0
  while now < exp.steps:
    state, now, values = loop._advance(exp, state, now)
    said.append(values)
  scored = exp.programs.score(
    step.weights(state), [split.test for split in exp.splits], ('maps',)
  )
  return exp, said, jax.device_get(scored)


@pytest.fixture(scope='module', params=registry.names())
def alone(request):
  return request.param, *_advanced(request.param)


@pytest.mark.parametrize('mesh', MESHES[1:])
def test_a_mesh_changes_no_loss_and_no_score(alone, mesh):
  name, exp, said, scored = alone
  other, others_said, others_scored = _advanced(name, mesh)
  assert dict(other.mesh.shape) == dict(
    zip(('replica', 'data', 'memory'), mesh)
  )
  for values, again in zip(said, others_said, strict=True):
    for key in values:
      if key in ('loss', 'reconstruction'):
        np.testing.assert_allclose(values[key], again[key], rtol=1e-4)
  count = len(exp.splits[0].test)
  for rule, score in scored.scores.items():
    np.testing.assert_allclose(
      score[:, :count],
      others_scored.scores[rule][:, :count],
      rtol=2e-3,
      atol=1e-4,
      err_msg=rule,
    )


def test_scores_do_not_depend_on_the_block(alone):
  name, exp, _, scored = alone
  other, _, others_scored = _advanced(name, **{'eval.batch_size': 7})
  count = len(exp.splits[0].test)
  for rule, score in scored.scores.items():
    np.testing.assert_allclose(
      score[:, :count],
      others_scored.scores[rule][:, :count],
      rtol=1e-4,
      atol=1e-5,
    )


def test_scores_have_words_and_maps_have_the_shape_of_a_sample(alone):
  name, exp, _, scored = alone
  assert exp.rule == next(iter(scored.scores))
  for rule in scored.scores:
    assert losses.find(rule).definition and losses.find(rule).title
  for maps in scored.maps.values():
    assert maps.shape[2:] == exp.source.inputs.shape[1:3]
  assert words.label(name) == registry.find(name).label != ''
  assert exp.trainer.method.criterion[0] in scored.scores


def test_it_detects_a_foreign_digit(alone):
  _, exp, _, scored = alone
  errors = collect._errors(exp, scored, scored)
  score, split = errors[0][0], exp.splits[0]
  assert np.isfinite(score).all()
  if registry.find(exp.replicas[0].variant).classical:
    anomalous, normal = score[split.anomalous], score[~split.anomalous]
    assert np.median(anomalous) > np.quantile(normal, 0.8)
