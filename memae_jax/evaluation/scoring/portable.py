"""Programs of one replica for other machines: serialised by `jax.export`.

They take weights and scaling as arguments, by name as `Single.arrays` has them,
so that a large memory is no constant within them. The network sees blocks of
one size, whatever B is: memory is bounded, and the score of a sample does not
depend on how many others came with it.
"""

import contextlib
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax.data import transforms
from memae_jax.evaluation.scoring import single
from memae_jax.exported import scorer_file
from memae_jax.methods import moving

# Elements of a block of samples, by platform: as many as keep a device busy,
# and no more, since one sample costs as much as a block.
_ELEMENTS = {'cpu': 2**14, 'default': 2**20}
_MOST = 1024  # Most samples of a block.


def blocks(shape: tuple[int, ...]) -> dict[str, int]:
  """Returns how many samples of a shape make a block, by platform.

  These are powers of two.

  Args:
    shape: of one sample.
  """
  fit = {k: max(n // math.prod(shape), 1) for k, n in _ELEMENTS.items()}
  return {k: min(1 << (n.bit_length() - 1), _MOST) for k, n in fit.items()}


def _in_blocks(function, size: int):
  """Applies a function of [size, ...] samples to [B, ...], B symbolic."""

  def mapped(x, arrays):
    count = x.shape[0]
    parts = -(-count // size)
    padding = [(0, parts * size - count, 0)] + [(0, 0, 0)] * (x.ndim - 1)
    padded = jax.lax.pad(x, jnp.zeros((), x.dtype), padding)
    out = jax.lax.map(
      lambda block: function(block, arrays),
      padded.reshape(parts, size, *x.shape[1:]),
    )
    return jax.tree.map(
      lambda y: y.reshape(parts * size, *y.shape[2:])[:count], out
    )

  return mapped


def _like(tree: Any) -> Any:
  """Returns shapes and types of arrays."""
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


def program(one: single.Single) -> jax.export.Exported:
  """Returns the exported program of one replica.

  It takes samples [B, ...] as `Source.inputs` has them, bytes as in the files
  of the data set, numbers after the host stage; and the arrays of the replica
  by name. It returns a dict, see `Single.outputs`.

  Args:
    one: the replica.
  """
  block = lambda x, arrays: one.holding(arrays).outputs(x)
  by_platform = {
    k: _in_blocks(block, size) for k, size in blocks(one.shape).items()
  }
  function = functools.partial(jax.lax.platform_dependent, **by_platform)
  (batch,) = jax.export.symbolic_shape('batch')
  samples = jax.ShapeDtypeStruct((batch, *one.shape), one.dtype)
  return _exported(function, samples, _like(one.arrays))


def _exported(function, *samples) -> jax.export.Exported:
  """Returns a function of arrays like these as a program."""
  with _no_places(), jax.disable_jit(False):  # A program is compiled code.
    export = jax.export.export(
      jax.jit(function), platforms=scorer_file.PLATFORMS
    )
    return export(*samples)


def update_program(
  one: single.Single, is_bounded: bool
) -> jax.export.Exported | None:
  """Returns the program of a replica whose memory moves in streams, or None.

  It takes a sample [1, ...], the memory, whether the stream begins, when the
  trained memory stands in its place, and the arrays of the replica by name. It
  returns `score` [1], by the memory as it was; `memory` after the sample; and
  whether it `moves`.

  Args:
    one: the replica.
    is_bounded: whether samples lie in a known range, see `tasks.is_bounded`.
  """
  method = one.trainer.method
  moves = isinstance(method, moving.MovesInStreams)
  if not (moves and is_bounded and one.dtype == np.uint8):
    return None

  def scored(x, memory, begins, arrays):
    held = one.holding(arrays)
    memory = jax.tree.map(
      lambda new, old: jnp.where(begins, new, old),
      held.variables[method.moves],
      memory,
    )
    variables = {**held.variables, method.moves: memory}
    x = transforms.apply(x, held.transform)
    out = held.predict(variables, x)
    after = method.moved_by(variables, x, one.hyper, out.output)
    moves = after.regular < method.below
    memory = jax.tree.map(
      lambda new, old: jnp.where(moves, new, old), after.collection, memory
    )
    return {'score': one.score(out), 'memory': memory, 'moves': moves}

  return _exported(
    scored,
    jax.ShapeDtypeStruct((1, *one.shape), one.dtype),
    _like(one.variables[method.moves]),
    jax.ShapeDtypeStruct((), bool),
    _like(one.arrays),
  )


@contextlib.contextmanager
def _no_places():
  """Leaves the places in source files out of an exported program.

  With them, the file would name folders of this machine.
  """
  name = 'jax_traceback_in_locations_limit'
  before = getattr(jax.config, name)
  jax.config.update(name, 0)
  try:
    yield
  finally:
    jax.config.update(name, before)
