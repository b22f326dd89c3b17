"""Training steps of AE-SSIM and AE on patches of pictures, against PyTorch.

python -m benchmarks.ssim [--patch=128] [--batch=32] [--steps=4] [--rounds=5]

The published network of nine layers, Adam, random patches. A: AE-SSIM here. B:
the same network, loss and optimizer in PyTorch. C and D: the same two with the
squared error, which says what the loss costs. All alternate within each round;
ratios are medians over the rounds. `torch` is the extra `benchmark`. The last
line is JSON.
"""

import jax
import numpy as np
import torch

from benchmarks import common, peer
from memae_jax import config as config_lib
from memae_jax.config import presets

RATE, ROWS = 2e-4, 256


def torch_runner(config, inputs: np.ndarray, steps: int, by_ssim: bool):
  """Returns a function that trains the network in PyTorch.

  Args:
    config: whose `model` is built.
    inputs: [S, H, W, C] uint8 patches.
    steps: of a training.
    by_ssim: whether the loss is the structural dissimilarity.
  """
  data = torch.from_numpy(inputs).permute(0, 3, 1, 2).contiguous()
  net, batch = config.model, config.train.batch_size
  layers = list(zip(net.widths, net.kernels, net.strides, net.paddings))

  def train():
    torch.manual_seed(0)
    model = peer.DefectAE(inputs.shape[-1], layers)
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    for i in range(steps):
      at = i * batch % (ROWS - batch + 1)
      x = data[at : at + batch].float() / 127.5 - 1
      out = model(x)
      error = peer.dissimilarity(x, out) if by_ssim else (x - out) ** 2
      adam.zero_grad(set_to_none=True)
      error.mean().backward()
      adam.step()

  return train


def main():
  """Runs the comparison."""
  parser = common.parser(__doc__, steps=4)
  parser.add_argument('--patch', type=int, default=128)
  parser.add_argument('--batch', type=int, default=32)
  args = parser.parse_args()
  jax.config.update('jax_num_cpu_devices', args.devices)
  torch.set_num_threads(args.devices)
  config = config_lib.default()
  presets.defect_network(config, args.patch)
  config.train.batch_size, config.mesh.data = args.batch, args.devices
  rng = np.random.default_rng(0)
  inputs = rng.integers(0, 256, (ROWS, args.patch, args.patch, 1), np.uint8)
  runs, first = {}, {}
  for variant, loss in (('ae_ssim', 'SSIM'), ('ae', 'L2')):
    members = common.replicas(1, 1, RATE, variant)
    name = f'JAX, {loss}'
    runs[name], first[name] = common.runner(config, inputs, members, args.steps)
    by_ssim = variant == 'ae_ssim'
    runs[f'PyTorch, {loss}'] = torch_runner(config, inputs, args.steps, by_ssim)
  for run in runs.values():  # A first call takes longer.
    run()
  seconds = common.alternate(runs, args.rounds)
  facts = {'patch': args.patch, 'batch': args.batch, 'steps': args.steps}
  common.report(seconds, args.steps, facts | {'seconds_to_first_step': first})


if __name__ == '__main__':
  main()
