"""The slope of the shrinkage at its threshold."""

import jax
import numpy as np

from memae_jax.memory import shrinkage


def test_shrink_gradient_spikes_only_in_the_published_form():
  just_above = np.nextafter(np.float32(0.0025), np.float32(1))
  slope = jax.grad(shrinkage.hard_shrink)(just_above, np.float32(0.0025))
  assert slope > 1e4
