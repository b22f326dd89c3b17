"""Neural kernel networks: kernels of one axis that are learned.

After Sun et al. 2018, "Differentiable compositional kernel learning for
Gaussian processes": sums with positive weights and products of kernels are
kernels, so a network of the two is one, whatever its weights.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Params = dict[str, Any]


class Layout(NamedTuple):
  """Sizes of a network: sums and products in turn, then one sum.

  periodic: periodic kernels among the primitives; the authors have one.
  widths: outputs of each sum but the last; products take two neighbours.
  """

  periodic: int = 1
  widths: tuple[int, ...] = (8, 4)

  @property
  def primitives(self) -> int:
    """Number of primitives: RBF, linear, rational quadratic, periodic."""
    return 3 + self.periodic


def _inverse_softplus(value: np.ndarray) -> np.ndarray:
  return value + np.log(-np.expm1(-value))


def init(
  rng: np.random.Generator, places: np.ndarray, periods, layout: Layout
) -> Params:
  """Returns the parameters of an axis, before `jax.nn.softplus` [float64].

  Args:
    rng: of the weights.
    places: [n] where the pixels are, from 0 to below 1.
    periods: [layout.periodic] of the periodic kernels, in units of `places`.
    layout: of the network.
  """
  far = np.abs(places[:, None] - places[None])
  length = float(np.median(far)) or 1.0
  plain = {
    'rbf': {'variance': 0.1, 'length': length},
    'linear': {'variance': 0.1},
    'quadratic': {'variance': 0.1, 'length': length, 'alpha': 1.0},
    'periodic': {
      'variance': np.full(layout.periodic, 0.1),
      'length': np.full(layout.periodic, length),
      'period': np.asarray(periods, np.float64),
    },
  }
  width, layers = layout.primitives, []
  for out in (*layout.widths, 1):
    weights = rng.uniform(0.5 / width, 1.5 / width, (out, width))
    layers.append({'weights': weights, 'bias': np.full(out, 0.01)})
    width = out // 2
  raw = {'primitives': plain, 'layers': layers}
  return jax.tree.map(
    lambda value: _inverse_softplus(np.asarray(value, np.float64)), raw
  )


def _primitives(params: Params, places: jax.Array) -> jax.Array:
  """Returns the primitive kernels [K, n, n] of positive parameters."""
  far = places[:, None] - places[None]
  rbf, line = params['rbf'], params['linear']
  quadratic, wave = params['quadratic'], params['periodic']
  square = jnp.square(far)
  each = lambda values: values[:, None, None]
  phase = jnp.sin(jnp.pi * far[None] / each(wave['period']))
  return jnp.concatenate(
    [
      (rbf['variance'] * jnp.exp(-0.5 * square / rbf['length'] ** 2))[None],
      (line['variance'] * places[:, None] * places[None])[None],
      (
        quadratic['variance']
        * (1 + square / (2 * quadratic['alpha'] * quadratic['length'] ** 2))
        ** -quadratic['alpha']
      )[None],
      each(wave['variance'])
      * jnp.exp(-0.5 * jnp.square(phase / each(wave['length']))),
    ]
  )


def kernel(params: Params, places: jax.Array) -> jax.Array:
  """Returns the kernel matrix [n, n] of an axis.

  Args:
    params: from `init`, as training left them.
    places: [n] where the pixels are.
  """
  params = jax.tree.map(jax.nn.softplus, params)
  units = _primitives(params['primitives'], places)
  for number, layer in enumerate(params['layers']):
    if number:
      units = units[0::2] * units[1::2]
    units = jnp.einsum('oi,ipq->opq', layer['weights'], units)
    units = units + layer['bias'][:, None, None]
  return units[0]
