"""A picture that stands alone: what it says of itself, and its kernels."""

import matplotlib.figure
import numpy as np

from memae_jax.evaluation.report.plots import images, style
from memae_jax.evaluation.scoring import scores

_LOUD = 4.0  # Deviations that are outlined.


def draw(found: scores.Foretold, k: int) -> matplotlib.figure.Figure:
  """Draws picture, prediction, deviation, error in deviations, and kernels.

  Args:
    found: the pictures.
    k: which one.
  """
  one = found.says.of(k)
  figure, axes = style.axes(2, 4, 4.6, height_ratios=(3, 2))
  low, high = found.levels
  unit = lambda values: (values.astype(np.float64) - low) / (high - low)
  height, width = one.z.shape
  box = -0.5, -0.5, width, height
  panels = (
    ('the picture', unit(one.picture), {}),
    ('foretold, block by block', unit(one.mean), {}),
    ('its deviation', one.sigma, {'cmap': 'viridis'}),
    ('error, in deviations', one.z, {'cmap': 'magma', 'vmin': 0}),
  )
  for ax, (title, values, more) in zip(axes[0], panels):
    images.picture(
      ax, values, extent=(-0.5, width - 0.5, height - 0.5, -0.5), **more
    )
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    style.titles(ax, title)
  if (one.z > _LOUD).any():
    images.outline(axes[0, 3], one.z > _LOUD, style.FLAGGED, box)
  if one.hidden.any():
    images.outline(axes[0, 0], one.hidden > 0, style.OUTLINE, box)
  for ax, name in zip(axes[1], ('rows', 'columns')):
    values = getattr(one, name)
    ax.plot(values / (values[0] or 1), color=style.INK, linewidth=1.2)
    style.titles(ax, f'kernel of {name}', 'pixels from the first one')
  _blocks(axes[1, 2], one.z, int(one.block))
  _values(axes[1, 3], one.z)
  return figure


def _blocks(ax, z: np.ndarray, block: int) -> None:
  """Draws the loudest blocks, by their largest error in deviations."""
  height, width = z.shape
  loud = [
    (float(z[r : r + block, c : c + block].max()), f'{r}, {c}')
    for r in range(0, height, block)
    for c in range(0, width, block)
  ]
  loud = sorted(loud, reverse=True)[:6][::-1]
  ax.barh([at for _, at in loud], [of for of, _ in loud], color=style.ANOMALOUS)
  ax.axvline(_LOUD, color=style.INK, linewidth=0.8)
  style.titles(ax, 'loudest blocks', 'largest error', 'row, column')


def _values(ax, z: np.ndarray) -> None:
  """Draws how many pixels have which error, in deviations."""
  ax.hist(z[z > 0], bins=40, color=style.NORMAL, log=bool((z > 0).any()))
  ax.axvline(_LOUD, color=style.INK, linewidth=0.8)
  style.titles(ax, 'pixels by their error', 'deviations', 'pixels')
