"""Reader of the optimised HLO of a program: bytes that it moves and sends.

XLA's own totals count the body of a loop once. Here it counts as often as the
loop runs, where the program states that. The loop over training steps is the
one loop whose length is not stated: one step is one pass of it, and what is
outside of it is left out.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from memae_jax.planning import device_groups

COLLECTIVES = (
  'all-reduce',
  'all-gather',
  'reduce-scatter',
  'all-to-all',
  'collective-permute',
)
_FREE = (  # Instructions that name and arrange; they move nothing.
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
  """One line of a program: `%name = shape op(operands), rest`."""

  name: str
  shape: str
  op: str
  operands: tuple[str, ...]
  inside: str  # Between the parentheses, as written.
  rest: str
  root: bool


class Collective(NamedTuple):
  """Communication of one kind over one set of devices.

  kind: such as 'all-reduce'.
  axes: of the mesh.
  count: how often per step.
  nbytes: that each device brings, or for an all-gather gets, per step.
  group: number of devices that take part together.
  """

  kind: str
  axes: tuple[str, ...]
  count: int
  nbytes: int
  group: int


def _width(dtype: str) -> float:
  """Returns the bytes of one number of a type, such as 'bf16'."""
  if dtype in ('pred', 'token', 'opaque'):
    return 1.0 if dtype == 'pred' else 0.0
  bits = re.search(r'\d+', dtype)
  return int(bits.group()) / 8 if bits else 0.0


def nbytes(shape: str) -> int:
  """Counts the bytes of an array or tuple, whose shape is as HLO writes it."""
  return sum(
    int(_width(dtype) * math.prod(_sides(size)))
    for dtype, size, _ in _ARRAY.findall(shape)
  )


def _members(shape: str) -> list[str]:
  """Splits the shape of a tuple into those of its members."""
  depth, members = 0, ['']
  for letter in shape[1:-1]:
    depth += {**dict.fromkeys('([{', 1), **dict.fromkeys(')]}', -1)}.get(
      letter, 0
    )
    if letter == ',' and not depth:
      members.append('')
    else:
      members[-1] += letter
  return members


def _sides(text: str) -> list[int]:
  return [int(n) for n in text.split(',') if n]


def _in_memory(shape: str, anywhere: bool = False) -> int:
  """Counts the bytes of an array or tuple in the memory of the device.

  Args:
    shape: as HLO writes it, with the layout, which may be padded.
    anywhere: whether to count arrays that lie on the chip, too.
  """
  total = 0
  for dtype, size, layout in _ARRAY.findall(shape):
    if _ON_CHIP.search(layout) and not anywhere:
      continue
    sides, order = _sides(size), _sides(layout.strip('{}').split(':')[0])
    tile = re.search(r'T\(([\d,]+)\)', layout)
    if tile:  # Sizes of the innermost dimensions, the innermost last.
      for axis, side in zip(order, reversed(_sides(tile[1]))):
        sides[axis] = -(-sides[axis] // side) * side
    total += int(_width(dtype) * math.prod(sides))
  return total


def _balanced(text: str, start: int) -> int:
  """Returns the place after the parenthesis that closes the one at `start`."""
  depth = 0
  for at in range(start, len(text)):
    depth += {'(': 1, ')': -1}.get(text[at], 0)
    if depth == 0:
      return at + 1
  return len(text)


def _instruction(line: str) -> Instruction | None:
  """Reads a line of a program; None if it is no instruction."""
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
      elif instruction := _instruction(line):
        current.append(instruction)
    return cls(computations, entry)

  def _trips(self, loop: Instruction) -> int | None:
    """Returns how often a loop runs, or None if that is not stated."""
    stated = re.search(r'known_trip_count[^\d]*(\d+)', loop.rest)
    if stated:
      return int(stated[1])
    body = self.computations[_named('condition', loop.rest)]
    constants = {i.name: i.inside for i in body if i.op == 'constant'}
    for i in body:
      # JAX counts from 0 up to a constant.
      if i.root and i.op == 'compare' and 'direction=LT' in i.rest:
        text = constants.get(i.operands[1], '')
        return int(text) if text.isdigit() else None
    return None

  def _called(self, one: Instruction) -> list[str]:
    """Returns the names of the computations that an instruction calls."""
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
    """Returns the instructions that run.

    Args:
      steps: whether the program is a loop over steps; only the instructions
        of one step are returned then.

    Returns:
      Computation, instruction, and how often it runs.
    """
    return [
      (name, instruction, times)
      for name, instruction, times, within in self._walk(self.entry, 1, False)
      if within or not steps
    ]

  def traffic(self, steps: bool) -> int:
    """Counts the bytes that the memory of a device gives and takes.

    Args:
      steps: see `executed`.
    """
    shapes = {
      name: {i.name: i.shape for i in body}
      for name, body in self.computations.items()
    }
    return sum(
      times * self._moved(one, shapes[name])
      for name, one, times in self.executed(steps)
    )

  def _moved(self, one: Instruction, shapes: dict[str, str]) -> int:
    """Counts the bytes that an instruction reads and writes in the memory.

    Args:
      one: the instruction.
      shapes: of all instructions of its computation, by name.
    """
    op = one.op
    if op in _FREE or op.endswith('-done'):
      return 0
    arrays = [match[0] for match in _ARRAY.finditer(one.shape)]
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
    """Counts the bytes of a fusion, which reads only the parts it slices.

    Args:
      one: the fusion.
      of: (name of an operand) -> its bytes in the memory.
    """
    body = self.computations.get(_named('calls', one.rest), [])
    by_name = {i.name: i for i in body}
    inner = {int(i.inside): i.name for i in body if i.op == 'parameter'}
    users: dict[str, list[Instruction]] = {}
    for i in body:
      for operand in i.operands:
        users.setdefault(operand, []).append(i)
    total = 0
    for at, operand in enumerate(one.operands):
      size, parts = of(operand), 0
      for user in users.get(inner.get(at, ''), ()):
        first = user.operands[0] == inner[at]
        if first and user.op in ('dynamic-slice', 'slice', 'gather'):
          parts += _in_memory(user.shape, True)
        elif not (first and user.op == 'dynamic-update-slice'):
          parts += size
      total += min(size, parts)
    root = next((i for i in body if i.root), None)
    results = [root] if root is not None else []
    if root is not None and root.op == 'tuple':
      results = [by_name[name] for name in root.operands if name in by_name]
    out = _in_memory(one.shape)
    for i in results:  # An update in place writes only the new part.
      if i.op == 'dynamic-update-slice' and i.operands[1] in by_name:
        kept = _in_memory(i.shape, True) - _in_memory(
          by_name[i.operands[1]].shape, True
        )
        out = max(0, out - kept)
    return total + out

  def collectives(
    self, mesh_shape: dict[str, int], steps: bool
  ) -> list[Collective]:
    """Returns the communication between devices, largest first.

    Args:
      mesh_shape: size of each axis.
      steps: see `executed`.
    """
    sums: dict[tuple, list[int]] = {}
    for _, one, times in self.executed(steps):
      kind = one.op.removesuffix('-start')
      if kind not in COLLECTIVES:
        continue
      group, axes = device_groups.axes(one.rest, mesh_shape)
      if group < 2:
        continue
      entry = sums.setdefault((kind, axes, group), [0, 0])
      shape = one.shape
      if one.op.endswith('-start') and kind != 'all-reduce':
        shape = _members(shape)[1]  # (from, to, ...)
      entry[0] += times
      entry[1] += times * nbytes(shape)
    return sorted(
      (
        Collective(kind, axes, count, size, group)
        for (kind, axes, group), (count, size) in sums.items()
      ),
      key=lambda c: -c.nbytes,
    )


def _named(attribute: str, text: str) -> str:
  """Returns the computation that an attribute names, or ''."""
  match = re.search(rf'\b{attribute}=%?([\w.\-]+)', text)
  return match[1] if match else ''
