"""CIFAR-10: small photographs, 50,000 for training and 10,000 for tests."""

from memae_jax.data import types
from memae_jax.data.sets import image_blocks


def load(config) -> types.Source:
  """Reads the prepared set: inputs [60000, 32, 32, 3] uint8, training first.

  A set that was prepared from some of the training batches has fewer images;
  `dropped` names the batches it lacks.

  Args:
    config: the resolved `config.data`.

  Raises:
    UserError: the set is not prepared, or is damaged.
  """
  return image_blocks.load('cifar10', config)
