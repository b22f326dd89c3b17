"""What the networks have in common."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  'tanh': nn.tanh,
  'relu': nn.relu,
  'leaky_relu': lambda x: nn.leaky_relu(x, 0.2),
}


class NormAct(nn.Module):
  """Optional BatchNorm -> activation, after each hidden layer.

  The moments are those of PyTorch's defaults: momentum 0.1 there is 0.9 here.
  """

  activation: str
  batch_norm: bool
  dtype: Any

  @nn.compact
  def __call__(self, x: jax.Array, train: bool) -> jax.Array:
    """[B, ..., C] -> [B, ..., C]."""
    if self.batch_norm:
      x = nn.BatchNorm(not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype)(
        x
      )
    return ACTIVATIONS[self.activation](x)
