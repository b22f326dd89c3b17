"""Lists of the samples with the highest scores, with the places to find them.

A place is a file, a row, a key, or a video and a frame.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.scoring import scores
from memae_jax.runtime import spreadsheet

_MOST = 10


def flags(
  source: types.Source,
  networks: Sequence[scores.ReplicaScores],
  quantile: float,
) -> dict[str, Any]:
  """Counts what the first network of each variant flags.

  Args:
    source: of the samples.
    networks: scores of the whole fleet.
    quantile: of the validation normals, above which a sample is flagged.

  Returns:
    By variant: name of the network, its threshold and how many samples are
    flagged (None without validation normals), of how many; of the sample with
    the highest score, its index into the data and its row as in `highest`.
  """
  out = {}
  for replica in scores.firsts(networks).values():
    limit = replica.threshold(quantile)
    above = None if limit is None else int((replica.score > limit).sum())
    top = int(np.argmax(replica.score))
    out[replica.fields['variant']] = {
      'network': replica.name,
      'threshold': limit,
      'flagged': above,
      'of': len(replica.score),
      'sample': int(replica.sample[top]),
      'highest': dict(
        zip(_columns(source), next(_rows(source, replica, quantile, 1)))
      ),
    }
  return out


def highest(
  source: types.Source,
  networks: Sequence[scores.ReplicaScores],
  quantile: float,
) -> dict[str, Any]:
  """Lists the highest scores of the first network of each variant.

  Args:
    source, networks, quantile: see `flags`.

  Returns:
    By variant: name of the network, and one row per sample; {} for a source
    whose samples have no places.
  """
  columns = _columns(source)
  return {
    replica.fields['variant']: {
      'network': replica.name,
      'rows': [
        dict(zip(columns, row))
        for row in _rows(source, replica, quantile, _MOST)
      ],
    }
    for replica in _listed(source, networks)
  }


def as_csv(
  source: types.Source,
  networks: Sequence[scores.ReplicaScores],
  quantile: float,
) -> str:
  """Returns all test samples as CSV text, highest score first.

  True is written as 1 and False as 0, as in all files of scores.

  Args:
    source, networks, quantile: see `flags`.

  Returns:
    '' where `highest` returns {}.
  """
  number = lambda value: int(value) if isinstance(value, bool) else value
  lines: list[list[Any]] = []
  for replica in _listed(source, networks):
    lines = lines or [['network', *_columns(source)]]
    rows = _rows(source, replica, quantile, len(replica.score))
    lines += [[replica.name, *map(number, row)] for row in rows]
  return spreadsheet.text(lines)


def _places(source: types.Source) -> dict[str, np.ndarray]:
  """Returns [S] values by which samples are found, by column of the list."""
  videos = source.videos
  if videos is None:
    return source.places
  names = np.array(videos.names, object)
  return {'video': names[videos.video], 'frame': videos.frame}


def _listed(source, networks) -> list[scores.ReplicaScores]:
  """Returns the networks that are listed; none if samples have no places."""
  return list(scores.firsts(networks).values()) if _places(source) else []


def _columns(source: types.Source) -> list[str]:
  """Returns the columns of a list of samples."""
  labels = ['label', 'anomalous'] if source.labelled else []
  return [*_places(source), *labels, 'score', 'flagged']


def _rows(source, replica, quantile, most):
  """Returns rows of `_columns`, highest score first.

  Args:
    source: of the samples.
    replica: its scores.
    quantile: of the validation normals; without them, `flagged` is None.
    most: how many rows at most.
  """
  order = np.argsort(-replica.score, kind='stable')[:most]
  sample, score = replica.sample[order], replica.score[order]
  columns = [part[sample].tolist() for part in _places(source).values()]
  if source.labelled:
    names = np.array(source.label_names, object)
    columns += [names[source.labels[sample]], replica.anomalous[order].tolist()]
  limit = replica.threshold(quantile)
  flagged = [None] * len(order)
  if limit is not None:
    flagged = (score > limit).tolist()
  return zip(*columns, score.tolist(), flagged)
