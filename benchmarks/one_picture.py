"""Training steps of a Gaussian process on a picture, against other ways.

python -m benchmarks.one_picture [--side=64] [--steps=20] [--rounds=5]
  [--threads=1]

All have the same kernels, the same parameters to begin with, float64 and Adam,
and take the same number of steps, on the same cores.

closed form   gradient as `memae_jax.methods.alone.grids` has it.
eigenvectors  plain JAX, as one writes it first: it differentiates both
              decompositions by axis. Not finite where eigenvalues are equal.
eigenvalues   plain JAX with some thought: it differentiates the eigenvalues
              alone, for the determinant; eigenvectors are constants, and the
              solution of the system is one in the quadratic form, whose
              derivative is then exact. The fastest that we know to write.
dense         plain JAX: Cholesky of the covariance of all pixels; only up to 32
              pixels a side, as its work grows with the sixth power.
GPyTorch      its `GridKernel`, with these kernels and Toeplitz off, as they are
              not stationary; left out where GPyTorch is not installed.

The facts say how far the gradients of the others are from the closed form.

Ratios are medians over the rounds of ours over theirs, by wall time and by CPU
time; below 1 ours is faster. The last line is JSON.
"""

import importlib.util
import json
import os

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import common
from memae_jax.methods.alone import double, fitting, grids, kernels
from memae_jax.runtime import jax_settings

_RATE = 1e-2
_DENSE = 32  # Pixels of a side.


def _picture(side: int) -> np.ndarray:
  """Returns a texture [1, side, side] of mean 0 and variance 1 with noise."""
  rows, columns = np.mgrid[:side, :side]
  wave = np.sin(2 * np.pi * rows / 8) * np.cos(2 * np.pi * columns / 10.7)
  noise = np.random.default_rng(0).normal(size=(side, side))
  picture = wave + 0.1 * noise
  return ((picture - picture.mean()) / picture.std())[None]


def _model(side: int) -> fitting.Model:
  """Returns the model that all of them start from."""
  periods = np.array([8.0]), np.array([10.7])
  rng = np.random.default_rng(0)
  return fitting.init(rng, (side, side), periods, kernels.Layout())


def _of_axes(model: fitting.Model, picture, constant: bool):
  """Returns -2 log density of a picture, up to a constant.

  Args:
    model: any.
    picture: [1, n, n].
    constant: whether eigenvectors, and with them the solution, are constants
      of the derivative.
  """
  rows, columns, noise = fitting.matrices(model, picture.shape[1:])
  a, u = jnp.linalg.eigh(rows)
  b, v = jnp.linalg.eigh(columns)
  spectrum = jnp.maximum(a, 0)[:, None] * jnp.maximum(b, 0)[None] + noise
  log_det = jnp.sum(jnp.log(spectrum))
  if not constant:
    axes = grids.Axes(u, v, 1 / spectrum)
    return jnp.sum(picture * grids.solve(axes, picture)) + log_det
  axes = jax.lax.stop_gradient(grids.Axes(u, v, 1 / spectrum))
  solved = grids.solve(axes, picture)
  again = jnp.einsum('pq,sqr,tr->spt', rows, solved, columns) + noise * solved
  return jnp.sum(solved * (2 * picture - again)) + log_det


def _dense(model: fitting.Model, picture):
  """Returns -2 log density by the covariance of all pixels."""
  rows, columns, noise = fitting.matrices(model, picture.shape[1:])
  covariance = jnp.kron(rows, columns) + noise * jnp.eye(picture.size)
  root = jnp.linalg.cholesky(covariance)
  white = jax.scipy.linalg.solve_triangular(
    root, picture.reshape(-1), lower=True
  )
  return jnp.sum(white**2) + 2 * jnp.sum(jnp.log(jnp.diagonal(root)))


LOSSES = {
  'eigenvalues': lambda model, picture: _of_axes(model, picture, True),
  'dense': _dense,
  'eigenvectors': lambda model, picture: _of_axes(model, picture, False),
}


def gradient_by(name: str, side: int) -> fitting.Model:
  """Returns the gradient of half a loss of `LOSSES`, over the pixels."""
  picture = jnp.asarray(_picture(side))
  of = jax.jit(jax.grad(LOSSES[name]))
  slope = of(jax.tree.map(jnp.asarray, _model(side)), picture)
  return jax.tree.map(lambda x: np.asarray(x) / (2 * side**2), slope)


def closed_gradient(side: int) -> fitting.Model:
  """Returns the same in closed form."""
  picture, none = jnp.asarray(_picture(side)), jnp.zeros((0, side, side))
  slope = jax.jit(fitting.gradient)(_model(side), picture, none, 1.0)
  return jax.tree.map(lambda x: -np.asarray(x) / side**2, slope)


def closed_form(side: int, steps: int):
  """Returns a function that trains by the closed form."""
  picture, model = jnp.asarray(_picture(side)), _model(side)
  hidden = grids.Hidden(jnp.zeros((1, 2), int), jnp.zeros(1, bool))
  budget = fitting.Budget(1, steps, _RATE)
  key = jax.random.key(0, impl=jax_settings.PRNG)
  return lambda: jax.block_until_ready(
    fitting.train(model, picture, hidden, key, budget)
  )


def differentiated(name: str, side: int, steps: int):
  """Returns a function that trains by JAX's derivative of one of `LOSSES`."""
  picture = jnp.asarray(_picture(side))
  start, unravel = jax.flatten_util.ravel_pytree(_model(side))
  adam = optax.adam(_RATE)
  loss = lambda flat: LOSSES[name](unravel(flat), picture) / (2 * side**2)

  @jax.jit
  def train(flat):
    def step(_, carry):
      flat, state = carry
      change, state = adam.update(jax.grad(loss)(flat), state)
      return flat + change, state

    return jax.lax.fori_loop(0, steps, step, (flat, adam.init(flat)))[0]

  return lambda: jax.block_until_ready(train(start))


def _differs(found: fitting.Model, exact: fitting.Model) -> float | None:
  """Returns the largest difference over the largest entry; None: not finite."""
  flat = lambda model: np.concatenate(
    [np.ravel(x) for x in jax.tree.leaves(model)]
  )
  found, exact = flat(found), flat(exact)
  if not np.isfinite(found).all():
    return None
  return float(np.abs(found - exact).max() / np.abs(exact).max())


def _rivals(side: int) -> list[str]:
  """Returns which of `LOSSES` a picture of a side is not too large for."""
  return [name for name in LOSSES if name != 'dense' or side <= _DENSE]


def _facts(side: int, others: dict) -> dict:
  """Returns how far gradients are from the closed form, by name."""
  exact = closed_gradient(side)
  names = _rivals(side)
  of = {name: gradient_by(name, side) for name in names} | others
  return {name: _differs(slope, exact) for name, slope in of.items()}


def main():
  """Runs the comparison."""
  parser = common.parser(__doc__, steps=20)
  parser.add_argument('--side', type=int, default=64)
  parser.add_argument('--threads', type=int, default=1)
  args = parser.parse_args()
  # Before JAX counts the cores: XLA, BLAS and PyTorch then have as many.
  cores = sorted(os.sched_getaffinity(0))[: args.threads]
  os.sched_setaffinity(0, cores)
  others = {}
  with double.on_cpu():
    runs = {'closed form': closed_form(args.side, args.steps)}
    for name in _rivals(args.side):
      runs[name] = differentiated(name, args.side, args.steps)
    if importlib.util.find_spec('gpytorch'):
      from benchmarks import peer_grid

      process = _picture(args.side)[0], _model(args.side), len(cores)
      others['GPyTorch'] = peer_grid.gradient(*process)
      runs['GPyTorch'] = peer_grid.trainer(*process, args.steps, _RATE)
    differs = _facts(args.side, others)
    for run in runs.values():  # A first call compiles.
      run()
    found = common.in_turn(runs, args.rounds)
  of = lambda kind: {k: round(1 / v, 3) for k, v in found[kind].items()}
  milliseconds = lambda kind: {
    k: round(1e3 * v / args.steps, 2) for k, v in found[kind].items()
  }
  print(
    json.dumps(
      {
        **{'side': args.side, 'steps': args.steps, 'threads': len(cores)},
        'ms_per_step': milliseconds('seconds'),
        'cpu_ms_per_step': milliseconds('cpu_seconds'),
        'ours_over_theirs': of('ratios'),
        'ours_over_theirs_cpu': of('cpu_ratios'),
        'gradient_differs_by': differs,
      }
    )
  )


if __name__ == '__main__':
  main()
