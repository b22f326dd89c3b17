"""Anomalies of one picture: what the rest of it does not foretell.

A Gaussian process with neural kernel networks (Sun et al. 2018) is trained on
the picture itself and predicts each block from all pixels outside of it. Blocks
that it predicts worst are then hidden from training and from all other
predictions, since a defect spoils those of its periodic copies, too.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax.methods.alone import (
  blocks,
  double,
  fitting,
  grids,
  kernels,
  periods,
)
from memae_jax.methods.images import patches
from memae_jax.runtime import jax_settings

_SAME = 1e-12  # Deviation, over the largest level, of one colour.
_DRAWS = 8  # Of hidden pixels, in each round of training.
_REFIT = 1e-2  # Learning rate of passes after the first.
_LARGE_HOLE = 1000  # Pixels from which on there is one pass.


class Settings(NamedTuple):
  """Settings of a fit.

  block: side of the blocks in pixels; 0: an eighth of the shorter side.
  stride: from one block to the next; 0: the block.
  passes: the first one, and further ones without the worst blocks.
  steps: of Adam in the first pass; later ones take a third.
  starts: tries with pairs of periods of both axes, of which the likeliest goes
    on; 0: one, from a tenth of the picture, as the authors do.
  periodic: periodic kernels of an axis.
  loud: deviations above which a block may be filled in.
  retrain: 'picture' trains on the picture once in each pass; 'block' goes on to
    train without each block, before this is foretold, as published.
  """

  block: int = 0
  stride: int = 0
  passes: int = 3
  steps: int = 600
  starts: int = 4
  periodic: int = 1
  loud: float = 4.0
  retrain: str = 'picture'


class Found(NamedTuple):
  """Statements of a picture on itself; arrays are float64.

  mean: [H, W, C] prediction of each pixel without its block, as the picture.
  sigma: [H, W] its deviation, in the same units. z: [H, W] largest error of the
  channels over sigma; NaN where pixels are missing. hidden: [H, W] bool, what
  was filled in. distance: [H, W] squared Mahalanobis distance of the block of a
  pixel, over its number of values. r2: share of the spread of the pixels that
  are not hidden that is foretold; NaN if they have one colour. z2: mean square
  of their z. log_likelihood: of a pixel, after training, in nats. kernels: of
  both axes, from the first pixel on.
  """

  mean: np.ndarray
  sigma: np.ndarray
  z: np.ndarray
  hidden: np.ndarray
  distance: np.ndarray
  r2: float
  z2: float
  log_likelihood: float
  kernels: tuple[np.ndarray, np.ndarray]


def side_of(size: tuple[int, int], settings: Settings) -> int:
  """Returns the side of the blocks of a picture, in pixels."""
  return settings.block or max(min(size) // 8, 1)


def memory(size: tuple[int, int], unknown: int, settings: Settings) -> int:
  """Returns about how many bytes a fit takes at its largest.

  The largest arrays are of pairs of pixels that are hidden at once, and of
  pairs of pixels of a block. Of each there are so many at once as XLA says of
  its programs on a CPU (`memory_analysis`, 64 to 224 pixels), and copies on the
  host.

  Args:
    size: (H, W) of the picture.
    unknown: number of its pixels that nobody knows.
    settings: of the fit.
  """
  block, hidden = side_of(size, settings), max(unknown, 1)
  if _count(settings, unknown) > 1:
    hidden = _room(size, unknown, block)
  return 8 * (7 * hidden**2 + 5 * block**4 + 150 * max(size) ** 2)


def _count(settings: Settings, unknown: int) -> int:
  """Returns the number of passes, at most.

  Of a large hole and further blocks nobody waits for the joint covariance.
  """
  return settings.passes if unknown < _LARGE_HOLE else 1


def _room(size: tuple[int, int], unknown: int, block: int) -> int:
  """Returns the largest number of pixels that are hidden after a pass."""
  most = max(int(blocks.FILLED * size[0] * size[1] / block**2), 1)
  return unknown + most * block**2


def _hidden(mask: np.ndarray, room: int) -> grids.Hidden:
  """Returns the pixels of a mask [n1, n2], padded to a number."""
  at = np.argwhere(mask)
  exists = np.arange(room) < len(at)
  at = np.pad(at, ((0, room - len(at)), (0, 0)))
  return grids.Hidden(jnp.asarray(at), jnp.asarray(exists))


@jax.jit
def _visible(model, picture, hidden):
  """Returns the log density of the visible pixels."""
  return fitting.log_likelihood(fitting.state(model, picture, hidden), hidden)


@jax.jit
def _completed(model, picture, hidden):
  """Returns pictures with their mean, the hidden ones foretold, and sigmas."""
  now = fitting.state(model, picture, hidden)
  return now.images + now.mean[:, None, None], _unsure(now), now.factor


def _unsure(now: fitting.State) -> jax.Array:
  """Returns the deviations [m] of hidden pixels."""
  eye = jnp.eye(len(now.factor), dtype=jnp.float64)
  inverse = jax.scipy.linalg.solve_triangular(now.factor, eye, lower=True)
  return jnp.sqrt(jnp.sum(inverse**2, axis=0))


@functools.partial(jax.jit, static_argnames='block')
def _predict(model, picture, hidden, corners_, block):
  """Returns the state, and each block without itself."""
  now = fitting.state(model, picture, hidden)
  solved = grids.solve(now.axes, now.images)
  leave = lambda corner: grids.leave_out(
    now.axes, now.factor, hidden, now.images, solved, corner, (block, block)
  )
  value = fitting.log_likelihood(now, hidden)
  return now, jax.lax.map(leave, corners_), _unsure(now), value


def fit(
  picture: np.ndarray, missing: np.ndarray, settings: Settings, seed: int
) -> Found:
  """Fits a picture and predicts each block of it from the rest.

  Args:
    picture: [H, W, C], finite where it is not missing.
    missing: [H, W] bool, pixels that are not known.
    settings: of the fit.
    seed: of the weights.
  """
  known = np.asarray(picture, np.float64)[~missing]
  if known.std(axis=0).max() <= _SAME * max(np.abs(known).max(), 1):
    return _constant(picture, missing)
  with double.on_cpu():
    return _fit(picture, missing, settings, seed)


def _constant(picture: np.ndarray, missing: np.ndarray) -> Found:
  """Returns what a picture of one colour says: that colour, without error."""
  size, zeros = picture.shape[:2], np.zeros(picture.shape[:2])
  level = picture[~missing].mean(axis=0)
  return Found(
    mean=np.broadcast_to(level, picture.shape).astype(np.float64),
    sigma=zeros,
    z=np.where(missing, np.nan, zeros),
    hidden=np.zeros(size, bool),
    distance=zeros,
    r2=float('nan'),
    z2=float('nan'),
    log_likelihood=float('nan'),
    kernels=(np.zeros(size[0]), np.zeros(size[1])),
  )


def _fit(picture, missing, settings, seed):
  size = picture.shape[:2]
  block = side_of(size, settings)
  known = np.asarray(picture, np.float64)[~missing]
  level, scale = known.mean(axis=0), known.std()
  scaled = np.where(missing[..., None], 0, (picture - level) / scale)
  scaled = np.moveaxis(scaled, -1, 0)
  at = patches.corners(size, block, settings.stride or block)
  model, page = _passes(scaled, missing, at, block, settings, seed)
  if settings.retrain == 'block':
    page = _retrained(model, page, scaled, missing, at, block, settings)
  good = ~page.filled
  errors_, spread = (scaled - page.mean)[:, good], scaled[:, good]
  spread = spread - spread.mean(axis=1, keepdims=True)
  total = np.sum(spread**2)
  if total <= spread.size * _SAME**2:  # One colour, but for what is hidden.
    total = np.nan
  matrices = fitting.matrices(model, size)
  return Found(
    mean=np.moveaxis(page.mean, 0, -1) * scale + level,
    sigma=page.sigma * scale,
    z=np.where(missing, np.nan, page.z(scaled)),
    hidden=page.filled & ~missing,
    distance=page.distance,
    r2=float(1 - np.sum(errors_**2) / total),
    z2=float(np.mean((errors_ / page.sigma[good]) ** 2)),
    log_likelihood=page.value / max(good.sum() * len(scaled), 1),
    kernels=tuple(np.asarray(matrix[0]) for matrix in matrices[:2]),
  )


class _Page(NamedTuple):
  """A picture of variance 1 as it is foretold, channels first.

  mean: [C, H, W]. sigma, distance: [H, W]. filled: [H, W] bool, which pixels
  trained nothing. value: log density of the others.
  """

  mean: np.ndarray
  sigma: np.ndarray
  distance: np.ndarray
  filled: np.ndarray
  value: float

  def z(self, picture: np.ndarray) -> np.ndarray:
    """Returns the largest error of the channels in deviations, [H, W]."""
    return np.abs(picture - self.mean).max(axis=0) / self.sigma


def _key(number: int) -> jax.Array:
  return jax.random.key(number, impl=jax_settings.PRNG)


def _passes(scaled, missing, at, block, settings, seed):
  """Returns the model of the last pass, and what it foretells."""
  given = int(missing.sum())
  room = _room(missing.shape, given, block)
  filled = missing
  for number in range(_count(settings, given)):
    hidden = _hidden(filled, room if number else max(given, 1))
    key = _key(seed + number)
    if not number:
      model = _first(scaled, filled, hidden, settings, seed, key)
    else:
      budget = fitting.Budget(8, max(settings.steps // 24, 1), _REFIT)
      model = fitting.train(model, scaled, hidden, key, budget, _DRAWS)
    now, left, unsure, value = _predict(model, scaled, hidden, at, block)
    now, left = jax.tree.map(np.asarray, (now, left))
    gap = scaled - now.images - now.mean[:, None, None]
    far = blocks.distances(left, now, gap, filled, missing, at, block)
    mean, sigma, distance = blocks.assemble(left, far, at, missing.shape, block)
    mean[:, filled] = now.images[:, filled]
    sigma[filled] = np.asarray(unsure)[: filled.sum()]
    mean = mean + now.mean[:, None, None]
    page = _Page(mean, sigma, distance, filled, float(value))
    z = np.where(missing, np.nan, page.z(scaled))
    worst = blocks.worst(z, at, block, settings.loud)
    if not worst.any():
      break
    filled = missing | worst
  return model, page


def _retrained(model, page, scaled, missing, at, block, settings):
  """Returns a page whose blocks are foretold by models that never saw them."""
  mean, sigma, distance = (np.array(part) for part in page[:3])
  room = int(missing.sum()) + block**2
  budget = fitting.Budget(4, max(settings.steps // 12, 1), _REFIT)
  for number, (row, column) in enumerate(at):
    own = np.zeros(missing.shape, bool)
    own[row : row + block, column : column + block] = True
    hidden, key = _hidden(missing | own, room), _key(number)
    anew = fitting.train(model, scaled, hidden, key, budget, _DRAWS)
    made, unsure, factor = map(np.asarray, _completed(anew, scaled, hidden))
    own &= ~missing
    (within,) = np.nonzero(own[missing | own])
    mean[:, own], sigma[own] = made[:, own], unsure[within]
    far = blocks.distance_of_hidden((scaled - made)[:, own], factor, within)
    distance[own] = far / max(len(scaled) * own.sum(), 1)
  return page._replace(mean=mean, sigma=sigma, distance=distance)


def _pairs(count: int) -> list[tuple[int, int]]:
  """Returns which periods of rows and of columns are tried together."""
  each = itertools.product(range(count), repeat=2)
  return sorted(each, key=lambda pair: (max(pair), sum(pair), pair))[:count]


def _first(scaled, missing, hidden, settings, seed, key):
  """Returns the model of the first pass: the likeliest start, trained."""
  size = scaled.shape[1:]
  layout = kernels.Layout(settings.periodic)
  shown = np.moveaxis(np.where(missing, 0, scaled), 0, -1)
  pairs = _pairs(max(settings.starts, 1))
  most = max(map(max, pairs)) + settings.periodic
  strongest = [periods.find(shown, axis, most) for axis in (0, 1)]
  if not settings.starts:
    strongest = [np.full(settings.periodic, n / 10) for n in size]
  rounds, draws = (6, _DRAWS) if missing.any() else (1, 0)
  tried = settings.steps // 4 if settings.starts > 1 else 0
  models = []
  for number, pair in enumerate(pairs):
    chosen = tuple(
      found[start : start + settings.periodic]
      for found, start in zip(strongest, pair)
    )
    model = fitting.init(np.random.default_rng(seed), size, chosen, layout)
    value = 0.0
    if tried:
      budget = fitting.Budget(1, tried)
      model = fitting.train(model, scaled, hidden, key, budget, draws)
      value = float(_visible(model, scaled, hidden))
    models.append((value, -number, model))
  _, _, model = max(models, key=lambda entry: entry[:2])
  steps = max((settings.steps - tried) // rounds, 1)
  budget = fitting.Budget(rounds, steps)
  return fitting.train(model, scaled, hidden, key, budget, draws)
