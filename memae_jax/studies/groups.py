"""Points that can train together, as the exact product of a fleet's axes.

Points that differ only in axes of the fleet share one compiled program: memory
sizes are masked slots. A group is exact: its fleet has the replicas of its
points and no others. Taking whole groups away does not change the other ones,
so jobs that share a study agree on what is left.
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
  """A product of axes; () is an axis that none of its variants reads."""

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
_UNREAD = ('slots', 'threshold', 'alpha')  # By some variants.


def _block(point: grid.Point) -> _Block:
  found = list(zip(*grid.replicas(point.config)))
  variant, slots, threshold, alpha, *rest = (
    tuple(sorted(set(values), key=lambda v: (v is None, v))) for values in found
  )
  reads = lambda field: any(registry.reads(name, field) for name in variant)
  slots = () if slots == (None,) else slots
  threshold = threshold if reads('model.memory.threshold') else ()
  alpha = alpha if reads('train.alpha') else ()
  return _Block((point,), slots, threshold, alpha, *rest, variant)


def _union(blocks: Sequence[_Block]) -> _Block:
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
  """Merges blocks that differ in one axis only; seeds if consecutive."""
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
  """Whether two blocks of other variants are one product together."""
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
  found: list[_Block] = []
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
    found += merged
  ordered = [
    tuple(sorted(block.points, key=lambda point: point.index))
    for block in found
  ]
  return sorted(ordered, key=lambda members: members[0].index)


def fleet_config(members: Points) -> Any:
  """The config whose fleet has the replicas of `members`, a whole group."""
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
  """Two parts of a group of several points, each a group again or several."""
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
      return [found for part in parts for found in group(part)]
  raise ValueError('points that coincide cannot be split')


def name(members: Points) -> str:
  """A stable name of a group's run: what it varies, and a hash of it all."""
  values: dict[str, list[str]] = {}
  for point in members:
    for field, value in point.fields.items():
      texts = values.setdefault(grid.short(field), [])
      text = value if isinstance(value, str) else json.dumps(value)
      if text not in texts:
        texts.append(text)
  shown = ','.join(
    f'{field}={"+".join(v) if len(v) < 4 else f"{v[0]}..{v[-1]}"}'
    for field, v in values.items()
  )
  config = fleet_config(members)
  whole = json.dumps(
    [grid.trained_alike(config), sorted(map(repr, grid.replicas(config)))]
  )
  digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
  safe = re.sub(r'[^\w.,=+-]+', '_', shown)[:80].strip('._-')
  return f'{safe or "base"}-{digest}'
