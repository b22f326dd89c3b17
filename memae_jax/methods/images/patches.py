"""Pictures in patches: any method learns from crops, and scores by tiles.

Crops are drawn anew in each step: turned, moved and mirrored, as far as the
config says. A picture is scored by tiles that overlap and cover it, whose maps
are averaged where they do (Bergmann et al. 2019, section 4.1.2).
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.ndimage
import numpy as np

from memae_jax import losses
from memae_jax.methods import base
from memae_jax.methods.images import turning
from memae_jax.runtime import errors


class Options(NamedTuple):
  """Patches, as the fields of `data` that begin with `patch` describe them.

  side: of a patch, in pixels. stride: of the tiles, in pixels. crops: of each
  picture, in a step. turn: the largest angle by which crops are turned, in
  degrees. mirror: whether half of them are mirrored.
  """

  side: int
  stride: int
  crops: int = 1
  turn: float = 0.0
  mirror: bool = False


Build = Callable[[tuple[int, ...]], base.Method]


def build(config: Any, shape: tuple[int, ...], of_shape: Build) -> base.Method:
  """Builds a method of patches, or one of whole samples.

  Args:
    config: resolved.
    shape: of one sample.
    of_shape: builds the method for samples of some shape.

  Raises:
    UserError: the samples are no pictures, or smaller than a patch; or tiles
      would leave gaps.
  """
  side, data = config.data.patch, config.data
  if not side:
    return of_shape(shape)
  if len(shape) != 3:
    raise errors.UserError(
      f'config field "data.patch" is {side}, but a sample has shape'
      f' {tuple(shape)}, no picture; use 0'
    )
  if config.model.task != 'reconstruct':
    raise errors.UserError(
      f'config field "data.patch" is {side}, but model.task is'
      f' "{config.model.task}"; use 0'
    )
  if side > min(shape[:2]):
    raise errors.UserError(
      f'config field "data.patch" is {side}, but pictures have {shape[0]} x'
      f' {shape[1]} pixels; lower it, or use 0 for whole pictures'
    )
  if data.patch_stride > side:
    raise errors.UserError(
      f'config field "data.patch_stride" is {data.patch_stride}, so that tiles'
      f' of data.patch, {side}, would leave gaps; use at most that'
    )
  inner = of_shape((side, side, shape[2]))
  learns = any(isinstance(stage, base.Train) for stage in inner.stages)
  if data.patch_for == 'networks' and not learns:
    return of_shape(shape)
  options = Options(
    side,
    data.patch_stride or side,
    data.patch_crops,
    data.patch_turn,
    data.patch_mirror,
  )
  return Patches(inner, options, tuple(shape))


def corners(size: tuple[int, ...], side: int, stride: int) -> np.ndarray:
  """Returns the first pixels [T, 2] of tiles that cover a picture.

  The last tile of a row or column ends with the picture.

  Args:
    size: (H, W) of the picture, in pixels.
    side: of a tile, at most H and W.
    stride: between tiles, at most `side`, as others leave gaps.
  """
  ends = [np.arange(0, n - side, stride) for n in size]
  rows, columns = (np.append(e, n - side) for e, n in zip(ends, size))
  return np.stack(np.meshgrid(rows, columns, indexing='ij'), -1).reshape(-1, 2)


def crop(picture: jax.Array, key: jax.Array, options: Options) -> jax.Array:
  """Draws a crop [side, side, C] of a picture [H, W, C].

  One that is turned lies inside of the picture where it fits; where not, the
  picture goes on as in a mirror.
  """
  side, size = options.side, picture.shape[:2]
  at, angle, flip = jax.random.split(key, 3)
  if options.turn:
    turn = math.radians(options.turn)
    by = jax.random.uniform(angle, minval=-turn, maxval=turn)
    out = _turned(picture, at, by, side)
  else:
    starts = jax.random.randint(at, (2,), 0, jnp.array(size) - side + 1)
    start = (*starts, jnp.zeros_like(starts[0]))
    out = jax.lax.dynamic_slice(picture, start, (side, side, picture.shape[2]))
  if options.mirror:
    out = jnp.where(jax.random.bernoulli(flip), out[:, ::-1], out)
  return out


def _turned(picture, key, angle, side: int) -> jax.Array:
  """Returns a crop whose rows are turned by an angle, linear between pixels."""
  size = jnp.array(picture.shape[:2])
  both = jnp.abs(jnp.cos(angle)) + jnp.abs(jnp.sin(angle))
  reach = (side - 1) / 2 * both
  room = jnp.maximum((size - 1) / 2 - reach, 0)
  move = jax.random.uniform(key, (2,), minval=-1, maxval=1)
  middle = (size - 1) / 2 + room * move
  places = turning.turned(*turning.offsets((side, side)), middle, angle)
  at = functools.partial(
    jax.scipy.ndimage.map_coordinates,
    coordinates=places,
    order=1,
    mode='reflect',
  )
  return jax.vmap(at, in_axes=-1, out_axes=-1)(picture)


@dataclasses.dataclass(frozen=True)
class Patches(base.Method):
  """A method of patches as one of pictures, see `base.Method`.

  Attributes:
    inner: the method of patches.
    options: which patches.
    shape: of a picture.
  """

  inner: base.Method
  options: Options
  shape: tuple[int, ...]

  memories = property(lambda self: self.inner.memories)
  by_slot = property(lambda self: self.inner.by_slot)
  criterion = property(lambda self: self.inner.criterion)
  score = property(lambda self: self.inner.score)

  @property
  def least_samples(self):
    """Least number of pictures; each gives as many crops as it has tiles."""
    return math.ceil(self.inner.least_samples / len(self._apart))

  @property
  def stages(self):
    """Returns those of the inner method, which count pictures instead."""
    fewer = lambda most: math.ceil(most / len(self._apart))
    return tuple(
      stage._replace(most=fewer(stage.most))
      if isinstance(stage, base.Collect)
      else stage
      for stage in self.inner.stages
    )

  @property
  def _apart(self) -> np.ndarray:
    """Returns the corners of the least tiles that cover a picture."""
    side = self.options.side
    return corners(self.shape[:2], side, side)

  @property
  def validator(self):
    """Returns the method that scores by the fewest tiles, while training."""
    inner = self.inner.validator
    options = self.options._replace(stride=self.options.side)
    if inner is self.inner and options == self.options:
      return self
    return dataclasses.replace(self, inner=inner, options=options)

  def hyper(self, replicas, config):
    """Returns that of the inner method."""
    return self.inner.hyper(replicas, config)

  def on(self, across):
    """Returns what one device runs."""
    return dataclasses.replace(self, inner=self.inner.on(across))

  def init_samples(self, batch_size):
    """Returns the number of pictures; each gives as many crops as tiles."""
    return math.ceil(self.inner.init_samples(batch_size) / len(self._apart))

  def _crop(self, pictures, keys):
    one = functools.partial(crop, options=self.options)
    return jax.vmap(one)(pictures, keys)

  def init(self, key, samples, hyper):
    """Returns the variables, of crops of the samples."""
    pictures = jnp.repeat(samples, len(self._apart), axis=0)
    crops = self._crop(pictures, jax.random.split(key, len(pictures)))
    return self.inner.init(key, crops, hyper)

  def loss(self, variables, batch, hyper, across):
    """Returns the loss of crops."""
    count = self.options.crops
    each = lambda x: jnp.repeat(x, count, axis=0)
    numbers = jnp.tile(jnp.arange(count), len(batch.x))
    keys = jax.vmap(jax.random.fold_in)(each(batch.keys), numbers)
    # The inner method draws from `keys`, so crops have others.
    crops = self._crop(
      each(batch.x), jax.vmap(jax.random.fold_in, (0, None))(keys, _CROPS)
    )
    mask = None if batch.mask is None else each(batch.mask)
    of_crops = base.Batch(crops, mask, keys, batch.size * count)
    return self.inner.loss(variables, of_crops, hyper, across)

  def _tile(self, pictures, corner):
    start = 0, *corner, 0
    side = self.options.side
    shape = len(pictures), side, side, pictures.shape[3]
    return jax.lax.dynamic_slice(pictures, start, shape)

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns what the inner method keeps of the tiles of pictures."""
    mask = jnp.tile(mask, len(self._apart))
    tiles = self._tiles(x)
    kept = self.inner.collect(variables, tiles, hyper, mask, stage, round_)
    if self.inner.stages[stage].keeps == 'sum':
      return kept
    return jax.tree.map(self._by_picture, kept)

  def _tiles(self, x) -> jax.Array:
    """Returns the least tiles of pictures, those of one place side by side."""
    corners_ = self._apart.tolist()
    return jnp.concatenate([self._tile(x, corner) for corner in corners_])

  def _by_picture(self, rows: jax.Array) -> jax.Array:
    """Returns rows of `_tiles` as those of B pictures: [B, tiles, ...]."""
    rows = rows.reshape(len(self._apart), -1, *rows.shape[1:])
    return jnp.swapaxes(rows, 0, 1)

  def embed(self, variables, x):
    """Returns the queries of the least tiles, and slots."""
    found = self.inner.embed(variables, self._tiles(x))
    if found is None:
      return None
    queries, slots = found
    rows = self._by_picture(queries)
    return rows.reshape(len(x), -1, queries.shape[-1]), slots

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Ends a pass, for which each tile is a sample."""
    if self.inner.stages[stage].keeps == 'rows':
      most = self.inner.stages[stage].most or None
      flat = lambda rows: rows.reshape(-1, *rows.shape[2:])[:most]
      collected = jax.tree.map(flat, collected)
    return self.inner.finish(variables, collected, hyper, stage, round_, rng)

  def predict(self, variables, x, hyper, mask, keys):
    """Returns maps and outputs of pictures, averaged over the tiles.

    The score of a rule of errors is that of its map; of other rules it is the
    highest of the tiles. One tile of all pictures is in memory at a time.
    """
    places = corners(self.shape[:2], self.options.side, self.options.stride)

    def of_tile(corner, number):
      own = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
      tile = self._tile(x, corner)
      return self.inner.predict(variables, tile, hyper, mask, own)

    def step(pages, place):
      corner, number = place
      found = of_tile(corner, number)
      of_pixels = {'maps': found.maps, 'output': found.output}
      add = functools.partial(_added, corner=corner)
      pages = jax.tree.map(add, pages, of_pixels)
      return pages, (found.scores, found.kept, found.totals)

    like = jax.eval_shape(of_tile, places[0], 0)
    page = lambda part: jnp.zeros(
      (len(x), *self.shape[:2], *part.shape[3:]), part.dtype
    )
    pages = jax.tree.map(page, {'maps': like.maps, 'output': like.output})
    pages, (scores, kept, totals) = jax.lax.scan(
      step, pages, (jnp.array(places), jnp.arange(len(places)))
    )
    pages = jax.tree.map(self._averaged, pages)
    scores = {name: jnp.max(of, axis=0) for name, of in scores.items()}
    return base.Prediction(
      scores=scores | _of_maps(pages['maps']),
      **pages,
      kept=kept if kept is None else jnp.sum(kept, axis=0),
      totals=jax.tree.map(lambda total: jnp.sum(total, axis=0), totals),
    )

  def _averaged(self, page: jax.Array) -> jax.Array:
    """Divides a page [B, H, W, ...] by how many tiles cover each pixel."""
    side, stride = self.options.side, self.options.stride
    count = np.zeros(self.shape[:2], np.float32)
    for row, column in corners(self.shape[:2], side, stride):
      count[row : row + side, column : column + side] += 1
    return page / count.reshape(1, *count.shape, *[1] * (page.ndim - 3))

  def decode_slots(self, variables, slots):
    """Returns slots as patches."""
    return self.inner.decode_slots(variables, slots)

  def alone(self, replica, variables):
    """Returns a method and variables that hold what one replica needs."""
    inner, variables = self.inner.alone(replica, variables)
    return dataclasses.replace(self, inner=inner), variables


_CROPS = 2**31 - 1  # Number of the keys that draw crops.


def _added(page: jax.Array, part: jax.Array, corner: jax.Array) -> jax.Array:
  """Adds a tile [B, side, side, ...] to a page [B, H, W, ...]."""
  start = 0, *corner, *[0] * (page.ndim - 3)
  there = jax.lax.dynamic_slice(page, start, part.shape)
  return jax.lax.dynamic_update_slice(page, there + part, start)


def _of_maps(maps: dict[str, jax.Array]) -> dict[str, jax.Array]:
  """Returns the scores of the rules of errors, by their maps [B, H, W]."""
  rules = losses.fitting(losses.IMAGE)
  with_map = {rule: losses.map_of(rule.name, maps) for rule in rules}
  return {
    rule.name: rule.reduce(errors_[..., None])
    for rule, errors_ in with_map.items()
    if errors_ is not None
  }
