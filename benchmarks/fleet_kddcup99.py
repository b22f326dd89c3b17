"""Twenty KDDCUP runs: as one fleet, one after another, and in PyTorch.

python -m benchmarks.fleet_kddcup99 [--replicas=20] [--steps=100] [--rounds=5]

A: one fleet of R replicas in one program. B: the same code with R = 1, R times
in a row. C: the same network, loss and optimizer in PyTorch, R times in a row.
Random rows of KDDCUP's shape (122 columns), batch 1,024, N = 50 slots. A, B and
C alternate within each round; ratios are medians over the rounds. `torch` is
the extra `benchmark`; without it C is left out. The last line is JSON.
"""

import jax
import numpy as np

from benchmarks import common
from memae_jax import config as config_lib

WIDTH, ROWS, BATCH, SLOTS = 122, 180_000, 1024, 50


def torch_runner(inputs, steps):
  """Returns a function that trains the same network in PyTorch from a seed."""
  import torch
  from torch import nn

  data = torch.from_numpy(inputs)

  def layers(widths):
    out = []
    for a, b in zip(widths, widths[1:]):
      out += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*out[:-1])

  def train(seed):
    torch.manual_seed(seed)
    encoder = layers((WIDTH, 60, 30, 10, 3))
    decoder = layers((3, 10, 30, 60, WIDTH))
    slots = nn.Parameter((torch.rand(SLOTS, 3) * 2 - 1) / 3**0.5)
    adam = torch.optim.Adam(
      [*encoder.parameters(), *decoder.parameters(), slots], lr=1e-4
    )
    order = torch.randperm(ROWS)
    threshold = 1 / SLOTS
    for i in range(steps):
      at = i * BATCH % (ROWS - BATCH)
      x = data[order[at : at + BATCH]]
      query = nn.functional.normalize(encoder(x), dim=1)
      soft = torch.softmax(query @ nn.functional.normalize(slots, dim=1).T, 1)
      over = soft - threshold
      kept = torch.relu(over) * soft / (over.abs() + 1e-12)
      weights = nn.functional.normalize(kept, p=1, dim=1, eps=1e-12)
      out = decoder(weights @ slots)
      entropy = -(weights * torch.log(weights + 1e-12)).sum(1).mean()
      loss = ((out - x) ** 2).mean() + 2e-4 * entropy
      adam.zero_grad(set_to_none=True)
      loss.backward()
      adam.step()
    return float(loss.detach())

  return train


def main():
  """Runs the comparison."""
  parser = common.parser(__doc__, steps=100)
  parser.set_defaults(replicas=20)
  args = parser.parse_args()
  jax.config.update('jax_num_cpu_devices', args.devices)
  config = config_lib.default()
  config.train.batch_size = BATCH
  config.train.fleet_map = args.map
  inputs = np.random.default_rng(0).random((ROWS, WIDTH), np.float32)
  peer = lambda: torch_runner(inputs, args.steps)
  others = common.peers('C PyTorch one by one', peer, args.replicas)
  members = common.replicas(args.replicas, SLOTS, 1e-4)
  common.compare(config, inputs, members, args, others, {})


if __name__ == '__main__':
  main()
