"""The Gaussian process of a picture in GPyTorch, for `one_picture`."""

import warnings
from collections.abc import Callable

import gpytorch
import jax
import numpy as np
import torch

from memae_jax.methods.alone import fitting

_LEAST = 1e-5  # Least variance of the noise, as that of `fitting`.


def _name(path) -> str:
  """Returns the path of a parameter as a name that PyTorch takes."""
  return '_'.join(str(getattr(part, 'key', part)) for part in path).translate(
    {ord('['): '', ord(']'): ''}
  )


class Network(gpytorch.kernels.Kernel):
  """Kernels of rows and columns, which are a batch of two: see `kernels`."""

  is_stationary = True  # It is not; `GridKernel` takes no others.

  def __init__(self, model: fitting.Model):
    """Takes over the parameters of a model."""
    super().__init__()
    both = jax.tree.map(
      lambda *x: np.stack(x).astype(np.float64), model.rows, model.columns
    )
    self.depth = len(both['layers'])
    leaves, _ = jax.tree_util.tree_flatten_with_path(both)
    for path, values in leaves:
      values = torch.nn.Parameter(torch.as_tensor(values))
      self.register_parameter(_name(path), values)

  def _positive(self, name: str, after: int = 2) -> torch.Tensor:
    """Returns a parameter, with so many axes after that of rows and columns."""
    value = torch.nn.functional.softplus(getattr(self, name))
    return value.reshape(*value.shape, *[1] * (after + 1 - value.ndim))

  def forward(self, x1, x2, diag=False, last_dim_is_batch=False, **_):
    """Returns matrices [2, n, n] between places [n, 2]."""
    one, other = x1.T[:, :, None], x2.T[:, None, :]
    far, of = one - other, lambda name: self._positive(f'primitives_{name}')
    square, wave = far**2, torch.sin(torch.pi * far / of('periodic_period'))
    units = torch.stack(
      [
        of('rbf_variance') * torch.exp(-0.5 * square / of('rbf_length') ** 2),
        of('linear_variance') * one * other,
        of('quadratic_variance')
        * (
          1 + square / (2 * of('quadratic_alpha') * of('quadratic_length') ** 2)
        )
        ** -of('quadratic_alpha'),
        of('periodic_variance')
        * torch.exp(-0.5 * (wave / of('periodic_length')) ** 2),
      ],
      dim=1,
    )
    for number in range(self.depth):
      if number:
        units = units[:, 0::2] * units[:, 1::2]
      weights = self._positive(f'layers_{number}_weights')
      units = torch.einsum('aoi,aipq->aopq', weights, units)
      units = units + self._positive(f'layers_{number}_bias', 3)
    out = units[:, 0]
    return torch.diagonal(out, dim1=-2, dim2=-1) if diag else out


class _Process(gpytorch.models.ExactGP):
  """A process of mean 0 on the grid of a picture [n, n]."""

  def __init__(self, picture: np.ndarray, model: fitting.Model):
    side = len(picture)
    axis = torch.arange(side) / side
    kernel = gpytorch.kernels.GridKernel(Network(model), [axis, axis])
    places = kernel.full_grid
    at = torch.round(places * side).int().numpy()
    likelihood = gpytorch.likelihoods.GaussianLikelihood(
      noise_constraint=gpytorch.constraints.GreaterThan(_LEAST)
    )
    likelihood.raw_noise.data.fill_(float(model.noise))
    values = torch.as_tensor(picture[at[:, 0], at[:, 1]])
    super().__init__(places, values, likelihood)
    self.mean_module, self.covar_module = gpytorch.means.ZeroMean(), kernel

  def forward(self, x):
    """Returns the distribution before anything is seen."""
    return gpytorch.distributions.MultivariateNormal(
      self.mean_module(x), self.covar_module(x)
    )

  def loss(self) -> torch.Tensor:
    """Returns -log density over the number of pixels."""
    marginal = gpytorch.mlls.ExactMarginalLogLikelihood(self.likelihood, self)
    (places,) = self.train_inputs
    with gpytorch.settings.use_toeplitz(False), warnings.catch_warnings():
      warnings.simplefilter('ignore')  # On fields that it will drop.
      return -marginal(self(places), self.train_targets)


def _built(picture, model, threads: int) -> _Process:
  torch.set_num_threads(threads)
  torch.set_default_dtype(torch.float64)
  return _Process(picture, model).train()


def gradient(
  picture: np.ndarray, model: fitting.Model, threads: int
) -> fitting.Model:
  """Returns the gradient of the loss at a model, as a model."""
  process = _built(picture, model, threads)
  process.loss().backward()
  network = process.covar_module.base_kernel

  def of(axis: int, tree):
    take = lambda path, _: getattr(network, _name(path)).grad[axis].numpy()
    return jax.tree_util.tree_map_with_path(take, tree)

  noise = process.likelihood.raw_noise.grad.item()
  return fitting.Model(of(0, model.rows), of(1, model.columns), noise)


def trainer(
  picture: np.ndarray,
  model: fitting.Model,
  threads: int,
  steps: int,
  rate: float,
) -> Callable[[], None]:
  """Returns a function that trains a process from a model on."""

  def train():
    process = _built(picture, model, threads)
    adam = torch.optim.Adam(process.parameters(), lr=rate)
    for _ in range(steps):
      adam.zero_grad()
      process.loss().backward()
      adam.step()

  return train
