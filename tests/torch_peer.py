"""The video network in PyTorch, from its description; imports torch."""

import torch
from torch import nn
from torch.nn import functional

TIME_STRIDES = (1, 2, 2, 2)


class Memory(nn.Module):
  """Reads slots by inner products, by the printed formulas; lambda > 0."""

  def __init__(self, slots, width, threshold):
    super().__init__()
    self.weight = nn.Parameter(torch.rand(slots, width) - 0.5)
    self.threshold = threshold

  def forward(self, query):
    soft = functional.softmax(query @ self.weight.T, dim=1)
    over = soft - self.threshold
    shrunk = functional.relu(over) * soft / (over.abs() + 1e-12)
    weights = functional.normalize(shrunk, p=1, dim=1, eps=1e-12)
    entropy = -(weights * torch.log(weights + 1e-12)).sum(dim=1)
    return weights @ self.weight, entropy


class Peer(nn.Module):
  """[B, C, T, H, W] -> the same, and the entropy of each query, or None.

  T is divisible by 8, H and W by 16. Without `slots`, an autoencoder.
  """

  def __init__(self, widths, channels=1, slots=None, threshold=0.01):
    super().__init__()
    down, up = [], []
    back = (*widths[::-1], channels)
    for i, time in enumerate(TIME_STRIDES):
      shape = dict(stride=(time, 2, 2), padding=1)
      one = nn.Conv3d((channels, *widths)[i], widths[i], 3, **shape)
      down += [one, nn.BatchNorm3d(widths[i]), nn.LeakyReLU(0.2)]
    for i, time in enumerate(TIME_STRIDES[::-1]):
      shape = dict(stride=(time, 2, 2), padding=1)
      more = (time - 1, 1, 1)
      one = nn.ConvTranspose3d(
        back[i], back[i + 1], 3, output_padding=more, **shape
      )
      up += [one, nn.BatchNorm3d(back[i + 1]), nn.LeakyReLU(0.2)]
    self.encoder = nn.Sequential(*down)
    if slots:
      self.mem_rep = nn.Module()
      self.mem_rep.memory = Memory(slots, widths[-1], threshold)
    self.decoder = nn.Sequential(*up[:-2])

  def forward(self, x):
    code, entropy = self.encoder(x), None
    if hasattr(self, 'mem_rep'):
      last = code.movedim(1, -1)
      read, entropy = self.mem_rep.memory(last.flatten(0, -2))
      code = read.reshape(last.shape).movedim(-1, 1)
    return self.decoder(code), entropy


def randomize(peer, seed=0):
  """Random weights and statistics, as no network has them that is new."""
  generator = torch.Generator().manual_seed(seed)
  with torch.no_grad():
    for name, value in peer.state_dict().items():
      if value.is_floating_point():
        random = torch.rand(value.shape, generator=generator)
        fan = value[0].numel() if value.ndim > 2 else 1
        low, high = (0.5, 1.5) if name.endswith('var') else (-1, 1)
        value.copy_((low + (high - low) * random) * fan**-0.5)
  return peer.eval()
