"""`load`: from `config.data` to a Source, whatever the data set."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from memae_jax import errors
from memae_jax.data import arrays, digits, kddcup99, tables, types

LOADERS: dict[str, Callable[[Any], types.Source]] = {
  'arrays': arrays.load,
  'digits': digits.load,
  'kddcup99': kddcup99.load,
}
_ARRAYS_ONLY = (
  'path',
  'test_path',
  'label_column',
  'categorical_columns',
  'drop_columns',
)


def load(config) -> types.Source:
  """Loads a data set into memory.

  Args:
    config: the resolved `config.data`.

  Returns:
    the Source after `normal_labels`, `max_samples` and `log1p`; its notes
    count equal samples and the samples of each label.

  Raises:
    UserError: the data are missing or bad, or a field does not fit them.
  """
  if config.name not in LOADERS:
    raise errors.UserError(
      f'config field "data.name" is "{config.name}"'
      + errors.did_you_mean(config.name, LOADERS)
    )
  if config.name != 'arrays':
    for field in _ARRAYS_ONLY:
      if getattr(config, field):
        raise errors.UserError(
          f'config field "data.{field}" is set, but data.name'
          f' "{config.name}" does not read it; set data.name to "arrays"'
        )
  source = LOADERS[config.name](config)
  source = _choose_normal_labels(source, config)
  if 0 < config.max_samples < len(source.inputs):
    source = _subset(source, config.max_samples)
  if config.log1p:
    source = tables.log1p(source)
  samples = len(source.inputs)
  distinct = int(tables.row_ids(source.inputs).max(initial=-1)) + 1
  counts = np.bincount(source.labels, minlength=len(source.label_names))
  notes = {
    **source.notes,
    'duplicate_rows': samples - distinct,
    'label_counts': dict(zip(source.label_names, counts.tolist())),
  }
  return source._replace(notes=notes)


def _choose_normal_labels(source: types.Source, config) -> types.Source:
  """Replaces the normal labels of the source by those of the config."""
  if not config.normal_labels:
    return source
  if not source.labelled:
    raise errors.UserError(
      'config field "data.normal_labels" is set, but there are no labels;'
      ' set data.label_column, or leave data.normal_labels empty'
    )
  if config.protocol == 'one_class':
    raise errors.UserError(
      'config field "data.normal_labels" is set, but data.protocol'
      ' "one_class" takes fleet.normal_classes; leave one of them empty'
    )
  for label in config.normal_labels:
    if label not in source.label_names:
      raise errors.UserError(
        f'config field "data.normal_labels" names "{label}", which is no'
        f' label of data set "{source.name}"'
        + errors.did_you_mean(label, source.label_names)
      )
  chosen = sorted({source.label_names.index(x) for x in config.normal_labels})
  return source._replace(normal_labels=tuple(chosen))


def _subset(source: types.Source, size: int) -> types.Source:
  """Keeps `size` random samples in their order: the same ones each time."""
  total = len(source.inputs)
  keep = np.random.default_rng(0).choice(total, size, replace=False)
  keep.sort()
  why = f'data.max_samples={size} keeps a random subset'
  return source._replace(
    inputs=source.inputs[keep],
    labels=source.labels[keep],
    is_test=None if source.is_test is None else source.is_test[keep],
    dropped=source.dropped + ({'count': total - size, 'why': why},),
  )


def data_sha256(source: types.Source) -> str:
  """Returns the identity of all samples, as hex digits."""
  border = [] if source.is_test is None else [source.is_test]
  names = [repr(column) for column in source.columns]
  return _sha256(
    source.inputs, source.labels, *border, *names, *source.label_names
  )


def label_sha256(source: types.Source) -> str:
  """Returns the identity of the labels, as hex digits."""
  return _sha256(source.labels, *source.label_names)


def _sha256(*parts: np.ndarray | str) -> str:
  digest = hashlib.sha256()
  for part in parts:
    if isinstance(part, str):
      digest.update(repr(part).encode())
    else:
      digest.update(f'{part.dtype.str}{part.shape}'.encode())
      digest.update(np.ascontiguousarray(part))
  return digest.hexdigest()
