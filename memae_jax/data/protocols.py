"""Protocols of the field: which samples train, and which are tested."""

import numpy as np

from memae_jax import config as config_lib
from memae_jax.data import (
  labels,
  leaks,
  overlap,
  pollution,
  transforms,
  types,
)
from memae_jax.data.tables import columns
from memae_jax.runtime import errors


def split(
  source: types.Source, config, seed: int, normal_class: int | None = None
) -> types.Split:
  """Splits a source for one replica: a pure function of its arguments.

  Args:
    source: all samples.
    config: the resolved `config.data`.
    seed: seed of the random choices.
    normal_class: the label that is normal; None: the source's normal labels.

  Returns:
    Split with sorted indices. Validation samples are taken from the training
    normals first; `disjoint` drops those of both that equal a test sample; both
    get anomalies if `pollution` says so; `unique_train` then drops repeated
    rows of the training samples.

  Raises:
    UserError: the protocol does not fit the data, or leaves too few samples.
  """
  normal = _is_normal(source, config.protocol, normal_class)
  if config.protocol == 'alone':
    return _alone(source, config, normal)
  seeds = seed, 0 if normal_class is None else normal_class + 1
  rng = np.random.default_rng(seeds)
  pool, test = _PROTOCOLS[config.protocol](source, config, normal, rng)
  test = np.sort(test).astype(np.int32)
  train, validation = _hold_out(source, pool, config.validation_fraction, rng)
  others = np.concatenate([validation, test])
  clips = len(train)
  train = _without_shared_frames(source, train, others)
  shared = clips - len(train)
  before = len(train) + len(validation)
  if config.disjoint:
    train, validation = (
      rows[~overlap.equal(source, rows, test)] for rows in (train, validation)
    )
  removed = before - len(train) - len(validation)
  added = pollution.draw(
    source, config, normal, (train, validation, test), seeds
  )
  train = np.sort(np.concatenate([train, added.train]))
  validation = np.sort(np.concatenate([validation, added.validation]))
  train_with_repeats = len(train)
  if config.unique_train:
    ids = columns.row_ids(source.inputs)[train]
    _, first = np.unique(ids, return_index=True)
    train = train[np.sort(first)]
  if len(train) < 2:
    raise errors.UserError(
      f'data set "{source.name}" leaves {len(train)} normal samples'
      f' ({_normal_names(source, normal_class)}) to train on, but 2 are needed;'
      ' raise data.train_fraction or data.max_samples, lower'
      ' data.validation_fraction, or check which labels are normal'
    )
  if not len(test) and config.protocol != 'all':
    raise errors.UserError(
      f'data set "{source.name}" leaves no sample to test on; lower'
      ' data.train_fraction'
    )
  warnings = (
    *added.warnings,
    *_one_kind(source, config, seed, ~normal[test]),
  )
  transform = transforms.fit(source, train, config)
  notes = {
    **added.notes,
    'removed_as_equal_to_test': removed,
    'train_duplicates_removed': train_with_repeats - len(train),
  }
  if source.videos:
    notes['train_clips_removed_for_shared_frames'] = shared
  out = types.Split(
    train, validation, test, ~normal[test], transform, warnings=warnings
  )
  return _with_notes(source, config, out, notes)


def _alone(source, config, normal) -> types.Split:
  """Returns all samples to test, each of which trains for itself alone."""
  rows = np.arange(len(normal), dtype=np.int32)
  if source.is_test is not None:
    rows = rows[source.is_test]
  notes = {'train': len(rows), 'validation': 0, 'test': len(rows)}
  return types.Split(
    train=rows,
    validation=rows[:0],
    test=rows,
    anomalous=~normal[rows],
    transform=transforms.fit(source, rows, config),
    notes=notes | {'anomalies': int((~normal[rows]).sum())},
  )


def _with_notes(
  source, config, split: types.Split, removal_notes
) -> types.Split:
  """Returns a split with its warnings, and its notes after `removal_notes`."""
  is_drawn = config.protocol not in _OWN_TEST
  train, transform = split.train, split.transform
  overlap_notes, overlap_warnings = overlap.find(source, split, is_drawn)
  scaling_notes = transforms.notes(source, transform, train)
  notes = {
    'train': len(train),
    'validation': len(split.validation),
    'test': len(split.test),
    'anomalies': int(split.anomalous.sum()),
    **removal_notes,
    **overlap_notes,
    **scaling_notes,
    'test_unknown_categories': _unknown(
      source, transform, split.validation, split.test, config.unknown_category
    ),
  }
  warnings = (
    *split.warnings,
    *overlap_warnings,
    *transforms.warnings(scaling_notes),
    *_warnings_of_leaks(source, split.test, split.anomalous),
  )
  return split._replace(notes=notes, warnings=warnings)


def _is_normal(source, protocol, normal_class) -> np.ndarray:
  """Returns which samples are normal, [S] bool.

  Raises:
    UserError: labels or a normal class that the protocol needs are missing.
  """
  names = source.label_names
  known = ', '.join(f'{i} ({name})' for i, name in enumerate(names))
  one_class = protocol in config_lib.ONE_CLASS
  if one_class and not source.labelled:
    raise errors.UserError(
      f'data.protocol "{protocol}" needs labels, but data set "{source.name}"'
      ' has none; set data.label_column, or use "random_rows" or "given"'
    )
  if normal_class is not None:
    if not 0 <= normal_class < len(names):
      raise errors.UserError(
        f'fleet.normal_classes has {normal_class}, but the classes of data'
        f' set "{source.name}" are {known}'
      )
    labels.check_alike(names, (normal_class,))
    return source.labels == normal_class
  if one_class:
    raise errors.UserError(
      f'data.protocol "{protocol}" needs a class in fleet.normal_classes, one'
      f' of {known}'
    )
  if not source.labelled:
    return np.ones(len(source.labels), bool)
  if not source.normal_labels:
    raise errors.UserError(
      f'data.protocol "{protocol}" needs data.normal_labels; name some of'
      f' {", ".join(names)}'
    )
  return np.isin(source.labels, source.normal_labels)


def _one_kind(source, config, seed, anomalous) -> tuple[str, ...]:
  """Returns a warning where all test samples are normal, or all anomalous.

  Raises:
    UserError: `data.label_column` asks for metrics, which need both kinds.
  """
  has_both = 0 < anomalous.sum() < len(anomalous)
  if not source.labelled or has_both or not len(anomalous):
    return ()
  kind, other = ('anomalous', 'normal') if anomalous.all() else (
    'normal', 'anomalous'
  )  # fmt: skip
  problem = (
    f'all {len(anomalous)} test samples of data set "{source.name}" are {kind}'
    f' (seed {seed}), so there is no AUROC'
  )
  if not config.label_column:
    return (f'{problem}; add {other} ones to the test set',)
  mend = 'give a test file with both kinds (test=, data.test_path)'
  if config.protocol == 'given':
    mend = 'mend the labels of the test file or data.normal_labels (normal=)'
  raise errors.UserError(
    f'{problem}; {mend}, or leave data.label_column (label=) out for scores'
    ' only'
  )


def _warnings_of_leaks(source, test, anomalous) -> tuple[str, ...]:
  """Returns a warning of inputs that separate the test labels alone."""
  if not source.columns or not source.labelled or not len(test):
    return ()
  names = columns.input_names(source.columns)
  indices = leaks.alone(source.inputs, test, anomalous)
  if not indices:
    return ()
  listed = ', '.join(f'"{names[i]}"' for i in indices[:5])
  more = f' and {len(indices) - 5} more' if len(indices) > 5 else ''
  return (
    f'input {listed}{more} alone separates the test labels (AUROC above 0.99):'
    ' if it was written down together with the label, it is a leak; leave it'
    ' out (data.drop_columns, drop=)',
  )


def _normal_names(source, normal_class) -> str:
  chosen = source.normal_labels if normal_class is None else (normal_class,)
  return 'label ' + ', '.join(source.label_names[i] for i in chosen)


def _one_class(source, config, normal, rng):
  """Splits the normals; anomalies join the test set in the wanted share."""
  name = source.label_names[source.labels[normal][0]] if normal.any() else '?'
  normals = rng.permutation(np.flatnonzero(normal))
  anomalies = rng.permutation(np.flatnonzero(~normal))
  if not len(anomalies):
    raise errors.UserError(
      f'all {len(normals)} samples of data set "{source.name}" are of class'
      f' "{name}", so there is no anomaly to test on; give a file with other'
      ' classes, or use data.protocol "random_rows"'
    )
  cut = round(config.train_fraction * len(normals))
  fraction = config.anomaly_fraction
  if fraction:
    count = max(1, round(fraction / (1 - fraction) * (len(normals) - cut)))
    if count > len(anomalies):
      most = len(anomalies) / (len(anomalies) + len(normals) - cut)
      raise errors.UserError(
        f'data.anomaly_fraction {fraction:g} needs {count} anomalies beside'
        f' the {len(normals) - cut} normal test samples of class "{name}",'
        f' but there are {len(anomalies)}; lower it to at most'
        f' {int(most * 1000) / 1000:g}, or use 0 to take all'
      )
    anomalies = anomalies[:count]
  return normals[:cut], np.concatenate([normals[cut:], anomalies])


def _official(source, config, normal, rng):
  """Returns the normals of the official training set and all its test set."""
  del config, rng
  if source.is_test is None:
    raise errors.UserError(
      'data.protocol "official" needs an official test set, but data set'
      f' "{source.name}" has none; use "one_class"'
    )
  return _train_and_test(source, normal)


def _random_rows(source, config, normal, rng):
  """Splits all samples; of the training part, only the normals train."""
  rows = _shuffled(source, np.arange(len(normal)), rng)
  cut = round(config.train_fraction * len(rows))
  return rows[:cut][normal[rows[:cut]]], rows[cut:]


def _given(source, config, normal, rng):
  """Returns the normals outside the source's own test set, and all of that."""
  del config, rng
  if source.is_test is None:
    raise errors.UserError(
      f'data.protocol "given" needs a test set, but data set "{source.name}"'
      ' has none of its own; set data.test_path (arrays), add a folder test'
      ' (image_folder, frames), or use "random_rows"'
    )
  return _train_and_test(source, normal)


def _train_and_test(source, normal):
  train = np.flatnonzero(normal & ~source.is_test)
  return train, np.flatnonzero(source.is_test)


def _all(source, config, normal, rng):
  """Returns the normals, and no sample to test."""
  del source, config, rng
  return np.flatnonzero(normal), np.zeros(0, np.int64)


_PROTOCOLS = {
  'one_class': _one_class,
  'official': _official,
  'random_rows': _random_rows,
  'given': _given,
  'all': _all,
}
_OWN_TEST = ('official', 'given')  # Protocols that draw no test sample.


def _shuffled(source, rows, rng) -> np.ndarray:
  """Permutes samples; of videos, whole ones, as neighbouring clips overlap."""
  if source.videos is None:
    return rng.permutation(rows)
  rank = rng.permutation(len(source.videos.names))
  return rows[np.argsort(rank[source.videos.video[rows]], kind='stable')]


def _hold_out(source, pool, fraction, rng) -> tuple[np.ndarray, np.ndarray]:
  """Returns sorted (train, validation); validation has at least one sample."""
  pool = _shuffled(source, pool, rng).astype(np.int32)
  size = max(1, round(fraction * len(pool)))
  return np.sort(pool[size:]), np.sort(pool[:size])


def _without_shared_frames(source, train, others) -> np.ndarray:
  """Returns the training samples without clips that share a frame with others.

  Motion shares the frames that it is of.

  Args:
    source: all samples.
    train: [n] indices of training samples.
    others: indices of validation and test samples.
  """
  if source.videos is None:
    return train
  number = source.inputs.number.reshape(len(source.inputs), -1)
  reach = getattr(source.inputs.frames, 'reach', 0)
  near = np.unique(number[others])[:, None] + np.arange(-reach, reach + 1)
  return train[~np.isin(number[train], near).any(axis=1)]


def _unknown(source, transform, validation, test, rule) -> dict[str, int]:
  """Returns {category: count} of test samples whose category is unknown.

  Raises:
    UserError: `rule` is 'error', and a validation or test sample has an unknown
      category.
  """
  counts_and_rows = transforms.unknown_categories(source, transform, test)
  if rule == 'error':
    rows = np.concatenate([validation, test])
    for name, (count, first) in transforms.unknown_categories(
      source, transform, rows
    ).items():
      raise errors.UserError(
        f'data set "{source.name}": category "{name}" is in no training'
        f' sample, but in {count} others, first sample {first}; set'
        ' data.unknown_category to "zero", which encodes it as zeros'
      )
  return {name: count for name, (count, _) in counts_and_rows.items()}
