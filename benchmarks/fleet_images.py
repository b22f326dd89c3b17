"""Ten MNIST or CIFAR-10 runs: one fleet, one by one, plain lax, PyTorch.

python -m benchmarks.fleet_images [--set=mnist] [--replicas=10] [--steps=10]

A: one fleet of R replicas in one program. B: the same code with R = 1, R times
in a row. C: as B with plain `lax` convolutions. D: the same network, loss and
optimizer in PyTorch, R times in a row. Random images, batch 64. All alternate
within each round; ratios are medians over the rounds. `torch` is the extra
`benchmark`; without it D is left out. The last line is JSON.
"""

import argparse
import functools
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
  """The same run in PyTorch: network, addressing, loss and Adam."""
  import torch
  from torch import nn

  data = torch.from_numpy(inputs).permute(0, 3, 1, 2).contiguous()
  sizes = [inputs.shape[1]]
  for stride in strides:
    sizes.append((sizes[-1] - 1) // stride + 1)

  def layers(convolutions):
    out = []
    for layer in convolutions:
      out += [layer, nn.BatchNorm2d(layer.out_channels), nn.LeakyReLU(0.2)]
    return out

  def train(seed):
    torch.manual_seed(seed)
    wide = (inputs.shape[-1], *widths)
    encoder = nn.Sequential(
      *layers(
        nn.Conv2d(a, b, 3, s, 1) for a, b, s in zip(wide, wide[1:], strides)
      )
    )
    back = []
    for i in reversed(range(len(strides))):
      extra = sizes[i] - ((sizes[i + 1] - 1) * strides[i] + 1)
      back.append(
        nn.ConvTranspose2d(wide[i + 1], wide[i], 3, strides[i], 1, extra)
      )
    decoder = nn.Sequential(*layers(back[:-1]), back[-1])
    code = widths[-1] * sizes[-1] ** 2
    memory = nn.Parameter((torch.rand(slots, code) * 2 - 1) / code**0.5)
    adam = torch.optim.Adam(
      [*encoder.parameters(), *decoder.parameters(), memory], lr=RATE
    )
    order = torch.randperm(ROWS)
    for i in range(steps):
      at = i * BATCH % (ROWS - BATCH)
      x = data[order[at : at + BATCH]].float() / 127.5 - 1
      z = encoder(x)
      query = nn.functional.normalize(z.flatten(1), dim=1)
      soft = torch.softmax(query @ nn.functional.normalize(memory, dim=1).T, 1)
      over = soft - 1 / slots
      kept = torch.relu(over) * soft / (over.abs() + 1e-12)
      weights = nn.functional.normalize(kept, p=1, dim=1, eps=1e-12)
      out = decoder((weights @ memory).reshape(z.shape))
      entropy = -(weights * torch.log(weights + 1e-12)).sum(1).mean()
      loss = ((out - x) ** 2).mean() + 2e-4 * entropy
      adam.zero_grad(set_to_none=True)
      loss.backward()
      adam.step()
    return float(loss.detach())

  return train


def plain_lax():
  """Makes new programs take `lax` convolutions, also on a CPU."""
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
  shape, widths, strides, slots = SETS[args.set]
  config = config_lib.default()
  config.model.network = 'conv'
  config.model.widths = widths
  config.model.strides = strides
  config.model.activation = 'leaky_relu'
  config.model.batch_norm = True
  config.train.batch_size = BATCH
  config.train.fleet_map = args.map
  rng = np.random.default_rng(0)
  inputs = rng.integers(0, 256, (ROWS, *shape), np.uint8)
  members = common.replicas(args.replicas, slots, RATE)
  others = {}
  if args.lax:
    with plain_lax():
      plain, _ = common.runner(config, inputs, members[:1], args.steps)
    others['C plain lax, one by one'] = lambda: [plain() for _ in members]
  try:
    peer = torch_runner(inputs, widths, strides, slots, args.steps)
    others['D PyTorch, one by one'] = lambda: [
      peer(i) for i in range(args.replicas)
    ]
  except ImportError:
    print('torch is not installed: D is left out')
  common.compare(config, inputs, members, args, others, {'set': args.set})


if __name__ == '__main__':
  main()
