"""Programs without weights in them."""

import jax
import numpy as np
import pytest

from memae_jax.evaluation.scoring import portable, single
from memae_jax.training import experiment, step
from tests import helpers


def _replica(**fields):
  exp = experiment.build(
    helpers.digits(
      **{'fleet.normal_classes': (0,), 'fleet.variants': ('memae',), **fields}
    )
  )
  return single.of(exp, step.weights(exp.programs.init()), 0)


def test_a_memory_is_no_part_of_a_program():
  small, large = (_replica(**{'fleet.slots': (n,)}) for n in (100, 3000))
  sizes = [len(portable.program(one).serialize()) for one in (small, large)]
  grown = large.arrays['variables/params/bank/slots'].nbytes
  assert grown == 3000 * 8 * 4
  assert abs(sizes[1] - sizes[0]) < 500


def test_a_program_takes_any_weights_and_number_of_samples():
  one = _replica()
  other = {name: 0.9 * array for name, array in one.arrays.items()}
  called = jax.jit(portable.program(one).call)
  x = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
  for weights in one.arrays, other:
    found = called(x, weights)
    alone = one.holding(weights).outputs(x)
    np.testing.assert_allclose(found['score'], alone['score'], rtol=1e-6)
    np.testing.assert_allclose(
      called(x[2:4], weights)['score'], found['score'][2:4], rtol=1e-6
    )
  assert not np.allclose(
    called(x, one.arrays)['score'], called(x, other)['score']
  )


@pytest.mark.parametrize(
  ('shape', 'blocks'),
  [
    ((8, 8, 1), {'cpu': 256, 'default': 1024}),
    ((30,), {'cpu': 512, 'default': 1024}),
    ((256, 256, 3), {'cpu': 1, 'default': 4}),
  ],
)
def test_sizes_of_blocks(shape, blocks):
  assert portable.blocks(shape) == blocks
