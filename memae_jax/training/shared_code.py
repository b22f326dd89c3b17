"""Compiled code that experiments of one process share.

A search over settings or folds fits the same network again and again, on other
samples. All numbers are arguments of the compiled functions, so where config,
method and shapes are the same, one compilation serves them all.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax import config as config_lib
from memae_jax.data import feed, types
from memae_jax.training import programs

_MOST = 16  # Programs that are kept; the ones used last.
# Fields that decide arguments of compiled functions, and not their code.
_ARGUMENTS = ('data.', 'name', 'train.seed', 'train.epochs', 'train.learning_')
_OF_STEPS = ('train.schedule', 'train.warmup_steps')  # Read the last step.


class SharedCode:
  """Compiled functions by what decides their code; several threads may ask."""

  def __init__(self):
    self._owners: dict[Any, programs.Programs] = {}
    self._lock = threading.Lock()

  def lend(
    self,
    to: programs.Programs,
    kind: type[programs.Programs],
    fields: Mapping[str, Any],
    splits: Sequence[types.Split],
    inputs: feed.Inputs,
  ) -> None:
    """Gives programs the compiled functions of earlier ones of equal code.

    Args:
      to: the programs.
      kind: their class.
      fields: what they were made of, beside samples and splits.
      splits: one per replica.
      inputs: raw samples.
    """
    key = _key(kind, fields, inputs)
    try:
      hash(key)
    except TypeError:  # A method of a plugin; it compiles its own code.
      return
    with self._lock:
      owner = self._owners.pop(key, None)
      if owner is None:
        owner = _of_one_sample(kind, fields, splits, inputs)
      self._owners[key] = owner
      for old in list(self._owners)[:-_MOST]:
        del self._owners[old]
      to.take_compiled(owner)


def _key(kind, fields: Mapping[str, Any], inputs: feed.Inputs) -> tuple:
  """Returns all that decides the code of programs."""
  config, trainer, mesh = (fields[k] for k in ('config', 'trainer', 'mesh'))
  wanted = lambda name: not name.startswith(_ARGUMENTS)
  chosen = config_lib.chosen(config, wanted)
  defaults = [
    chosen[name] == config_lib.find(name).default for name in _OF_STEPS
  ]
  return (
    kind,
    tuple(sorted(chosen.items())),
    None if all(defaults) else fields['steps'],
    trainer.method,
    trainer.frames,
    len(fields['hyper'].seed),
    tuple(inputs.shape[1:]),
    str(inputs.dtype),
    tuple(mesh.devices.flat),
    tuple(mesh.shape.items()),
  )


def _of_one_sample(kind, fields, splits, inputs) -> programs.Programs:
  """Returns programs of a single sample, which keep no data in memory."""
  row = np.zeros(1, np.int32)
  splits = [
    split._replace(train=row, validation=row, test=row[:0]) for split in splits
  ]
  one = np.zeros((1, *inputs.shape[1:]), inputs.dtype)
  return kind(**fields, splits=splits, inputs=one)
