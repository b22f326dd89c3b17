"""Optimizer and learning rate of a training, from `config.train`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax


def optimizer(config: Any) -> optax.GradientTransformation:
  """Returns Adam without learning rate and clipping, which the step applies.

  Args:
    config: `config.train`.
  """
  parts = [optax.scale_by_adam()]
  if config.weight_decay:
    parts.append(optax.add_decayed_weights(config.weight_decay))
  return optax.chain(*parts)


def schedule(
  config: Any, steps: int, first: int = 0
) -> Callable[[jax.Array], jax.Array]:
  """Returns step -> factor on the learning rate.

  Args:
    config: `config.train`.
    steps: number of steps of gradient descent.
    first: number of the first of them; passes come before.
  """
  if first:
    later = schedule(config, steps)
    return lambda step: later(step - first)
  warmup = config.warmup_steps
  if config.schedule == 'constant':
    after = optax.constant_schedule(1.0)
  elif config.schedule == 'steps':
    falls = np.array([round(share * steps) for share in config.milestones])
    after = lambda step: config.decay ** jnp.sum(step + warmup >= falls)
  else:
    after = optax.cosine_decay_schedule(1.0, max(steps - warmup, 1))
  if not warmup:
    return after
  return optax.join_schedules(
    [optax.linear_schedule(0.0, 1.0, warmup), after], [warmup]
  )
