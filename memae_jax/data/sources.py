"""Loads the data set of `config.data` as a Source; hashes of its content."""

import hashlib

import numpy as np

from memae_jax import config as config_lib
from memae_jax.data import host_stage, labels, registry, types
from memae_jax.data.tables import columns
from memae_jax.data.videos import clips
from memae_jax.runtime import errors


def load(config, host: types.HostStage | None = None) -> types.Source:
  """Loads a data set: into memory, or the frames of videos into a memory map.

  Args:
    config: the resolved `config.data`.
    host: first stage of scaling, from a training on other data; None: it is
      fitted on these data.

  Returns:
    The Source after `normal_labels`, `max_samples`, its host stage and
    `unique`; its notes count equal samples and the samples of each label.

  Raises:
    UserError: the data are missing or bad, or a field does not fit them.
  """
  data_set = registry.find(config.name)
  for field, entry in config_lib.SCHEMA['data'].items():
    names = registry.readers(field)
    is_set = getattr(config, field) != entry.default
    if names and config.name not in names and is_set:
      readers = ' or '.join(f'"{name}"' for name in names)
      raise errors.UserError(
        f'config field "data.{field}" is set, but data.name "{config.name}"'
        f' does not read it; set data.name to {readers}'
      )
  return prepared(data_set.load(config), config, host)


def prepared(
  source: types.Source, config, host: types.HostStage | None = None
) -> types.Source:
  """Returns raw samples as `load` does, after all that follows the reading.

  Args:
    source: as its reader returns it.
    config, host: see `load`.

  Raises:
    UserError: a field does not fit the samples.
  """
  source = _choose_normal_labels(source, config)
  labels.check_alike(source.label_names, source.normal_labels)
  if 0 < config.max_samples < len(source.inputs):
    source = _random(source, config.max_samples)
  source = _to_float32(source, config.log1p, host)
  if config.unique:
    source = _without_repeats(source)
  samples = len(source.inputs)
  distinct = int(columns.row_ids(source.inputs).max(initial=-1)) + 1
  counts = np.bincount(source.labels, minlength=len(source.label_names))
  notes = {
    **source.notes,
    'duplicate_rows': samples - distinct,
    'label_counts': dict(zip(source.label_names, counts.tolist())),
  }
  remarks = source.remarks
  if source.labelled:
    remarks += (labels.counts(source),)
  return source._replace(notes=notes, remarks=remarks)


def _choose_normal_labels(source: types.Source, config) -> types.Source:
  """Replaces the normal labels of a source by those of the config, if any."""
  if not config.normal_labels:
    return source
  if not source.labelled and config.label_column:
    return source  # The labels chose the rows that train; the test has none.
  if not source.labelled:
    raise errors.UserError(
      'config field "data.normal_labels" is set, but there are no labels;'
      ' set data.label_column, or leave data.normal_labels empty'
    )
  if config.protocol in config_lib.ONE_CLASS:
    raise errors.UserError(
      'config field "data.normal_labels" is set, but data.protocol'
      f' "{config.protocol}" takes fleet.normal_classes; leave one empty'
    )
  names = source.label_names
  index_of = {
    label: labels.find(label, names) for label in config.normal_labels
  }
  for label, index in index_of.items():
    if index is None:
      raise errors.UserError(
        f'config field "data.normal_labels" names "{label}", which is not a'
        f' label of data set "{source.name}"'
        + errors.did_you_mean(label, names)
      )
  return source._replace(normal_labels=tuple(sorted(set(index_of.values()))))


def _without_repeats(source: types.Source) -> types.Source:
  """Keeps the first of samples of one label that are equal, in their order."""
  if source.videos:
    raise errors.UserError(
      'config field "data.unique" is set, but the frames of a video cannot be'
      ' left out one by one; leave it out'
    )
  ids = columns.row_ids(source.inputs)
  _, first = np.unique(
    np.stack([ids, source.labels]), axis=1, return_index=True
  )
  why = 'data.unique keeps the first of equal samples'
  return _subset(source, np.sort(first), why)


def _random(source: types.Source, size: int) -> types.Source:
  """Keeps `size` random samples in their order, the same in each run."""
  rng = np.random.default_rng(0)
  keep = np.sort(rng.choice(len(source.inputs), size, replace=False))
  return _subset(source, keep, f'data.max_samples={size} keeps a random subset')


def _subset(source: types.Source, keep: np.ndarray, why: str) -> types.Source:
  """Keeps some samples, and says how many it drops."""
  count = len(source.inputs) - len(keep)
  if not count:
    return source
  parts = {
    name: part.take(keep) if isinstance(part, clips.Gathered) else part[keep]
    for name in ('inputs', 'labels', 'is_test', 'masks', 'has_mask', 'sizes')
    if (part := getattr(source, name)) is not None
  }
  videos = source.videos
  if videos:
    videos = videos._replace(video=videos.video[keep], frame=videos.frame[keep])
  return source._replace(
    videos=videos,
    payments=source.payments and source.payments.at(keep),
    places={name: part[keep] for name, part in source.places.items()},
    **parts,
    dropped=source.dropped + ({'count': count, 'why': why},),
  )


def _to_float32(
  source: types.Source, log1p: bool, host: types.HostStage | None
) -> types.Source:
  """Brings raw numbers to float32 by the host stage; uint8 stays as it is.

  So does what is seen of videos.

  With `log1p`, logarithms are taken of the columns of numbers that are never
  negative in any sample, so the choice depends on no split. The notes name the
  other columns of numbers.

  Args:
    source: all samples.
    log1p: take logarithms, if `host` is None.
    host: the stage to apply; it is fitted on `source` where it is None, or has
      another number of columns.

  Raises:
    UserError: logarithms are asked for, but the samples are not a table; or
      the stage cannot be applied to a number.
  """
  if log1p and not source.columns:
    raise errors.UserError(
      f'config field "data.log1p" needs a table, but data set "{source.name}"'
      ' holds images; set it to False'
    )
  if source.inputs.dtype.kind != 'f' or source.videos:
    return source
  inputs, notes = source.inputs, source.notes
  names = columns.input_names(source.columns)
  numeric = ~columns.is_one_hot(source.columns) if names else np.ones(1, bool)
  are_numbers = columns.is_number(source.columns)
  if host is None or host.centre.shape != numeric.shape:
    logarithmic = np.zeros(numeric.shape, bool)
    for i in np.flatnonzero(are_numbers) if log1p else ():
      logarithmic[i] = not (inputs[:, i] < 0).any()
    host = host_stage.fit(inputs, _may_train(source), numeric, logarithmic)
  if log1p:
    left_out = [names[i] for i in np.flatnonzero(are_numbers & ~host.log1p)]
    notes = {**notes, 'log1p_left_out_negative': left_out}
  inputs = host_stage.apply(inputs, host, names, f'data set "{source.name}" ')
  return source._replace(inputs=inputs, host=host, notes=notes)


def _may_train(source: types.Source) -> np.ndarray:
  """Returns [S] bool: the normal samples outside the test set.

  If none is known to be normal, these are all samples outside the test set.
  """
  rows = np.ones(len(source.labels), bool)
  if source.is_test is not None:
    rows = ~source.is_test
  normal = np.isin(source.labels, source.normal_labels)
  return rows & normal if (rows & normal).any() else rows


def data_sha256(source: types.Source) -> str:
  """Returns a SHA-256 of all samples and labels, as hex digits."""
  optional = (source.is_test, source.masks, source.has_mask, source.sizes)
  parts = [part for part in optional if part is not None]
  parts += source.payments or ()
  names = [_described(column) for column in source.columns]
  host = source.host
  if host is not None and host_stage.shifts(host):
    parts += [host.centre, host.unit]
  return _sha256(
    source.inputs, source.labels, *parts, *names, *source.label_names
  )


def _described(column: types.Column) -> str:
  """Describes a column as all versions do, so that hashes stay the same."""
  text = f'name={column.name!r}, categories={column.categories!r}'
  if column.parts:
    text += f', parts={column.parts!r}'
  return f'Column({text})'


def label_sha256(source: types.Source) -> str:
  """Returns a SHA-256 of the labels, as hex digits."""
  return _sha256(source.labels, *source.label_names)


def _sha256(*parts: np.ndarray | clips.Gathered | str) -> str:
  digest = hashlib.sha256()
  for part in parts:
    if isinstance(part, str):
      digest.update(repr(part).encode())
    elif isinstance(part, clips.Gathered):  # Digests each frame once.
      digest.update(_sha256(part.digests, part.number).encode())
    else:
      digest.update(f'{part.dtype.str}{part.shape}'.encode())
      digest.update(np.ascontiguousarray(part))
  return digest.hexdigest()
