"""Numbers of the log: who diverged, and which reads are dead."""

import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.memory import usage
from memae_jax.runtime import errors
from memae_jax.training import diagnostics, fleet, step
from tests import helpers

REPLICAS = fleet.replicas(
  helpers.digits(
    **{'fleet.variants': ('memae', 'ae'), 'fleet.normal_classes': (3,)}
  )
)


def _sums(first_bad=(-1, -1), **terms):
  return step.StepSums(
    steps=jnp.array([4, 4]),
    loss=jnp.array([8.0, 2.0]),
    terms={name: jnp.array(value) for name, value in terms.items()},
    grad_norm=jnp.array([4.0, 12.0]),
    first_bad=jnp.array(first_bad),
    totals={'memory': _totals(dead=5)},
  )


def _totals(dead):
  """Twenty queries of each of two replicas; only the first has a memory."""
  numbers = [jnp.array([n, n]) for n in (20, dead, 45, 0)]
  return usage.ReadTotals(*numbers, jnp.ones((2, 10)))


def test_means_over_the_steps():
  values = diagnostics.scalars(_sums(entropy=[2.0, 0.0]), REPLICAS)
  assert values['loss'] == [2.0, 0.5] and values['grad_norm'] == [1.0, 3.0]
  assert values['entropy'] == [0.5, 0.0]
  assert values['dead_read_rate'] == [0.25, None]


def test_the_first_bad_step_names_its_replica():
  diagnostics.raise_unless_finite(_sums(), REPLICAS)
  for bad, index in (((7, -1), 0), ((9, 4), 1), ((-1, 0), 1)):
    at = min(step for step in bad if step >= 0)
    words = f'"{REPLICAS[index].name}" is not finite at step {at};'
    with pytest.raises(errors.TrainingDiverged, match=words):
      diagnostics.raise_unless_finite(_sums(bad), REPLICAS)


@pytest.mark.parametrize(
  ('at', 'mend'), [(0, 'extreme values in the data'), (8, 'learning_rate')]
)
def test_a_validation_error_that_is_not_finite(at, mend):
  diagnostics.raise_unless_sound(np.array([1.0, 2.0]), REPLICAS, at)
  words = f'"{REPLICAS[1].name}" is not finite at step {at}; .*{mend}'
  with pytest.raises(errors.TrainingDiverged, match=words):
    diagnostics.raise_unless_sound(np.array([1.0, np.inf]), REPLICAS, at)


def test_several_memories_have_names():
  totals = {'low': _totals(dead=5), 'high': _totals(dead=20)}
  values = diagnostics.reads(totals, REPLICAS)
  assert values['dead_read_rate/low'] == [0.25, None]
  assert values['dead_read_rate/high'] == [1.0, None]
  assert 'dead_read_rate' not in values


@pytest.mark.parametrize('dead,is_said', [(10, False), (11, True)])
def test_mostly_dead_reads_are_warned_of(caplog, dead, is_said):
  values = diagnostics.reads({'memory': _totals(dead)}, REPLICAS)
  diagnostics.warn_dead(values, 8)
  assert bool(caplog.messages) == is_said
  assert not is_said or 'step 8: up to 55 % of the reads' in caplog.text


def test_a_memory_that_nothing_read_is_not_logged():
  nothing = usage.ReadTotals(*[np.zeros(2)] * 4, np.zeros((2, 10)))
  assert diagnostics.reads({'memory': nothing}, REPLICAS) == {}
