"""Samples and slots of image data, as pictures."""

import matplotlib.figure
import numpy as np

from memae_jax.evaluation import scores
from memae_jax.evaluation.plots import style


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
  top = float(error[:count].max()) or 1.0
  for k in range(count):
    picture(axes[0, k], gallery.inputs[k])
    picture(axes[1, k], gallery.reconstructions[k])
    heat = picture(axes[2, k], error[k], cmap='magma', vmin=0, vmax=top)
    axes[0, k].set_title(
      gallery.title[k].replace(', ', '\n').replace(' ', '\n'),
      fontsize=8.5,
      color=style.ANOMALOUS if gallery.anomalous[k] else style.NORMAL,
    )
    axes[2, k].set_xlabel(f'score {gallery.score[k]:.2g}', fontsize=8)
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
