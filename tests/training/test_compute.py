"""The type that the networks compute in, and activations computed again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.training import experiment, step
from tests import helpers

_NETWORK = {
  'model.network': 'conv',
  'model.code': 3,
  'model.widths': (6, 8),
  'model.activation': 'leaky_relu',
  'model.batch_norm': True,
  'model.memory.init': 'encodings',
  'fleet.seeds': 2,
  'train.batch_size': 4,
}
_DATA = {
  'images': {'fleet.normal_classes': (3,)},
  'clips': {
    'fleet.normal_classes': (),
    'data.name': 'moving_shapes',
    'data.image_size': 16,
    'data.max_samples': 30,
    'data.protocol': 'given',
    'data.scaling': 'fixed',
    'model.time_strides': (1, 2),
    'model.memory.per_position': True,
  },
}


def _first_step(data, **fields):
  """Returns experiment, state before a step; state, sums and scores after."""
  exp = experiment.build(helpers.digits(**_NETWORK, **_DATA[data], **fields))
  first = exp.programs.init()
  scored = exp.programs.score(first, [split.test for split in exp.splits])
  before = jax.device_get(first)
  state, sums = exp.programs.run(first, 0, 1)
  return exp, before, jax.device_get((state, sums, scored))


@pytest.fixture(
  scope='module',
  params=['images', pytest.param('clips', marks=pytest.mark.thorough)],
)
def plain(request):
  """Returns the name of the data, and `_first_step` in float32."""
  return request.param, _first_step(request.param)


@pytest.mark.slow
def test_what_is_computed_again_has_the_same_values(plain):
  data, (_, before, after) = plain
  _, *again = _first_step(data, **{'model.remat': True})
  # The moments of Adam after one step are the gradients.
  jax.tree.map(
    lambda one, two: np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9),
    again,
    [before, after],
  )


@pytest.mark.slow
def test_bfloat16_is_close_and_stays_inside(plain):
  data, (exp, _, (state, sums, scored)) = plain
  half, before, (now, close, other) = _first_step(
    data, **{'model.compute': 'bfloat16'}
  )
  types = lambda tree: jax.tree.map(lambda x: x.dtype, tree)
  assert types((now, close, other)) == types((state, sums, scored))
  assert {x.dtype for x in jax.tree.leaves(before.params)} == {np.dtype('f4')}
  np.testing.assert_allclose(close.loss, sums.loss, rtol=2e-2)
  np.testing.assert_allclose(
    other.scores['mse'], scored.scores['mse'], rtol=2e-2
  )

  x = np.random.default_rng(0).standard_normal(
    (3, *exp.source.inputs.shape[1:])
  )
  x = jnp.asarray(x, jnp.float32)
  one = step.weights(helpers.take(before, 0))
  out, rough = (
    e.trainer.method.model.apply(
      one.variables, x, helpers.take(e.programs.hyper, 0).method.knobs
    )
    for e in (exp, half)
  )
  assert types(rough) == types(out)
  # On average: a slot at the threshold may be read in one and not the other.
  apart = np.std(rough.reconstruction - out.reconstruction)
  assert 0 < apart < 0.1 * np.std(out.reconstruction)
