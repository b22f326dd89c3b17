"""MNIST: handwritten digits, 60,000 for training and 10,000 for tests."""

from memae_jax.data import types
from memae_jax.data.sets import image_blocks


def load(config) -> types.Source:
  """Reads the prepared set: inputs [70000, 28, 28, 1] uint8, training first.

  Args:
    config: the resolved `config.data`.

  Raises:
    UserError: the set is not prepared, or is damaged.
  """
  return image_blocks.load('mnist', config)
