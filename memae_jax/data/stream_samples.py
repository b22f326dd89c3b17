"""Samples of a stream, which come one after another, in fixed memory.

Each kind of them has `read`, which raises UserError for a sample that is broken
and changes nothing; `add`, which takes what was read and returns the samples
that are complete by it; `skip`, which counts a broken one; and `end`. The last
two return samples that waited for later ones.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from memae_jax.runtime import errors


class Sample(NamedTuple):
  """A sample that is complete.

  index: its place in the stream from 0, broken ones included; of a clip, that
    of its scored frame. number: its place among the samples of a file that has
    all since the last broken frame. x: [...], as a scorer takes it.
  """

  index: int
  number: int
  x: np.ndarray


class Singles:
  """Samples that are complete by themselves: arrays as a scorer takes them.

  Attributes:
    look_ahead: how many later ones a sample waits for.
  """

  look_ahead = 0

  def __init__(self, prepared: Callable[[np.ndarray], np.ndarray]):
    """Begins a stream.

    Args:
      prepared: makes of samples [B, ...] what a program takes; raises UserError
        where they do not fit.
    """
    self._prepared = prepared
    self._index = self._number = 0

  def read(self, sample: Any) -> tuple[Any, str]:
    """Returns the content of a sample, and its name or ''.

    Args:
      sample: an array.

    Raises:
      UserError: it does not fit the network.
    """
    return self._fitting(np.asarray(sample)), ''

  def _fitting(self, x: np.ndarray) -> np.ndarray:
    """Returns a sample [...] as a program takes it."""
    try:
      return self._prepared(x[None])[0]
    except errors.UserError as error:
      # Of a batch of one, where the sample has number 0.
      text = str(error).replace('row 0: ', f'row {self._index}: ', 1)
      raise errors.UserError(text) from error

  def add(self, content: Any) -> list[Sample]:
    """Returns the sample whose content was read."""
    found = Sample(self._index, self._number, content)
    self._index, self._number = self._index + 1, self._number + 1
    return [found]

  def skip(self) -> list[Sample]:
    """Counts a broken sample."""
    self._index += 1
    return []

  def end(self) -> list[Sample]:
    """Counts from 0 again."""
    self._index = self._number = 0
    return []
