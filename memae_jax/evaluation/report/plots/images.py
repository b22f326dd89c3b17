"""Pictures of samples, beside what the networks make of them."""

import matplotlib.colors
import matplotlib.figure
import numpy as np

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import style
from memae_jax.evaluation.scoring import scores


def picture(ax, image, **kwargs):
  """Shows an image without axes; returns what Matplotlib's `imshow` does.

  Args:
    ax: where to.
    image: [H, W, C] in [0, 1], of which one or three channels are shown; or
      [H, W] with a colour map.
    **kwargs: for `imshow`, such as `cmap` and `extent`.
  """
  image = np.asarray(image, np.float64)
  if image.ndim == 3 and image.shape[-1] != 3:
    image = image[..., 0]
  if image.ndim == 3 or 'cmap' not in kwargs:
    image = np.clip(image, 0, 1)
    kwargs |= {'cmap': 'gray', 'vmin': 0, 'vmax': 1}
  drawn = ax.imshow(image, interpolation='nearest', **kwargs)
  ax.grid(False)
  ax.set(xticks=[], yticks=[])
  ax.spines[:].set_visible(False)
  return drawn


def outline(ax, mask, color, box=None):
  """Draws the outline of a mask, between its pixels and others.

  Args:
    ax: where to.
    mask: [H, W] bool.
    color: of the line.
    box: left, top, width and height of the picture; None: those of `imshow`.
  """
  high, wide = mask.shape
  left, top, across, down = box or (-0.5, -0.5, wide, high)
  # With a frame of False, the outline closes at the border of the image.
  framed = np.pad(mask.astype(np.float32), 1)
  x = left + (np.arange(wide + 2) - 0.5) * across / wide
  y = top + (np.arange(high + 2) - 0.5) * down / high
  ax.contour(x, y, framed, [0.5], colors=color, linewidths=0.9)


def _outline(ax, mask, color=style.OUTLINE):
  """Outlines a mask [H, W] bool in axes of its own."""
  outline(ax, mask, color)
  high, wide = mask.shape
  ax.set(xlim=(-0.5, wide - 0.5), ylim=(high - 0.5, -0.5))


def _rows(gallery: scores.Gallery) -> dict[str, np.ndarray]:
  """Returns the images [K, H, W, C] of each row by title; the errors last."""
  rows = {'input': gallery.inputs}
  if gallery.reconstructions is None:
    return rows | {'error map': gallery.errors}
  rows['reconstruction'] = gallery.reconstructions
  name = 'squared error' if gallery.maps is None else 'error map'
  return rows | {name: gallery.errors}


def _norm(
  errors: np.ndarray, squared: bool = True
) -> matplotlib.colors.Normalize:
  """Returns the scale of the colours of maps.

  Squared errors are scaled by their roots: a linear scale would show the worst
  only. Distances have no zero that means "nothing wrong", so that their scale
  begins where all but a twentieth of the pixels lie above.
  """
  high = float(errors.max())
  if not squared:
    low = float(np.quantile(errors, 0.05))
    return matplotlib.colors.Normalize(low, high if high > low else low + 1)
  low = min(0.0, float(errors.min()))  # The maps of some methods fall below 0.
  return matplotlib.colors.PowerNorm(0.5, low, high if high > low else low + 1)


def sample_gallery(
  gallery: scores.Gallery, most: int = 12
) -> matplotlib.figure.Figure:
  """Draws input, reconstruction and squared error of samples, one per column.

  A method that reconstructs nothing has two rows: inputs and error maps. Masks
  are outlined in the second row, so that they hide no part of an input.

  Args:
    gallery: the samples.
    most: draw no more samples than this.
  """
  count = min(len(gallery.score), most)
  rows, errors = _rows(gallery), gallery.errors
  # Laid out by hand, in inches: automatic layout of so many axes is slow.
  wide = min(1.4, (style.WIDTH - 1.35) / count)
  high = wide * gallery.inputs.shape[1] / gallery.inputs.shape[2]
  height = 1 + len(rows) * high
  figure = matplotlib.figure.Figure((style.WIDTH, height))
  place = {
    'left': 0.5 / style.WIDTH,
    'right': (0.5 + count * wide) / style.WIDTH,
    'bottom': 0.3 / height,
    'top': 1 - 0.65 / height,
  }
  axes = figure.subplots(
    len(rows),
    count,
    squeeze=False,
    gridspec_kw={**place, 'wspace': 0.06, 'hspace': 0.06},
  )
  norm = _norm(errors[:count], gallery.reconstructions is not None)
  for k in range(count):
    if gallery.masks is not None and gallery.masks[k].any():
      _outline(axes[1, k], gallery.masks[k])
    for ax, images in zip(axes[:-1, k], rows.values()):
      picture(ax, images[k])
    heat = picture(axes[-1, k], errors[k], cmap='magma', norm=norm)
    _flagged(axes[-1, k], gallery, k)
    axes[0, k].set_title(
      gallery.title[k].replace(', ', '\n').replace(' ', '\n'),
      fontsize=8,
      color=style.ANOMALOUS if gallery.anomalous[k] else style.NORMAL,
    )
    axes[-1, k].set_xlabel(
      wording.format_value(float(gallery.score[k])), fontsize=8
    )
  for ax, name in zip(axes[:, 0], rows):
    name = name.replace(' ', '\n').replace('recons', 'recon-\ns')
    ax.set_ylabel(name, fontsize=8.5, color=style.MUTED)
  beside = (
    place['right'] + 0.1 / style.WIDTH,
    place['bottom'],
    0.1 / style.WIDTH,
  )
  bar = figure.colorbar(heat, cax=figure.add_axes((*beside, high / height)))
  bar.ax.tick_params(labelsize=7.5)
  bar.outline.set_visible(False)
  return figure


def _flagged(ax, gallery: scores.Gallery, k: int) -> None:
  """Outlines what is above the threshold in a map, if there is one."""
  if gallery.limit is not None:
    above = gallery.errors[k] > gallery.limit
    if above.any():
      _outline(ax, above, style.FLAGGED)


def one_sample(gallery: scores.Gallery, k: int) -> matplotlib.figure.Figure:
  """Draws the rows of `sample_gallery` for sample `k` side by side."""
  rows = _rows(gallery)
  wide, head = 1.55, 0.26  # Inches.
  shape = gallery.inputs.shape
  high = min(wide * shape[1] / shape[2], 1.6 * wide)
  height = high + head
  figure = matplotlib.figure.Figure((len(rows) * wide, height))
  axes = figure.subplots(
    1,
    len(rows),
    gridspec_kw={
      'left': 0.005,
      'right': 0.995,
      'bottom': 0.01,
      'top': 1 - head / height,
      'wspace': 0.04,
    },
  )
  norm = _norm(gallery.errors[k], gallery.reconstructions is not None)
  for ax, (name, images) in zip(axes, rows.items()):
    if ax is axes[-1]:
      picture(ax, images[k], cmap='magma', norm=norm)
      _flagged(ax, gallery, k)
    else:
      picture(ax, images[k])
    ax.set_title(name, fontsize=9, color=style.MUTED)
  if gallery.masks is not None and gallery.masks[k].any():
    _outline(axes[1], gallery.masks[k])
  return figure


def other_classes(
  samples: scores.OtherClasses,
) -> matplotlib.figure.Figure:
  """Draws samples of other classes, and a row of each variant's outputs."""
  count, rows = len(samples.labels), 1 + len(samples.reconstructions)
  wide = min(0.95, (style.WIDTH - 1.3) / count)
  high = wide * samples.inputs.shape[1] / samples.inputs.shape[2]
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
  for k, label in enumerate(samples.labels):
    picture(axes[0, k], samples.inputs[k])
    axes[0, k].set_title(style.literal(label), fontsize=8.5, color=style.INK)
  for row, (variant, images) in enumerate(samples.reconstructions.items(), 1):
    for k, image in enumerate(images):
      picture(axes[row, k], image)
      score = samples.score[variant][k]
      axes[row, k].set_xlabel(
        f'{score:.2g}', fontsize=7.5, color=style.MUTED, labelpad=1
      )
  for row, name in enumerate(('input', *map(wording.label, samples.score))):
    axes[row, 0].set_ylabel(
      name, fontsize=8.5, color=style.MUTED, rotation=0, ha='right', va='center'
    )
  return figure
