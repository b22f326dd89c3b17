"""What a compiled program moves: reads the text of its optimised HLO.

XLA's own totals count the body of a loop once. Here it counts as often as the
loop runs, where that is written in the program. The loop over training steps
is the one loop around everything whose length is not: one step is one pass of
it, and what is outside is left out.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np

from memae_jax.runtime import errors

COLLECTIVES = (
  'all-reduce',
  'all-gather',
  'reduce-scatter',
  'all-to-all',
  'collective-permute',
)
_FREE = (  # Names and structure; nothing moves.
  'parameter',
  'constant',
  'tuple',
  'get-tuple-element',
  'bitcast',
  'after-all',
  'partition-id',
  'opt-barrier',
)
_ARRAY = re.compile(r'([a-z]\w*)\[([\d,]*)\](\{[^}]*\})?')
_HEAD = re.compile(r'^(?:ENTRY )?%?([\w.\-]+) \(.*\{\s*$')
_BEGIN = re.compile(r'^\s*(ROOT )?%?([\w.\-]+) = ')
_ON_CHIP = re.compile(r'S\([1-9]')


class Instruction(NamedTuple):
  """One line: `%name = shape op(operands), rest`."""

  name: str
  shape: str
  op: str
  operands: tuple[str, ...]
  inside: str  # Between the parentheses, as written.
  rest: str
  root: bool


class Collective(NamedTuple):
  """Communication of one kind over one set of devices.

  kind: such as 'all-reduce'. axes: of the mesh. count: a step. nbytes: that
  each device brings, or for an all-gather gets, a step. group: devices.
  """

  kind: str
  axes: tuple[str, ...]
  count: int
  nbytes: int
  group: int


def _width(dtype: str) -> float:
  if dtype in ('pred', 'token', 'opaque'):
    return 1.0 if dtype == 'pred' else 0.0
  bits = re.search(r'\d+', dtype)
  return int(bits.group()) / 8 if bits else 0.0


def nbytes(shape: str) -> int:
  """Bytes of the numbers of an array or tuple, as HLO writes its shape."""
  return sum(
    int(_width(dtype) * math.prod(_sides(size)))
    for dtype, size, _ in _ARRAY.findall(shape)
  )


def _members(shape: str) -> list[str]:
  """Splits the shape of a tuple."""
  depth, found = 0, ['']
  for letter in shape[1:-1]:
    depth += {**dict.fromkeys('([{', 1), **dict.fromkeys(')]}', -1)}.get(
      letter, 0
    )
    if letter == ',' and not depth:
      found.append('')
    else:
      found[-1] += letter
  return found


def _sides(text: str) -> list[int]:
  return [int(n) for n in text.split(',') if n]


def _in_memory(shape: str, anywhere: bool = False) -> int:
  """Bytes of an array or tuple in the device's memory, with padding.

  Args:
    shape: as HLO writes it.
    anywhere: also of arrays that are on the chip.
  """
  total = 0
  for dtype, size, layout in _ARRAY.findall(shape):
    if _ON_CHIP.search(layout) and not anywhere:
      continue
    sides, order = _sides(size), _sides(layout.strip('{}').split(':')[0])
    tile = re.search(r'T\(([\d,]+)\)', layout)
    if tile:  # Of the dimensions that lie closest, the closest last.
      for axis, side in zip(order, reversed(_sides(tile[1]))):
        sides[axis] = -(-sides[axis] // side) * side
    total += int(_width(dtype) * math.prod(sides))
  return total


def _balanced(text: str, start: int) -> int:
  """The place after the parenthesis that closes the one at `start`."""
  depth = 0
  for at in range(start, len(text)):
    depth += {'(': 1, ')': -1}.get(text[at], 0)
    if depth == 0:
      return at + 1
  return len(text)


def _instruction(line: str) -> Instruction | None:
  begin = _BEGIN.match(line)
  if not begin:
    return None
  at = begin.end()
  end = _balanced(line, at) if line[at] == '(' else line.find(' ', at)
  opened = line.find('(', end)
  closed = _balanced(line, opened)
  inside = line[opened + 1 : closed - 1]
  return Instruction(
    begin[2],
    line[at:end],
    line[end:opened].strip(),
    tuple(re.findall(r'%([\w.\-]+)', inside)),
    inside,
    line[closed:],
    bool(begin[1]),
  )


@dataclasses.dataclass(frozen=True)
class Module:
  """The computations of a program."""

  computations: dict[str, list[Instruction]]
  entry: str

  @classmethod
  def parse(cls, text: str) -> 'Module':
    """Reads `compiled.as_text()`."""
    computations, entry, current = {}, '', []
    for line in text.splitlines():
      line = re.sub(r'/\*.*?\*/', '', line)
      head = _HEAD.match(line)
      if head:
        current = computations.setdefault(head[1], [])
        entry = head[1] if line.startswith('ENTRY') else entry
      elif found := _instruction(line):
        current.append(found)
    return cls(computations, entry)

  def _trips(self, loop: Instruction) -> int | None:
    """How often a loop runs, or None."""
    told = re.search(r'known_trip_count[^\d]*(\d+)', loop.rest)
    if told:
      return int(told[1])
    body = self.computations[_named('condition', loop.rest)]
    constants = {i.name: i.inside for i in body if i.op == 'constant'}
    for i in body:
      # JAX counts from 0 up to a constant.
      if i.root and i.op == 'compare' and 'direction=LT' in i.rest:
        text = constants.get(i.operands[1], '')
        return int(text) if text.isdigit() else None
    return None

  def _called(self, one: Instruction) -> list[str]:
    if one.op == 'conditional':
      branches = re.search(r'branch_computations=\{([^}]*)\}', one.rest)
      names = branches[1] if branches else one.rest
      return re.findall(r'%([\w.\-]+)', names)[-2:]
    if one.op in ('call', 'async-start'):
      name = _named('to_apply', one.rest) or _named('calls', one.rest)
      return [name] if name else []
    return []

  def _walk(
    self, name: str, times: int, within: bool
  ) -> Iterator[tuple[str, Instruction, int, bool]]:
    """Yields (computation, instruction, times, in a loop of unknown length)."""
    for one in self.computations.get(name, ()):
      if one.op == 'while':
        trips = self._trips(one)
        yield from self._walk(
          _named('body', one.rest),
          times * (trips or 1),
          within or trips is None,
        )
      elif called := self._called(one):
        for other in called:
          yield from self._walk(other, times, within)
      else:
        yield name, one, times, within

  def executed(self, steps: bool) -> list[tuple[str, Instruction, int]]:
    """The instructions that run, where, and how often.

    Args:
      steps: the program is a loop over steps; those of one step.
    """
    found = list(self._walk(self.entry, 1, False))
    return [each[:3] for each in found if each[3] or not steps]

  def traffic(self, steps: bool) -> int:
    """Bytes that a device's memory gives and takes, each time it runs."""
    shapes = {
      name: {i.name: i.shape for i in body}
      for name, body in self.computations.items()
    }
    return sum(
      times * self._moved(one, shapes[name])
      for name, one, times in self.executed(steps)
    )

  def _moved(self, one: Instruction, shapes: dict[str, str]) -> int:
    """Bytes that an instruction takes from the memory and puts there."""
    op = one.op
    if op in _FREE or op.endswith('-done'):
      return 0
    arrays = [found[0] for found in _ARRAY.finditer(one.shape)]
    of = lambda name: _in_memory(shapes.get(name, ''))
    out = _in_memory(one.shape)
    if op == 'copy-start':  # (to, from, context)
      return _in_memory(' '.join(arrays[:2]))
    if op == 'slice-start':  # ((from), to, context)
      part = _in_memory(arrays[1], True)
      return part * (1 + (_in_memory(arrays[1]) > 0))
    if op == 'fusion':
      return self._fused(one, of)
    if op in ('dynamic-slice', 'slice', 'gather'):
      return 2 * out
    if op == 'dynamic-update-slice':
      return 2 * of(one.operands[1])
    return out + sum(map(of, one.operands))

  def _fused(self, one: Instruction, of: Callable[[str], int]) -> int:
    """A fusion takes only the parts of its operands that it slices."""
    body = self.computations.get(_named('calls', one.rest), [])
    by_name = {i.name: i for i in body}
    inner = {int(i.inside): i.name for i in body if i.op == 'parameter'}
    users: dict[str, list[Instruction]] = {}
    for i in body:
      for operand in i.operands:
        users.setdefault(operand, []).append(i)
    total = 0
    for at, operand in enumerate(one.operands):
      whole, parts = of(operand), 0
      for user in users.get(inner.get(at, ''), ()):
        first = user.operands[0] == inner[at]
        if first and user.op in ('dynamic-slice', 'slice', 'gather'):
          parts += _in_memory(user.shape, True)
        elif not (first and user.op == 'dynamic-update-slice'):
          parts += whole
      total += min(whole, parts)
    root = next((i for i in body if i.root), None)
    results = [root] if root is not None else []
    if root is not None and root.op == 'tuple':
      results = [by_name[name] for name in root.operands if name in by_name]
    out = _in_memory(one.shape)
    for i in results:  # In place: only what is new.
      if i.op == 'dynamic-update-slice' and i.operands[1] in by_name:
        kept = _in_memory(i.shape, True) - _in_memory(
          by_name[i.operands[1]].shape, True
        )
        out = max(0, out - kept)
    return total + out

  def collectives(
    self, mesh_shape: dict[str, int], steps: bool
  ) -> list[Collective]:
    """What crosses devices, by kind and axes of the mesh, largest first."""
    found: dict[tuple, list[int]] = {}
    for _, one, times in self.executed(steps):
      kind = one.op.removesuffix('-start')
      if kind not in COLLECTIVES:
        continue
      group, axes = _axes(one, mesh_shape)
      if group < 2:
        continue
      entry = found.setdefault((kind, axes, group), [0, 0])
      shape = one.shape
      if one.op.endswith('-start') and kind != 'all-reduce':
        shape = _members(shape)[1]  # (from, to, ...)
      entry[0] += times
      entry[1] += times * nbytes(shape)
    return sorted(
      (
        Collective(kind, axes, count, size, group)
        for (kind, axes, group), (count, size) in found.items()
      ),
      key=lambda c: -c.nbytes,
    )


def _named(attribute: str, text: str) -> str:
  found = re.search(rf'\b{attribute}=%?([\w.\-]+)', text)
  return found[1] if found else ''


def _axes(
  one: Instruction, mesh_shape: dict[str, int]
) -> tuple[int, tuple[str, ...]]:
  """How many devices exchange, and the axes of the mesh they differ in."""
  sizes = tuple(mesh_shape.values())
  groups = _groups(one.rest, int(np.prod(sizes)))
  where = np.stack(np.unravel_index(groups, sizes))  # [axis, group, member]
  differs = (where != where[:, :, :1]).any((1, 2))
  axes = tuple(name for name, does in zip(mesh_shape, differs) if does)
  return groups.shape[1], axes


def _groups(text: str, devices: int) -> np.ndarray:
  """[groups, members] numbers of devices.

  Raises:
    UserError: they are written in an unknown way.
  """
  named = re.search(
    r"replica_groups=mesh\[((?:'[^']+'=\d+,?)+)\] \{([^}]*)\}", text
  )
  if named:
    return _of_axes(named[1], named[2])
  iota = re.search(
    r'replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?', text
  )
  numbers = lambda text: [int(n) for n in text.split(',')]
  if iota:
    grid = np.arange(devices).reshape(numbers(iota[2]))
    if iota[3]:
      grid = grid.transpose(numbers(iota[3]))
    return grid.reshape(numbers(iota[1]))
  listed = re.search(
    r'(?:replica_groups|source_target_pairs)=\{(.*?)\}\}', text
  )
  if listed:
    rows = re.findall(r'\{([\d,]+)', listed[1])
    return np.asarray([numbers(row) for row in rows])
  told = re.search(r'replica_groups=(?!\{\})\S+', text)
  if told:
    raise errors.UserError(
      f'a program that jax {jax.__version__} has compiled says "{told[0]}",'
      ' which the plan cannot read; plan with an earlier jax'
    )
  return np.arange(devices)[None]


def _of_axes(sizes: str, named: str) -> np.ndarray:
  """[groups, members] of a mesh such as 'x'=8,'y'=2 and axes 'y','x':(2)4.

  The last is a part of an axis: of 4, after a part of 2.
  """
  sides = []  # Of each axis: before the part, the part, after it.
  for name, size in re.findall(r"'([^']+)'=(\d+)", sizes):
    part = re.search(rf"'{re.escape(name)}'(?::\((\d+)\)(\d+))?", named)
    before, own = int(size), 1
    if part:
      before, own = int(part[1] or 1), int(part[2] or size)
    sides += [before, own, int(size) // (before * own)]
  grid = np.arange(math.prod(sides)).reshape(sides)
  grid = np.moveaxis(
    grid, range(1, len(sides), 3), range(-(len(sides) // 3), 0)
  )
  return grid.reshape(-1, math.prod(sides[1::3]))
