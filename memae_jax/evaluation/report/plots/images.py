"""Samples and slots of image data, as pictures."""

import matplotlib.colors
import matplotlib.figure
import numpy as np

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import style
from memae_jax.evaluation.scoring import scores


def picture(ax, image, **kwargs):
  """Shows [H, W, C] with C of 1 or 3, without axes."""
  image = np.asarray(image, np.float64)
  if image.ndim == 3 and image.shape[-1] != 3:
    image = image[..., 0]
  if image.ndim == 3 or 'cmap' not in kwargs:
    image = np.clip(image, 0, 1)
    kwargs = {'cmap': 'gray', 'vmin': 0, 'vmax': 1}
  shown = ax.imshow(image, interpolation='nearest', **kwargs)
  ax.grid(False)
  ax.set(xticks=[], yticks=[])
  ax.spines[:].set_visible(False)
  return shown


def _outline(ax, mask):
  """Draws the edge of [H, W] bool between its pixels and the others."""
  # Of the mask with a frame of False, so that it closes at the border.
  framed = np.pad(mask.astype(np.float32), 1)
  x, y = (np.arange(n) - 1 for n in framed.shape[::-1])
  ax.contour(x, y, framed, [0.5], colors=style.OUTLINE, linewidths=0.9)
  high, wide = mask.shape
  ax.set(xlim=(-0.5, wide - 0.5), ylim=(high - 0.5, -0.5))


def reconstruction_gallery(
  gallery: scores.Gallery, most: int = 12
) -> matplotlib.figure.Figure:
  """Input, reconstruction and squared error of up to `most` samples."""
  count = min(len(gallery.score), most)
  error = np.square(gallery.inputs - gallery.reconstructions).mean(axis=-1)
  # Laid out by hand, in inches: automatic layout of so many axes is slow.
  wide = min(1.4, (style.WIDTH - 1.35) / count)
  high = wide * error.shape[1] / error.shape[2]
  height = 1 + 3 * high
  figure = matplotlib.figure.Figure((style.WIDTH, height))
  place = {
    'left': 0.5 / style.WIDTH,
    'right': (0.5 + count * wide) / style.WIDTH,
    'bottom': 0.3 / height,
    'top': 1 - 0.65 / height,
  }
  axes = figure.subplots(
    3,
    count,
    squeeze=False,
    gridspec_kw={**place, 'wspace': 0.06, 'hspace': 0.06},
  )
  # By roots: one scale for all would leave all but the worst black.
  norm = matplotlib.colors.PowerNorm(0.5, 0, error[:count].max() or 1.0)
  for k in range(count):
    picture(axes[0, k], gallery.inputs[k])
    if gallery.masks is not None and gallery.masks[k].any():
      _outline(axes[1, k], gallery.masks[k])  # It hides neither other row.
    picture(axes[1, k], gallery.reconstructions[k])
    heat = picture(axes[2, k], error[k], cmap='magma', norm=norm)
    axes[0, k].set_title(
      gallery.title[k].replace(', ', '\n').replace(' ', '\n'),
      fontsize=8.5,
      color=style.ANOMALOUS if gallery.anomalous[k] else style.NORMAL,
    )
    axes[2, k].set_xlabel(f'{gallery.score[k]:.2g}', fontsize=8)
  for row, name in enumerate(('input', 'recon-\nstruction', 'squared\nerror')):
    axes[row, 0].set_ylabel(name, fontsize=8.5, color=style.MUTED)
  beside = (
    place['right'] + 0.1 / style.WIDTH,
    place['bottom'],
    0.1 / style.WIDTH,
  )
  bar = figure.colorbar(heat, cax=figure.add_axes((*beside, high / height)))
  bar.ax.tick_params(labelsize=7.5)
  bar.outline.set_visible(False)
  return figure


def one_sample(gallery: scores.Gallery, k: int) -> matplotlib.figure.Figure:
  """Input, reconstruction and squared error of sample `k`, side by side."""
  image, rebuilt = gallery.inputs[k], gallery.reconstructions[k]
  error = np.square(image - rebuilt).mean(axis=-1)
  wide, head = 1.55, 0.26  # Inches.
  high = min(wide * error.shape[0] / error.shape[1], 1.6 * wide)
  height = high + head
  figure = matplotlib.figure.Figure((3 * wide, height))
  axes = figure.subplots(
    1,
    3,
    gridspec_kw={
      'left': 0.005,
      'right': 0.995,
      'bottom': 0.01,
      'top': 1 - head / height,
      'wspace': 0.04,
    },
  )
  picture(axes[0], image)
  picture(axes[1], rebuilt)
  if gallery.masks is not None and gallery.masks[k].any():
    _outline(axes[1], gallery.masks[k])
  norm = matplotlib.colors.PowerNorm(0.5, 0, error.max() or 1.0)
  picture(axes[2], error, cmap='magma', norm=norm)
  names = 'input', 'reconstruction', 'squared error'
  for ax, name in zip(axes, names):
    ax.set_title(name, fontsize=9, color=style.MUTED)
  return figure


def foreign_samples(foreign: scores.Foreign) -> matplotlib.figure.Figure:
  """A row of samples of other classes, and a row for each variant's picture."""
  count, rows = len(foreign.labels), 1 + len(foreign.reconstructions)
  wide = min(0.95, (style.WIDTH - 1.3) / count)
  high = wide * foreign.inputs.shape[1] / foreign.inputs.shape[2]
  height = 0.3 + rows * (high + 0.17)
  figure = matplotlib.figure.Figure((style.WIDTH, height))
  axes = figure.subplots(
    rows,
    count,
    squeeze=False,
    gridspec_kw={
      'left': 1.25 / style.WIDTH,
      'right': (1.25 + count * wide) / style.WIDTH,
      'bottom': 0.18 / height,
      'top': 1 - 0.22 / height,
      'wspace': 0.06,
      'hspace': 0.17 / high + 0.04,
    },
  )
  for k, label in enumerate(foreign.labels):
    picture(axes[0, k], foreign.inputs[k])
    axes[0, k].set_title(style.literal(label), fontsize=8.5, color=style.INK)
  for row, (variant, images) in enumerate(foreign.reconstructions.items(), 1):
    for k, image in enumerate(images):
      picture(axes[row, k], image)
      score = foreign.score[variant][k]
      axes[row, k].set_xlabel(
        f'{score:.2g}', fontsize=7.5, color=style.MUTED, labelpad=1
      )
  for row, name in enumerate(('input', *map(wording.label, foreign.score))):
    axes[row, 0].set_ylabel(
      name, fontsize=8.5, color=style.MUTED, rotation=0, ha='right', va='center'
    )
  return figure
