"""Ten MNIST or CIFAR-10 runs: a fleet, one by one, plain lax, PyTorch.

python -m benchmarks.fleet_images [--set=mnist] [--replicas=10] [--steps=10]

A: one fleet of R replicas in one program. B: the same code with R = 1, R times
in a row. C: like B with plain `lax` convolutions. D: the same network, loss and
optimizer in PyTorch, R times in a row. Random images, batch 64. All alternate
within each round; ratios are medians over the rounds. `torch` is the extra
`benchmark`; without it D is left out. The last line is JSON.
"""

import argparse
import functools
from typing import Any
from unittest import mock

import jax
import numpy as np

from benchmarks import common
from memae_jax import config as config_lib
from memae_jax.models import conv

SETS = {
  'mnist': ((28, 28, 1), (32, 16, 8), (2, 2, 3), 100),
  'cifar10': ((32, 32, 3), (64, 128, 128, 256), (2, 2, 2, 2), 500),
}
ROWS, BATCH, RATE = 4000, 64, 1e-3


def torch_runner(inputs, widths, strides, slots, steps):
  """Returns a function that trains the same network in PyTorch from a seed."""
  import torch

  from benchmarks import peer

  data = torch.from_numpy(inputs).permute(0, 3, 1, 2).contiguous()
  strides = [(s, s) for s in strides]

  def train(seed):
    torch.manual_seed(seed)
    model = peer.MemAE(data.shape[1:], widths, strides, slots, False)
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    order = torch.randperm(ROWS)
    for i in range(steps):
      at = i * BATCH % (ROWS - BATCH)
      x = data[order[at : at + BATCH]].float() / 127.5 - 1
      loss = peer.step(model, adam, x)
    return float(loss)

  return train


def setting(name: str, how: str) -> tuple[Any, np.ndarray, int]:
  """Returns config, random images [S, H, W, C] and memory size of a network.

  Args:
    name: key of `SETS`.
    how: value of `train.fleet_map`.
  """
  shape, widths, strides, slots = SETS[name]
  config = config_lib.default()
  config.model.network = 'conv'
  config.model.widths = widths
  config.model.strides = strides
  config.model.activation = 'leaky_relu'
  config.model.batch_norm = True
  config.train.batch_size = BATCH
  config.train.fleet_map = how
  rng = np.random.default_rng(0)
  return config, rng.integers(0, 256, (ROWS, *shape), np.uint8), slots


def plain_lax():
  """Makes programs that are traced inside use `lax` convolutions on a CPU."""
  forced = {
    name: functools.partial(getattr(conv, name), lowering='xla')
    for name in ('conv', 'conv_transpose')
  }
  return mock.patch.multiple(conv, **forced)


def main():
  """Runs the comparison."""
  parser = common.parser(__doc__, steps=10)
  parser.set_defaults(replicas=10)
  parser.add_argument('--set', default='mnist', choices=SETS)
  parser.add_argument('--lax', action=argparse.BooleanOptionalAction, default=1)
  args = parser.parse_args()
  jax.config.update('jax_num_cpu_devices', args.devices)
  _, widths, strides, _ = SETS[args.set]
  config, inputs, slots = setting(args.set, args.map)
  members = common.replicas(args.replicas, slots, RATE)
  others = {}
  if args.lax:
    with plain_lax():
      plain, _ = common.runner(config, inputs, members[:1], args.steps)
    others['C plain lax, one by one'] = lambda: [plain() for _ in members]
  peer = lambda: torch_runner(inputs, widths, strides, slots, args.steps)
  others |= common.peers('D PyTorch, one by one', peer, args.replicas)
  common.compare(config, inputs, members, args, others, {'set': args.set})


if __name__ == '__main__':
  main()
