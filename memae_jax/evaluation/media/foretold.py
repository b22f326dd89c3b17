"""Pictures that stand alone: what each says of its own blocks."""

import io
import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import PIL.Image
import scipy.ndimage

from memae_jax.evaluation.scoring import scores
from memae_jax.methods.alone import statements
from memae_jax.runtime import atomic
from memae_jax.training import experiment

_LOG = logging.getLogger(__name__)
_NEAR = 2  # Pixels.
LEAST_R2 = 0.3  # Below it, a picture does not foretell itself.
_STORED = 'mean', 'sigma', 'z'
_FRAME_MS = 120  # Of a film.
_SIDE = 256  # Least pixels of a side of a film.


def of(exp: experiment.Experiment, weights: Any) -> list[scores.Foretold]:
  """Returns what the first replica found, where its method finds anything.

  Args:
    exp: the experiment of a family.
    weights: of its fleet.
  """
  if exp.programs.is_large:
    return []
  found = exp.trainer.method.found(exp.programs.one(weights, 0).variables)
  if found is None:
    return []
  split, replica = exp.splits[0], exp.replicas[0]
  says = statements.Statements(*map(np.asarray, found))
  named = exp.source.places.get('file')
  files = [
    f'sample {row}' if named is None else named[row]
    for row in split.train.tolist()
  ]
  ends = (
    np.array([0, 255]) * split.transform.scale[0] + split.transform.shift[0]
  )
  levels = float(ends[0]), float(ends[1])
  return [scores.Foretold(replica.name, files, says, levels)]


def masks(exp: experiment.Experiment) -> np.ndarray | None:
  """Returns the true masks [M, H, W] of the pictures, or None."""
  known = exp.source.masks
  return None if known is None else known[exp.splits[0].train]


def facts(
  found: scores.Foretold, masks: np.ndarray | None = None
) -> list[dict[str, Any]]:
  """Returns a line of `results.json` for each picture.

  `hit` says whether the loudest pixel is within two pixels of the true mask; it
  is None where there is none. `elsewhere` is the largest error in deviations of
  all other pixels; None where nobody knows of masks.

  Args:
    found: the pictures.
    masks: [M, H, W] bool, where an anomaly is; None: nobody knows.
  """
  out = []
  for k, title in enumerate(found.title):
    one = found.says.of(k)
    loudest = np.unravel_index(np.argmax(one.z), one.z.shape)
    number = lambda value: float(value) if np.isfinite(value) else None
    out.append(
      {
        'file': title,
        'size': one.size.tolist(),
        'block': int(one.block),
        'r2': number(one.r2),
        'mean_z2': number(one.z2),
        'log_likelihood': number(one.log_likelihood),
        'max_z': number(one.z.max()),
        'loudest': [int(place) for place in loudest],
        'filled_in': int(one.hidden.sum()),
        **_beside(one.z, None if masks is None else masks[k]),
      }
    )
  return out


def _beside(z: np.ndarray, mask: np.ndarray | None) -> dict[str, Any]:
  """Returns `hit` and `elsewhere` of a picture."""
  if mask is None:
    return {'hit': None, 'elsewhere': None}
  mask = mask[: z.shape[0], : z.shape[1]]  # A smaller picture has padding.
  near = scipy.ndimage.binary_dilation(mask, np.ones((3, 3)), _NEAR)
  return {
    'hit': bool(near.flat[np.argmax(z)]) if mask.any() else None,
    'elsewhere': float(z[~near].max()) if not near.all() else None,
  }


def in_words(lines: Sequence[Mapping[str, Any]], most: int = 5) -> list[str]:
  """Returns a sentence on each of the pictures with the largest errors.

  Args:
    lines: from `facts`.
    most: so many pictures.
  """
  order = sorted(lines, key=lambda line: -(line['max_z'] or 0))
  return [
    '{file}: largest error {max_z:.1f} deviations, at row {loudest[0]}, column'
    ' {loudest[1]}; R^2 {r2}'.format_map(
      line | {'r2': '-' if line['r2'] is None else f'{line["r2"]:.2f}'}
    )
    for line in order[:most]
  ]


def write(
  folder: pathlib.Path, alone: Sequence[scores.Foretold], most: int
) -> None:
  """Writes pictures as foretold, deviations, and films of the mask.

  They are of the pictures with the largest errors, which the log names.

  Args:
    folder: where to.
    alone: from `of`.
    most: so many pictures, and one at least.
  """
  for found in alone:
    for line in in_words(facts(found)):
      _LOG.info('%s', line)
    for k in found.loudest(max(most, 1)):
      stem = f'{k:06d}_{pathlib.PurePath(found.title[k]).stem}'
      for name, data in pictures_of(found, k).items():
        atomic.write(folder / f'{stem}_{name}.png', data)
      atomic.write(folder / f'{stem}.gif', film(found, k))


def warnings(of_replicas: Mapping[str, Sequence[Mapping[str, Any]]]):
  """Returns a sentence on pictures that do not foretell themselves.

  Args:
    of_replicas: {replica: lines of `facts`}.
  """
  return [text for lines in of_replicas.values() for text in _weak(lines)]


def _weak(lines: Sequence[Mapping[str, Any]]) -> list[str]:
  out, count = [], f'of {len(lines)} pictures'
  if blank := [line['file'] for line in lines if line['r2'] is None]:
    out.append(
      f'{len(blank)} {count} have one colour, but for blocks that were hidden'
      f' at most, such as {blank[0]}: R^2 is undefined, as there is nothing to'
      ' foretell'
    )
  r2 = {line['file']: line['r2'] for line in lines if line['r2'] is not None}
  if weak := [file for file, value in r2.items() if value < LEAST_R2]:
    out.append(
      f'{len(weak)} {count} do not foretell themselves (R^2 below {LEAST_R2}),'
      f' such as {weak[0]} ({r2[weak[0]]:.2f}): their scores say little of'
      ' defects'
    )
  return out


def arrays(found: Sequence[scores.Foretold]) -> dict[str, np.ndarray]:
  """Returns the arrays of maps.npz, named REPLICA/FIELD.

  They are `size`, and `mean`, `sigma` and `z`, which are NaN where a picture is
  smaller than others.
  """
  out = {}
  for one in found:
    out[f'{one.name}/size'] = one.says.size
    for field in _STORED:
      whole = getattr(one.says, field)
      page = np.full_like(whole, np.nan)
      for k, (height, width) in enumerate(one.says.size):
        page[k, :height, :width] = whole[k, :height, :width]
      out[f'{one.name}/{field}'] = page
  return out


def pictures_of(found: scores.Foretold, k: int) -> dict[str, bytes]:
  """Returns PNG files of a picture: as foretold, and how sure that is.

  Args:
    found: the pictures.
    k: which one.
  """
  one = found.says.of(k)
  mean = _bytes(one.mean, found.levels)
  sure = _bytes(one.sigma[..., None], (0.0, float(one.sigma.max()) or 1.0))
  return {'foretold': _png(mean), 'deviation': _png(sure)}


def film(found: scores.Foretold, k: int) -> bytes:
  """Returns a GIF of the mask that moves over a picture.

  On the left the picture with the block that is hidden, on the right what was
  foretold so far.

  Args:
    found: the pictures.
    k: which one.
  """
  one = found.says.of(k)
  picture = _bytes(one.picture, found.levels)
  mean = _bytes(one.mean, found.levels)
  block, (height, width) = int(one.block), one.size.tolist()
  done, frames = np.full_like(picture, 128), []
  larger = max(1, _SIDE // max(height, width))
  for row in range(0, height, block):
    for column in range(0, width, block):
      at = slice(row, row + block), slice(column, column + block)
      hidden = picture.copy()
      hidden[at] = 128
      done[at] = mean[at]
      page = np.concatenate([hidden, done], axis=1)
      page = np.repeat(np.repeat(page, larger, 0), larger, 1)
      frames.append(_image(page).convert('P'))
  stream = io.BytesIO()
  frames[0].save(
    stream,
    'GIF',
    save_all=True,
    append_images=frames[1:],
    duration=_FRAME_MS,
    loop=0,
  )
  return stream.getvalue()


def _bytes(values: np.ndarray, levels: tuple[float, float]) -> np.ndarray:
  low, high = levels
  scaled = (values.astype(np.float64) - low) / (high - low) * 255
  return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def _image(pixels: np.ndarray) -> PIL.Image.Image:
  return PIL.Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _png(pixels: np.ndarray) -> bytes:
  stream = io.BytesIO()
  _image(pixels).save(stream, 'PNG')
  return stream.getvalue()
