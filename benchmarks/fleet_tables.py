"""Twenty runs of DAGMM, then of DSEBM: as one fleet, one by one, in PyTorch.

python -m benchmarks.fleet_tables [--method=dagmm|dsebm_e] [--replicas=20]
  [--steps=100] [--rounds=5] [--devices=1]

A: one fleet of R replicas in one program. B: the same code with R = 1, R times
in a row. C: the same network, loss and optimizer in PyTorch, R times in a row,
on as many threads as there are devices. Random rows of KDDCUP's shape (122
columns), batch 256, networks of the published sizes. A, B and C alternate
within each round; ratios are medians over the rounds. `torch` is the extra
`benchmark`; without it C is left out. The last line is JSON.
"""

import jax
import numpy as np

from benchmarks import common
from memae_jax import config as config_lib

WIDTH, ROWS, BATCH, RATE = 122, 50_000, 256, 1e-3


def _normalised(x, other):
  import torch

  far = torch.linalg.norm(x - other, dim=1) / torch.linalg.norm(x, dim=1)
  return torch.stack([far, torch.cosine_similarity(x, other, dim=1)], dim=1)


def dagmm(torch):
  """Returns parameters and a loss of rows, as the method of this name has."""
  nn = torch.nn

  def layers(widths):
    out = []
    for a, b in zip(widths, widths[1:]):
      out += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*out[:-1])

  encoder = layers((WIDTH, 60, 30, 10, 1))
  decoder = layers((1, 10, 30, 60, WIDTH))
  members = nn.Sequential(
    *(nn.Linear(3, 10), nn.Tanh(), nn.Dropout(0.5), nn.Linear(10, 4)),
    nn.Softmax(dim=1),
  )

  def loss(x):
    code = encoder(x)
    out = decoder(code)
    z = torch.cat([code, _normalised(x, out)], dim=1)
    shares = members(z)
    total = shares.sum(0)
    means = (shares.T @ z) / total[:, None]
    apart = z[:, None] - means[None]
    covariances = (
      torch.einsum('bk,bkd,bke->kde', shares, apart, apart)
      / total[:, None, None]
    )
    covariances = covariances + 1e-6 * torch.eye(3)
    factors = torch.linalg.cholesky(covariances)
    white = torch.linalg.solve_triangular(
      factors[None], apart[..., None], upper=False
    )[..., 0]
    diagonal = torch.diagonal(factors, dim1=1, dim2=2)
    log = torch.log(total / len(x)) - torch.log(diagonal).sum(1)
    energy = -torch.logsumexp(log - 0.5 * (white**2).sum(2), dim=1).mean()
    inverse = (1 / torch.diagonal(covariances, dim1=1, dim2=2)).sum()
    error = ((x - out) ** 2).sum(1).mean()
    return error + 0.1 * energy + 0.005 * inverse

  parts = encoder, decoder, members
  return [p for part in parts for p in part.parameters()], loss


def dsebm_e(torch):
  """Returns parameters and a loss of rows, as the method of this name has."""
  nn = torch.nn
  bias = nn.Parameter(torch.zeros(WIDTH))
  network = nn.Sequential(
    *(nn.Linear(WIDTH, 128), nn.Softplus(), nn.Linear(128, 512), nn.Softplus())
  )

  def loss(x):
    noisy = (x + torch.randn_like(x)).requires_grad_()
    energy = 0.5 * ((noisy - bias) ** 2).sum() - network(noisy).sum()
    (slope,) = torch.autograd.grad(energy, noisy, create_graph=True)
    return ((x - noisy + slope) ** 2).sum(1).mean()

  return [bias, *network.parameters()], loss


PEERS = {'dagmm': dagmm, 'dsebm_e': dsebm_e}


def torch_runner(name: str, inputs: np.ndarray, steps: int, clip: float):
  """Returns a function that trains a method in PyTorch from a seed."""
  import torch

  torch.set_num_threads(jax.device_count())
  data = torch.from_numpy(inputs)

  def train(seed):
    torch.manual_seed(seed)
    params, loss_of = PEERS[name](torch)
    adam = torch.optim.Adam(params, lr=RATE)
    order = torch.randperm(ROWS)
    for i in range(steps):
      at = i * BATCH % (ROWS - BATCH)
      adam.zero_grad(set_to_none=True)
      loss = loss_of(data[order[at : at + BATCH]])
      loss.backward()
      if clip:
        torch.nn.utils.clip_grad_norm_(params, clip)
      adam.step()
    return float(loss.detach())

  return train


def main():
  """Runs the comparison."""
  parser = common.parser(__doc__, steps=100)
  parser.add_argument('--method', default='dagmm', choices=list(PEERS))
  parser.set_defaults(replicas=20)
  args = parser.parse_args()
  jax.config.update('jax_num_cpu_devices', args.devices)
  config = config_lib.default()
  config.train.batch_size = BATCH
  config.train.fleet_map = args.map
  clip = config.methods.dagmm.clip_norm if args.method == 'dagmm' else 0
  config.train.clip_norm = clip
  inputs = np.random.default_rng(0).normal(size=(ROWS, WIDTH))
  inputs = inputs.astype(np.float32)
  peer = lambda: torch_runner(args.method, inputs, args.steps, clip)
  others = common.peers('C PyTorch one by one', peer, args.replicas)
  members = common.replicas(args.replicas, 50, RATE, args.method)
  common.compare(config, inputs, members, args, others, {'method': args.method})


if __name__ == '__main__':
  main()
