"""Points that can train together, as the exact product of a fleet's axes.

Points that differ only in axes of the fleet share one compiled program: smaller
memories have masked slots. A group is exact: its fleet has the replicas of its
points and no others. Without some whole groups the other groups stay as they
are, so jobs that share a study agree on what is left.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from memae_jax import config as config_lib
from memae_jax.methods import registry
from memae_jax.studies import grid

Points = tuple[grid.Point, ...]


class _Block(NamedTuple):
  """Points whose replicas are a product of values of the axes.

  An axis is () if none of the variants reads it.
  """

  points: Points
  slots: tuple
  threshold: tuple
  alpha: tuple
  learning_rate: tuple
  normal_class: tuple
  seed: tuple
  variant: tuple


_MERGED = (
  'slots',
  'threshold',
  'alpha',
  'learning_rate',
  'normal_class',
  'seed',
)
_UNREAD = ('slots', 'threshold', 'alpha')  # Some variants do not read these.


def _block(point: grid.Point) -> _Block:
  """Returns the block of one point."""
  columns = zip(*grid.replicas(point.config))
  variant, slots, threshold, alpha, *rest = (
    tuple(sorted(set(values), key=lambda v: (v is None, v)))
    for values in columns
  )
  reads = lambda field: any(registry.reads(name, field) for name in variant)
  slots = () if slots == (None,) else slots
  threshold = threshold if reads('model.memory.threshold') else ()
  alpha = alpha if reads('train.alpha') else ()
  return _Block((point,), slots, threshold, alpha, *rest, variant)


def _union(blocks: Sequence[_Block]) -> _Block:
  """Returns the block with all values of each axis, and all points."""
  out = {
    axis: tuple(sorted({v for b in blocks for v in getattr(b, axis)}))
    for axis in _MERGED
    if blocks[0].normal_class != (None,) or axis != 'normal_class'
  }
  out['variant'] = tuple(
    v for v in registry.names() if any(v in b.variant for b in blocks)
  )
  points = tuple(point for block in blocks for point in block.points)
  return blocks[0]._replace(points=points, **out)


def _along(blocks: list[_Block], axis: str) -> list[_Block]:
  """Merges blocks that differ in one axis only.

  Seeds are merged only if they are consecutive, as those of a fleet are.
  """
  alike: dict[Any, list[_Block]] = {}
  for block in blocks:
    rest = block._replace(points=(), **{axis: ()})
    alike.setdefault(rest, []).append(block)
  out = []
  for same in alike.values():
    if axis != 'seed':
      out.append(_union(same))
      continue
    chains: list[list[_Block]] = []
    for block in sorted(same, key=lambda b: b.seed):
      last = max((b.seed[-1] for b in chains[-1]), default=0) if chains else 0
      if chains and block.seed[0] <= last + 1:
        chains[-1].append(block)
      else:
        chains.append([block])
    out += map(_union, chains)
  return out


def _fits(one: _Block, other: _Block) -> bool:
  """Returns whether two blocks of different variants make one product."""
  shared = ('learning_rate', 'normal_class', 'seed')
  same = lambda axis: getattr(one, axis) == getattr(other, axis)
  return (
    not set(one.variant) & set(other.variant)
    and all(map(same, shared))
    and all(
      same(axis) or not getattr(one, axis) or not getattr(other, axis)
      for axis in _UNREAD
    )
  )


def group(points: Sequence[grid.Point]) -> list[Points]:
  """Partitions points into fleets, in the order of their first points."""
  alike: dict[str, list[grid.Point]] = {}
  for point in points:
    alike.setdefault(grid.evaluated_alike(point.config), []).append(point)
  groups: list[_Block] = []
  for same in alike.values():
    blocks = [_block(point) for point in same]
    for axis in _MERGED:
      blocks = _along(blocks, axis)
    merged: list[_Block] = []
    first = lambda block: registry.names().index(block.variant[0])
    for block in sorted(blocks, key=first):
      at = next((i for i, m in enumerate(merged) if _fits(m, block)), None)
      if at is None:
        merged.append(block)
      else:
        merged[at] = _union([merged[at], block])
    groups += merged
  ordered = [
    tuple(sorted(block.points, key=lambda point: point.index))
    for block in groups
  ]
  return sorted(ordered, key=lambda members: members[0].index)


def fleet_config(members: Points) -> Any:
  """Returns the config whose fleet has the replicas of a group."""
  blocks = [_block(point) for point in members]
  axes = _union(blocks)
  config = members[0].config.to_dict()
  for (field, name), values in zip(
    grid.AXES.items(),
    (axes.slots, axes.threshold, axes.alpha, axes.learning_rate),
  ):
    *path, last = field.split('.')
    place = config
    for part in path:
      place = place[part]
    if values:
      place[last] = values[-1]
    config['fleet'][name] = values if len(values) > 1 else ()
  config['fleet'] |= {
    'variants': axes.variant,
    'seeds': len(axes.seed),
    'normal_classes': () if axes.normal_class == (None,) else axes.normal_class,
  }
  config['train']['seed'] = axes.seed[0]
  return config_lib.resolve(config)


def split(members: Points) -> list[Points]:
  """Splits a group of several points in two, and groups each part again."""
  axes = (
    'learning_rate',
    'slots',
    'threshold',
    'alpha',
    'variant',
    'normal_class',
    'seed',
  )
  blocks = [_block(point) for point in members]
  for axis in axes:
    values = sorted({getattr(block, axis) for block in blocks})
    if len(values) > 1:
      low = values[: len(values) // 2]
      parts = [], []
      for point, block in zip(members, blocks):
        parts[getattr(block, axis) not in low].append(point)
      return [points for part in parts for points in group(part)]
  raise ValueError('points that coincide cannot be split')


def name(members: Points) -> str:
  """Returns a stable name for the run of a group.

  It says which fields vary, and ends in a hash of the config and replicas.
  """
  values: dict[str, list[str]] = {}
  for point in members:
    for field, value in point.fields.items():
      texts = values.setdefault(grid.short(field), [])
      text = value if isinstance(value, str) else json.dumps(value)
      if text not in texts:
        texts.append(text)
  fields = ','.join(
    f'{field}={"+".join(v) if len(v) < 4 else f"{v[0]}..{v[-1]}"}'
    for field, v in values.items()
  )
  config = fleet_config(members)
  identity = json.dumps(
    [grid.trained_alike(config), sorted(map(repr, grid.replicas(config)))]
  )
  digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
  safe = re.sub(r'[^\w.,=+-]+', '_', fields)[:80].strip('._-')
  return f'{safe or "base"}-{digest}'
