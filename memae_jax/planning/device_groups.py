"""Reader of the groups of devices that a collective of an HLO names."""

import math
import re

import jax
import numpy as np

from memae_jax.runtime import errors


def axes(text: str, mesh_shape: dict[str, int]) -> tuple[int, tuple[str, ...]]:
  """Returns the size of a group of devices, and the mesh axes it spans.

  Args:
    text: attributes of a collective.
    mesh_shape: size of each axis.
  """
  sizes = tuple(mesh_shape.values())
  groups = read(text, int(np.prod(sizes)))
  where = np.stack(np.unravel_index(groups, sizes))  # [axis, group, member]
  differs = (where != where[:, :, :1]).any((1, 2))
  spanned = tuple(name for name, does in zip(mesh_shape, differs) if does)
  return groups.shape[1], spanned


def read(text: str, devices: int) -> np.ndarray:
  """Reads the groups of devices that take part in a collective.

  Args:
    text: attributes of the instruction, as HLO writes them.
    devices: how many there are.

  Returns:
    [groups, members] numbers of devices.

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
  unknown = re.search(r'replica_groups=(?!\{\})\S+', text)
  if unknown:
    raise errors.UserError(
      f'a program that jax {jax.__version__} has compiled says "{unknown[0]}",'
      ' which the plan cannot read; plan with an earlier jax'
    )
  return np.arange(devices)[None]


def _of_axes(sizes: str, named: str) -> np.ndarray:
  """Returns the groups [groups, members] over some axes of a mesh.

  Args:
    sizes: of the axes of the mesh, such as "'x'=8,'y'=2".
    named: the axes, such as "'y','x':(2)4", where the last is a part of an
      axis, of 4 devices after a part of 2.
  """
  sides = []  # Of each axis: before the part, the part, after it.
  for name, size in re.findall(r"'([^']+)'=(\d+)", sizes):
    part = re.search(rf"'{re.escape(name)}'(?::\((\d+)\)(\d+))?", named)
    before, inside = int(size), 1
    if part:
      before, inside = int(part[1] or 1), int(part[2] or size)
    sides += [before, inside, int(size) // (before * inside)]
  grid = np.arange(math.prod(sides)).reshape(sides)
  grid = np.moveaxis(
    grid, range(1, len(sides), 3), range(-(len(sides) // 3), 0)
  )
  return grid.reshape(-1, math.prod(sides[1::3]))
