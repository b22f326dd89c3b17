"""EfficientNet-Lite0 in PyTorch, for the golden numbers.

python -m tests.features.torch_lite0

writes tests/golden/lite0.npz. Written from the published description (block
table, 'SAME' padding, batch norms of epsilon 1e-3 that are not folded), in
float64, and shares no code with memae_jax.features but the reader of files.
"""

import numpy as np

from memae_jax.features import torch_file, weights
from tests import helpers

GOLDEN = helpers.GOLDEN / 'lite0.npz'
NAMES = 'b2', 'b4', 'b10', 'b15', 'head'
_KEPT = 60  # Numbers per output.
# Kernel, stride, expansion, channels.
TABLE = (
  (3, 1, 1, 16),
  *((3, 2, 6, 24), (3, 1, 6, 24)),
  *((5, 2, 6, 40), (5, 1, 6, 40)),
  *((3, 2, 6, 80), (3, 1, 6, 80), (3, 1, 6, 80)),
  *((5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112)),
  *((5, 2, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192)),
  (3, 1, 6, 320),
)


def formula() -> dict[str, np.ndarray]:
  """A state dict of random numbers, under which no output dies."""
  rng = np.random.RandomState(0)  # Gives the same numbers for ever.
  state = {}

  def layer(name, norm, *shape):
    deviation = np.sqrt(2 / np.prod(shape[1:]))
    state[f'{name}.weight'] = deviation * rng.standard_normal(shape)
    state[f'{norm}.weight'] = 0.5 + rng.random_sample(shape[0])
    state[f'{norm}.bias'] = rng.standard_normal(shape[0]) / 2
    state[f'{norm}.running_mean'] = rng.standard_normal(shape[0]) / 2
    state[f'{norm}.running_var'] = 0.5 + rng.random_sample(shape[0])
    state[f'{norm}.num_batches_tracked'] = np.array(7)

  layer('_conv_stem', '_bn0', 32, 3, 3, 3)
  inputs = 32
  for i, (kernel, _, expansion, outputs) in enumerate(TABLE):
    at, inner = f'_blocks.{i}.', inputs * expansion
    if expansion != 1:
      layer(f'{at}_expand_conv', f'{at}_bn0', inner, inputs, 1, 1)
    layer(f'{at}_depthwise_conv', f'{at}_bn1', inner, 1, kernel, kernel)
    layer(f'{at}_project_conv', f'{at}_bn2', outputs, inner, 1, 1)
    inputs = outputs
  layer('_conv_head', '_bn1', 1280, inputs, 1, 1)
  state['_fc.weight'] = rng.standard_normal((1000, 1280)) / 36
  state['_fc.bias'] = rng.standard_normal(1000)
  return {
    name: array.astype(np.float32 if array.ndim else np.int64)
    for name, array in state.items()
  }


def pictures(count=2, height=75, width=90) -> np.ndarray:
  """Smooth colours and noise, uint8; odd sizes occur in the network."""
  rng = np.random.RandomState(1)
  rows, columns = np.mgrid[:height, :width]
  phase = rng.random_sample((count, 1, 1, 3)) * 6
  waves = np.sin(rows[..., None] / 9 + phase) + np.cos(
    columns[..., None] / 7 - 2 * phase
  )
  noise = rng.standard_normal((count, height, width, 3))
  return np.clip(128 + 50 * waves + 20 * noise, 0, 255).astype(np.uint8)


def forward(state: dict[str, np.ndarray], x: np.ndarray) -> dict:
  """Outputs [B, h, w, C] of `NAMES`, and 'classes' [B, K]; float64."""
  import torch
  from torch.nn import functional

  state = {k: torch.from_numpy(v.copy()).double() for k, v in state.items()}

  def layer(x, name, norm, stride=1, groups=1, clip=True):
    kernel = state[f'{name}.weight']
    pads = []
    for axis in (3, 2):
      size, k = x.shape[axis], kernel.shape[axis]
      total = max((-(-size // stride) - 1) * stride + k - size, 0)
      pads += [total // 2, total - total // 2]
    x = functional.conv2d(
      functional.pad(x, pads), kernel, stride=stride, groups=groups
    )
    mean, var = state[f'{norm}.running_mean'], state[f'{norm}.running_var']
    scale, shift = state[f'{norm}.weight'], state[f'{norm}.bias']
    x = functional.batch_norm(x, mean, var, scale, shift, eps=1e-3)
    return functional.relu6(x) if clip else x

  x = (torch.from_numpy(x.astype(np.float64)).permute(0, 3, 1, 2) - 127) / 128
  x = layer(x, '_conv_stem', '_bn0', 2)
  outputs = {}
  for i, (_, stride, expansion, channels) in enumerate(TABLE):
    at, y = f'_blocks.{i}.', x
    if expansion != 1:
      y = layer(y, f'{at}_expand_conv', f'{at}_bn0')
    y = layer(y, f'{at}_depthwise_conv', f'{at}_bn1', stride, y.shape[1])
    y = layer(y, f'{at}_project_conv', f'{at}_bn2', clip=False)
    x = x + y if stride == 1 and x.shape[1] == channels else y
    outputs[f'b{i}'] = x
  x = outputs['head'] = layer(x, '_conv_head', '_bn1')
  classes = x.mean((2, 3)) @ state['_fc.weight'].T + state['_fc.bias']
  return {
    **{name: outputs[name].permute(0, 2, 3, 1).numpy() for name in NAMES},
    'classes': classes.numpy(),
  }


def sample(output: np.ndarray) -> np.ndarray:
  """Some numbers of an output, from all over it, then its mean and norm."""
  flat = np.asarray(output, np.float64).reshape(-1)
  places = np.linspace(0, flat.size - 1, _KEPT).astype(int)
  return np.append(flat[places], [flat.mean(), np.sqrt((flat**2).mean())])


def main() -> None:
  arrays = {}
  for label, state in (
    ('formula', formula()),
    ('package', torch_file.read(weights.find())),
  ):
    for name, output in forward(state, pictures()).items():
      if name in NAMES:
        arrays[f'{label}_{name}'] = sample(output)
        print(label, name, output.shape, output.mean(), output.std())
  np.savez_compressed(GOLDEN, **arrays)


if __name__ == '__main__':
  main()
