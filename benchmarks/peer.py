"""Convolutional MemAE in PyTorch, for the benchmarks to compare with."""

from collections.abc import Sequence

import torch
from torch import nn


class MemAE(nn.Module):
  """Maps [B, C, *n] to a reconstruction and the mean entropy of the reads.

  Kernels are 3 wide with padding 1; BatchNorm and LeakyReLU follow all layers
  but the last. Reads have cosine similarity, lambda = 1/N and the published
  shrinkage. Without a memory the entropy is 0.
  """

  def __init__(
    self,
    shape: Sequence[int],
    widths: Sequence[int],
    strides: Sequence[tuple[int, ...]],
    slots: int | None,
    per_position: bool,
  ):
    """Builds the network.

    Args:
      shape: (C, *n) of a sample, two or three sizes n.
      widths: channels of the encoder's layers.
      strides: of each layer.
      slots: memory size N; None for an autoencoder.
      per_position: one query per position, or one per sample.
    """
    super().__init__()
    images = len(shape) == 3
    conv = nn.Conv2d if images else nn.Conv3d
    transposed = nn.ConvTranspose2d if images else nn.ConvTranspose3d
    norm = nn.BatchNorm2d if images else nn.BatchNorm3d
    wide, size, there, back = (shape[0], *widths), shape[1:], [], []
    for i, stride in enumerate(strides):
      small = [(n - 1) // s + 1 for n, s in zip(size, stride)]
      extra = [n - (m - 1) * s - 1 for n, m, s in zip(size, small, stride)]
      there += [
        conv(wide[i], wide[i + 1], 3, stride, 1),
        norm(wide[i + 1]),
        nn.LeakyReLU(0.2),
      ]
      last = [norm(wide[i]), nn.LeakyReLU(0.2)] if i else []
      back = [
        transposed(wide[i + 1], wide[i], 3, stride, 1, extra),
        *last,
        *back,
      ]
      size = small
    self.encoder, self.decoder = nn.Sequential(*there), nn.Sequential(*back)
    self.per_position = per_position
    code = widths[-1] if per_position else widths[-1] * torch.Size(size).numel()
    self.slots = None
    if slots:
      self.slots = nn.Parameter((torch.rand(slots, code) * 2 - 1) / code**0.5)

  def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the reconstruction of x, and the mean entropy of the reads."""
    z = self.encoder(x)
    if self.slots is None:
      return self.decoder(z), 0.0
    if self.per_position:
      last = z.movedim(1, -1)
      value, entropy = read(last.reshape(-1, last.shape[-1]), self.slots)
      value = value.reshape(last.shape).movedim(-1, 1)
    else:
      value, entropy = read(z.flatten(1), self.slots)
      value = value.reshape(z.shape)
    return self.decoder(value), entropy


class DefectAE(nn.Module):
  """The nine layers of Bergmann et al. (2019), and their mirror image."""

  def __init__(
    self, channels: int, layers: Sequence[tuple[int, int, int, int]]
  ):
    """Builds the network.

    Args:
      channels: of a picture.
      layers: channels, kernel, stride and padding of each.
    """
    super().__init__()
    there, back, wide = [], [], channels
    for i, (out, *how) in enumerate(layers):
      is_code = i == len(layers) - 1
      there += [nn.Conv2d(wide, out, *how)] + [nn.LeakyReLU(0.2)][is_code:]
      last = [nn.LeakyReLU(0.2)] if i else []
      back = [nn.ConvTranspose2d(out, wide, *how), *last, *back]
      wide = out
    self.network = nn.Sequential(*there, *back)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    """Returns the reconstructions of pictures [B, C, H, W]."""
    return self.network(x)


def dissimilarity(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
  """Returns 1 - SSIM of each pixel of [B, C, H, W] in [-1, 1], 11 x 11."""
  x, y = (image.clip(-1, 1) / 2 for image in (x, y))

  def mean(image):
    padded = nn.functional.pad(image, (5, 5, 5, 5), mode='reflect')
    return nn.functional.avg_pool2d(padded, 11, 1)

  mean_x, mean_y, sample = mean(x), mean(y), 121 / 120
  var_x = sample * (mean(x * x) - mean_x**2)
  var_y = sample * (mean(y * y) - mean_y**2)
  both = sample * (mean(x * y) - mean_x * mean_y)
  mean_x, mean_y = mean_x + 0.5, mean_y + 0.5
  up = (2 * mean_x * mean_y + 0.01**2) * (2 * both + 0.03**2)
  return 1 - up / (
    (mean_x**2 + mean_y**2 + 0.01**2) * (var_x + var_y + 0.03**2)
  )


def read(
  query: torch.Tensor, slots: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
  """Returns values [Q, C] and their mean entropy.

  Args:
    query: [Q, C].
    slots: [N, C].
  """
  unit = nn.functional.normalize
  soft = torch.softmax(unit(query, dim=1) @ unit(slots, dim=1).T, 1)
  over = soft - 1 / len(slots)
  kept = torch.relu(over) * soft / (over.abs() + 1e-12)
  weights = unit(kept, p=1, dim=1, eps=1e-12)
  entropy = -(weights * torch.log(weights + 1e-12)).sum(1).mean()
  return weights @ slots, entropy


def step(model: MemAE, adam: torch.optim.Adam, x: torch.Tensor) -> torch.Tensor:
  """Takes one step of training; returns the loss."""
  out, entropy = model(x)
  loss = ((out - x) ** 2).mean() + 2e-4 * entropy
  adam.zero_grad(set_to_none=True)
  loss.backward()
  adam.step()
  return loss.detach()


def score(model: MemAE, x: torch.Tensor) -> torch.Tensor:
  """Returns [B] mean squared errors of a model in inference mode."""
  with torch.no_grad():
    return ((model(x)[0] - x) ** 2).flatten(1).mean(1)
