"""The same run on every mesh: devices change nothing but rounding."""

import jax
import numpy as np
import pytest

from memae_jax.runtime import parallel
from memae_jax.training import experiment, step
from tests import helpers

# Batches of 18, 10 slots and 3 replicas: no axis divides them.
_DIGITS = {
  'fleet.normal_classes': (3,),
  'fleet.seeds': 3,
  'train.batch_size': 18,
  'train.epochs': 10.0,
  'train.clip_norm': 0.05,
  'eval.batch_size': 50,
}
_MESHES = [(8, 1, 1), (1, 8, 1), (1, 1, 8), (2, 2, 2)]
_STEPS = 50


def _fields(mesh):
  return {f'mesh.{axis}': n for axis, n in zip(parallel.AXES, mesh)}


def _train(mesh, steps=_STEPS, **changes):
  """Returns losses [steps, R], the prediction, the experiment and the state."""
  exp = experiment.build(helpers.digits(**_DIGITS | _fields(mesh) | changes))
  assert tuple(exp.mesh.shape.values()) == mesh
  state, losses = exp.programs.init(), []
  for now in range(steps):
    state, sums = exp.programs.run(state, now, now + 1)
    losses.append(exp.programs.to_host(sums.loss))
  scored = exp.programs.score(step.weights(state), [s.test for s in exp.splits])
  return np.asarray(losses), scored, exp, state


@pytest.fixture(scope='module')
def alone():
  return _train((1, 1, 1))


@pytest.mark.slow
@pytest.mark.parametrize('mesh', _MESHES, ids=str)
def test_meshes_train_and_score_alike(alone, mesh):
  losses, scored, exp, state = _train(mesh)
  assert (
    losses.shape == (_STEPS, 3) and losses[-1].max() < 0.8 * losses[0].min()
  )
  np.testing.assert_allclose(losses, alone[0], rtol=1e-5)
  tested = len(exp.splits[0].test)
  np.testing.assert_allclose(
    scored.scores['mse'][:, :tested],
    alone[1].scores['mse'][:, :tested],
    rtol=2e-5,
  )
  usage = scored.totals['bank'].usage[:, :10]
  np.testing.assert_allclose(
    usage, alone[1].totals['bank'].usage, rtol=1e-3, atol=1e-2
  )
  np.testing.assert_array_equal(
    scored.totals['bank'].queries, alone[1].totals['bank'].queries
  )
  # No array of the memory is whole on a device of a mesh that spreads it.
  slots = state.params['bank']['slots']
  assert slots.addressable_shards[0].data.shape[1] == -(-10 // mesh[2])


@pytest.mark.slow
def test_norms_see_the_whole_batch():
  """Norms take the moments of the batch on all devices.

  A bias before a norm has a gradient of rounding alone. Adam makes steps of it,
  which move scores by some permille. A read jumps where that moves a weight
  across the shrinkage threshold: see docs/code.md.
  """
  norms = {'model.batch_norm': True}
  one, scored_one, exp, _ = _train((1, 1, 1), **norms)
  many, scored, _, state = _train((1, 8, 1), **norms)
  np.testing.assert_allclose(many, one, rtol=1e-5)
  tested = len(exp.splits[0].test)
  same = scored.kept[:, :tested] == scored_one.kept[:, :tested]
  assert same.mean() > 0.98
  np.testing.assert_allclose(
    scored.scores['mse'][:, :tested][same],
    scored_one.scores['mse'][:, :tested][same],
    rtol=0.02,
  )
  for leaf in jax.tree.leaves(state.collections):
    parts = [np.asarray(shard.data) for shard in leaf.addressable_shards]
    assert len(parts) == 8
    for part in parts[1:]:
      np.testing.assert_array_equal(part, parts[0])


@pytest.mark.slow
def test_all_variants_on_a_mesh():
  variants = ('memae', 'nonspar', 'ae', 'ae_l1', 'dae', 'vae')
  changes = {'fleet.variants': variants, 'fleet.seeds': 1}
  one, _, _, _ = _train((1, 1, 1), 4, **changes)
  many, _, _, _ = _train((2, 4, 1), 4, **changes)
  np.testing.assert_allclose(many, one, rtol=1e-5)


@pytest.mark.slow
def test_memory_from_encodings():
  changes = {'model.memory.init': 'encodings'}
  _, _, exp, state = _train((1, 4, 2), 0, **changes)
  _, _, one, state_one = _train((1, 1, 1), 0, **changes)
  for i in range(3):
    np.testing.assert_allclose(
      exp.programs.one(state, i).params['bank']['slots'],
      one.programs.one(state_one, i).params['bank']['slots'],
      rtol=1e-5,
    )


@pytest.mark.slow
@pytest.mark.parametrize('mesh', [(1, 1, 1), (1, 4, 1)], ids=str)
def test_streamed_batches_on_a_mesh(alone, mesh):
  losses, _, exp, _ = _train(mesh, 6, **{'data.feed': 'streaming'})
  assert exp.programs.name == 'streaming'
  np.testing.assert_allclose(losses, alone[0][:6], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
  ('mesh', 'parts'), [((1, 1, 1), 2), ((1, 2, 2), 5)], ids=str
)
def test_accumulated_gradients(alone, mesh, parts):
  """Without norms the losses are equal; 18 samples in 5 parts need padding."""
  losses, _, exp, _ = _train(mesh, 10, **{'train.accumulate': parts})
  assert exp.trainer.accumulate == parts
  np.testing.assert_allclose(losses, alone[0][:10], rtol=1e-5)


@pytest.mark.slow
def test_a_part_of_nothing_but_padding_moves_no_norm():
  """18 samples in 12 parts of 2: three parts are empty."""
  norms = {'model.batch_norm': True, 'train.accumulate': 12}
  _, _, exp, state = _train((1, 1, 1), 0, **norms)
  before = jax.device_get(state.collections)
  assert exp.trainer.rows == 24
  state, _ = exp.programs.run(state, 0, 1)
  x = step.batch_at(
    helpers.take(exp.programs.data, 0), exp.programs.inputs, np.uint32(0), 0, 18
  ).reshape(18, -1)
  dense = helpers.take(exp.programs.init().params, 0)['encoder']['_Hidden_0'][
    'Dense_0'
  ]
  dense = jax.device_get(dense)
  parts = (np.asarray(x) @ dense['kernel'] + dense['bias']).reshape(9, 2, -1)
  norms = before['batch_stats']['encoder']['_Hidden_0']['NormAct_0']
  expected = np.asarray(norms['BatchNorm_0']['var'])[0]
  for part in parts:
    expected = 0.9 * expected + 0.1 * part.var(axis=0)
  moved = state.collections['batch_stats']['encoder']['_Hidden_0']['NormAct_0'][
    'BatchNorm_0'
  ]
  np.testing.assert_allclose(moved['var'][0], expected, rtol=1e-4)
