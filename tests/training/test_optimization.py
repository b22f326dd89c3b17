"""The optimizer and its schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.runtime import errors
from memae_jax.training import optimization
from tests import helpers


def test_schedules():
  config = helpers.digits(
    **{
      'train.schedule': 'cosine',
      'train.warmup_steps': 10,
    }
  ).train
  factor = optimization.schedule(config, 110)
  assert factor(0) == 0 and factor(5) == pytest.approx(0.5)
  assert factor(10) == pytest.approx(1)
  assert factor(60) == pytest.approx(0.5, abs=1e-3)
  assert factor(110) == pytest.approx(0, abs=1e-6)
  later = optimization.schedule(config, 110, 3)
  assert [later(n + 3) for n in (0, 5, 60)] == [factor(n) for n in (0, 5, 60)]
  constant = optimization.schedule(helpers.digits().train, 110)
  assert constant(0) == constant(109) == 1


def test_steps_fall_at_shares_of_the_training():
  fields = {
    'train.schedule': 'steps',
    'train.milestones': (0.5, 0.75),
    'train.decay': 0.2,
  }
  config = helpers.digits(**fields).train
  factor = optimization.schedule(config, 80)
  for step in range(80):
    expected = 1.0 if step < 40 else 0.2 if step < 60 else 0.04
    assert factor(step) == pytest.approx(expected)
  traced = jax.jit(optimization.schedule(config, 80, 3))
  assert traced(42) == 1 and traced(43) == pytest.approx(0.2)
  # Both fall at one step of a training that is very short.
  assert optimization.schedule(config, 2)(1) == pytest.approx(0.2)
  assert optimization.schedule(config, 1)(0) == pytest.approx(0.2)
  config = helpers.digits(**fields | {'train.warmup_steps': 50}).train
  factor = optimization.schedule(config, 80)
  assert factor(25) == pytest.approx(0.5)
  assert factor(50) == pytest.approx(0.2)  # Counted from the first step.
  assert factor(60) == pytest.approx(0.04)


@pytest.mark.parametrize(
  ('fields', 'words'),
  [
    ({'train.schedule': 'steps'}, 'train.milestones is empty'),
    ({'train.milestones': (0.5,)}, '"constant" does not read it'),
    (
      {'train.schedule': 'steps', 'train.milestones': (40,)},
      'milestones" is .40,., but must be at most 1.0',
    ),
  ],
)
def test_milestones_that_make_no_sense(fields, words):
  with pytest.raises(errors.UserError, match=words):
    helpers.digits(**fields)


def test_clipping_and_weight_decay():
  config = helpers.digits(
    **{
      'train.clip_norm': 1.0,
      'train.weight_decay': 0.1,
    }
  ).train
  params = {'w': jnp.asarray([3.0, 4.0])}
  clipping = optimization.optimizer(config)
  plain = optimization.optimizer(helpers.digits().train)
  large = {'w': jnp.asarray([300.0, 400.0])}
  small = {'w': jnp.asarray([0.6, 0.8])}
  clipped, _ = clipping.update(large, clipping.init(params), params)
  expected, _ = plain.update(small, plain.init(params), params)
  np.testing.assert_allclose(
    clipped['w'], expected['w'] + 0.1 * params['w'], rtol=1e-5
  )
