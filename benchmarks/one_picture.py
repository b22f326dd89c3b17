"""Training steps of a Gaussian process on a picture, against other ways.

python -m benchmarks.one_picture [--side=64] [--steps=20] [--rounds=5]

The kernels and parameters are the same. A: gradient in closed form, see
`memae_jax.methods.alone.grids`. B: JAX differentiates the decomposition. C: the
grid kernel of GPyTorch with the same primitives, summed, by conjugate gradients
(left out where GPyTorch is not installed). All alternate within each round;
ratios are medians over the rounds. The last line is JSON.
"""

import importlib.util

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import common
from memae_jax.methods.alone import double, fitting, grids, kernels

_RATE = 1e-2


def _picture(side: int) -> np.ndarray:
  """Returns a texture [1, side, side] of variance 1 with noise."""
  rows, columns = np.mgrid[:side, :side]
  wave = np.sin(2 * np.pi * rows / 8) * np.cos(2 * np.pi * columns / 10.7)
  noise = np.random.default_rng(0).normal(size=(side, side))
  picture = wave + 0.1 * noise
  return (picture / picture.std())[None]


def _model(side: int) -> fitting.Model:
  periods = np.array([8.0]), np.array([10.7])
  rng = np.random.default_rng(0)
  return fitting.init(rng, (side, side), periods, kernels.Layout())


def closed_form(side: int, steps: int):
  """Returns a function that trains by the closed form."""
  picture, model = jnp.asarray(_picture(side)), _model(side)
  hidden = grids.Hidden(jnp.zeros((1, 2), int), jnp.zeros(1, bool))
  budget, key = fitting.Budget(1, steps), jax.random.key(0)
  return lambda: jax.block_until_ready(
    fitting.train(model, picture, hidden, key, budget)
  )


def differentiated(side: int, steps: int):
  """Returns a function that trains by JAX's derivative of eigenvectors."""
  picture, model = jnp.asarray(_picture(side)), _model(side)
  start, unravel = jax.flatten_util.ravel_pytree(model)
  adam = optax.adam(_RATE)

  def loss(flat):
    axes = grids.decompose(*fitting.matrices(unravel(flat), (side, side)))
    squares = jnp.sum(picture * grids.solve(axes, picture))
    return 0.5 * (squares - jnp.sum(jnp.log(axes.inverse))) / side**2

  @jax.jit
  def train(flat):
    def step(_, carry):
      flat, state = carry
      change, state = adam.update(jax.grad(loss)(flat), state)
      return flat + change, state

    return jax.lax.fori_loop(0, steps, step, (flat, adam.init(flat)))[0]

  return lambda: jax.block_until_ready(train(start))


def by_gpytorch(side: int, steps: int):
  """Returns a function that trains GPyTorch's process on a grid."""
  import gpytorch
  import torch

  torch.set_num_threads(1)
  torch.set_default_dtype(torch.float64)
  axis = torch.arange(side) / side
  grid = torch.stack([axis, axis], dim=-1)
  places = torch.cartesian_prod(axis, axis)
  values = torch.as_tensor(_picture(side).reshape(-1))

  class Process(gpytorch.models.ExactGP):
    def __init__(self, likelihood):
      super().__init__(places, values, likelihood)
      of = gpytorch.kernels
      base = of.RBFKernel() + of.RQKernel() + of.PeriodicKernel()
      self.mean_module = gpytorch.means.ConstantMean()
      self.covar_module = of.GridKernel(base, grid=grid)

    def forward(self, x):
      return gpytorch.distributions.MultivariateNormal(
        self.mean_module(x), self.covar_module(x)
      )

  def train():
    likelihood = gpytorch.likelihoods.GaussianLikelihood()
    model = Process(likelihood)
    model.train()
    adam = torch.optim.Adam(model.parameters(), lr=_RATE)
    marginal = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    for _ in range(steps):
      adam.zero_grad()
      (-marginal(model(places), values)).backward()
      adam.step()

  return train


def main():
  """Runs the comparison."""
  parser = common.parser(__doc__, steps=20)
  parser.add_argument('--side', type=int, default=64)
  args = parser.parse_args()
  with double.on_cpu():
    runs = {
      'closed form': closed_form(args.side, args.steps),
      'differentiated': differentiated(args.side, args.steps),
    }
    if importlib.util.find_spec('gpytorch'):
      runs['GPyTorch'] = by_gpytorch(args.side, args.steps)
    for run in runs.values():  # A first call compiles.
      run()
    seconds = common.alternate(runs, args.rounds)
  common.report(seconds, args.steps, {'side': args.side, 'steps': args.steps})


if __name__ == '__main__':
  main()
