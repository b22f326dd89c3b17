"""Arrays in memory as a Source, as if a file of the user held them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from memae_jax.data import sources, types
from memae_jax.data.tables import npz
from memae_jax.runtime import errors

_WHERE = 'X'  # Stands for the name of a file in messages.


def raw(array: np.ndarray, config: Any) -> tuple[np.ndarray, tuple[str, ...]]:
  """Returns an array as samples of a file are read, and remarks on it.

  Args:
    array: [S, D], or images [S, H, W], [S, H, W, C] or [S, C, H, W].
    config: the resolved `config.data`.

  Returns:
    Rows [S, D] float64 or float32, or images [S, H, W, C] uint8 or float64,
    which the caller may not change.

  Raises:
    UserError: it is no such array, or a number of it is missing or infinite.
  """
  remarks: list[str] = []
  if config.missing_marks:  # They are replaced where they stand.
    array = array.copy()
  samples = npz.as_samples(_WHERE, _WHERE, array, config, remarks)
  return samples, tuple(remarks)


def source(
  array: np.ndarray, names: Sequence[str] | None, config: Any
) -> types.Source:
  """Returns the Source of an array, all of whose samples count as normal.

  Args:
    array: see `raw`.
    names: of the D columns of a table; None: 'input 0', ...
    config: the resolved `config.data`.

  Raises:
    UserError: see `raw`; or a field of the config does not fit the samples.
  """
  for field in ('label_column', 'normal_labels', 'test_path'):
    if config[field]:
      raise errors.UserError(
        f'config field "data.{field}" is set, but all rows of an array count as'
        ' normal; leave it out, and drop anomalies that you know'
      )
  samples, remarks = raw(array, config)
  columns: tuple[types.Column, ...] = ()
  if samples.ndim == 2:
    if names is None:
      names = [f'input {i}' for i in range(samples.shape[1])]
    columns = tuple(types.Column(str(name)) for name in names)
  made = types.Source(
    name='arrays',
    inputs=samples,
    labels=np.zeros(len(samples), np.int32),
    label_names=('normal',),
    normal_labels=(0,),
    columns=columns,
    places={'row': np.arange(len(samples))},
    labelled=False,
    remarks=remarks,
  )
  return sources.prepared(made, config)


def like(facts: dict[str, Any], host: types.HostStage | None) -> types.Source:
  """Returns a Source of a few zeros that stands for the data of a training.

  With it an experiment can be built again where those data are not at hand.

  Args:
    facts: `inputs` of the `meta` of a checkpoint, see `training.samples`.
    host: first stage of scaling of the training.
  """
  shape = _FEW, *facts['shape']
  return types.Source(
    name='arrays',
    inputs=np.zeros(shape, facts['dtype']),
    labels=np.zeros(_FEW, np.int32),
    label_names=('normal',),
    normal_labels=(0,),
    columns=tuple(types.Column(name) for name in facts['names']),
    levels=tuple(facts['levels']),
    labelled=False,
    host=host,
  )


_FEW = 3  # Two to train and one to validate.
