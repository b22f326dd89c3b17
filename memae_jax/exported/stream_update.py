"""Streams whose memory moves with the samples, by a program of its own.

update.bin of a scorer's file is a function of a sample [1, ...], the memory,
whether the stream begins here, when the trained memory is taken, and the
weights. It gives the score by the memory as it was, and the memory after the
sample.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from memae_jax.exported import scorer_file
from memae_jax.runtime import errors


def check(meta: Mapping[str, Any]) -> None:
  """Raises UserError unless a scorer has a memory that moves.

  Args:
    meta: of the scorer.
  """
  if 'update' in meta:
    return
  name = meta['replica']['variant']
  if name != 'mnad':
    raise errors.UserError(
      f'the scorer is of method "{name}", whose memory does not move while it'
      ' scores (only that of "mnad" does); leave out --update'
    )
  raise errors.UserError(
    'the scorer has no update of its memory: frames or pictures must be bytes'
    ' with data.input "frames" and data.scaling "fixed", and earlier versions'
    ' did not export it; leave out --update, or export the run again'
  )


class Memory:
  """A memory that moves with the samples of a stream.

  Attributes:
    arrays: what moves; zeros before the first sample.
    moves: how many samples moved it.
  """

  def __init__(
    self,
    binary: bytes,
    meta: Mapping[str, Any],
    called: Callable[..., dict[str, Any]],
    weights: tuple[Any, ...] = (),
  ):
    """Compiles the program.

    Args:
      binary: content of update.bin.
      meta: of the scorer.
      called: calls a function with arguments; it turns what JAX raises into
        one line.
      weights: of the scorer.

    Raises:
      UserError: JAX cannot read the program, or it takes something else.
    """
    self._called = called
    exported = called(lambda: jax.export.deserialize(bytearray(binary)))
    if not _fits(exported, weights, meta['input']):
      raise errors.UserError(
        'the update of the scorer takes or returns something else than its'
        ' meta.json says; export it again'
      )
    self._function = jax.jit(exported.call)
    zeros = [np.zeros(a.shape, a.dtype) for a in exported.in_avals]
    (x, self.arrays, *_), _ = jax.tree.unflatten(exported.in_tree, zeros)
    self._begins, self.moves = True, 0
    self._weights = jax.tree.map(jax.numpy.asarray, weights)
    called(self._function, x, self.arrays, True, *self._weights)

  def score(self, x: np.ndarray, number: int) -> float:
    """Returns the score of a sample [...]; the memory may move with it.

    Args:
      x: the sample.
      number: of the sample; it changes nothing.
    """
    del number
    out = self._called(
      self._function, x[None], self.arrays, self._begins, *self._weights
    )
    # As they came in: arrays of a device would compile the program again.
    self.arrays, self._begins = jax.device_get(out['memory']), False
    self.moves += int(out['moves'])
    return float(out['score'][0])


def _fits(
  exported: jax.export.Exported,
  weights: tuple[Any, ...],
  meta: Mapping[str, Any],
) -> bool:
  """Returns whether a program is the update of samples of a kind."""
  try:
    args, named = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    out = jax.tree.unflatten(exported.out_tree, exported.out_avals)
    x, memory, begins, *rest = args
    parts = {'score': ((1,), np.float32), 'moves': ((), np.bool_)}
    return (
      not named
      and (x.shape, x.dtype) == ((1, *meta['shape']), meta['dtype'])
      and scorer_file.takes(tuple(rest), weights)
      and (begins.shape, begins.dtype) == ((), np.bool_)
      and out.pop('memory') == memory
      and {k: (v.shape, v.dtype) for k, v in out.items()} == parts
    )
  except (AttributeError, KeyError, TypeError, ValueError):
    return False
