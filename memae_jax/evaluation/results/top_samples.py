"""Which samples have the highest scores, by what a user finds them again."""

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
  """What the first network of each variant flags, for the head of a report.

  Args:
    source: of the samples.
    networks: all of the fleet.
    quantile: of the validation normals, above which a sample is flagged.

  Returns:
    By variant: name of the network, its threshold and how many samples are
    flagged (None without validation normals), of how many; index into the data
    of the sample with the highest score, and its row as of `highest`.
  """
  out = {}
  for replica in _first(networks):
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
  """The samples with the highest scores by the first network of each variant.

  Args:
    source, networks, quantile: see `flags`.

  Returns:
    By variant: name of the network, and a row a sample; {} where nobody would
    look for a sample of this source.
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
    for replica in _shown(source, networks)
  }


def as_csv(
  source: types.Source,
  networks: Sequence[scores.ReplicaScores],
  quantile: float,
) -> str:
  """All test samples, highest score first; '' where `highest` returns {}.

  What is true is 1, what is not 0, as in all files of scores.
  """
  number = lambda value: int(value) if isinstance(value, bool) else value
  lines: list[list[Any]] = []
  for replica in _shown(source, networks):
    lines = lines or [['network', *_columns(source)]]
    rows = _rows(source, replica, quantile, len(replica.score))
    lines += [[replica.name, *map(number, row)] for row in rows]
  return spreadsheet.text(lines)


def _places(source: types.Source) -> dict[str, np.ndarray]:
  videos = source.videos
  if videos is None:
    return source.places
  names = np.array(videos.names, object)
  return {'video': names[videos.video], 'frame': videos.frame}


def _shown(source, networks) -> list[scores.ReplicaScores]:
  return _first(networks) if _places(source) else []


def _first(networks) -> list[scores.ReplicaScores]:
  """The first network by name of each variant."""
  of = {replica.name: replica for replica in networks}
  pairs = [(replica.fields['variant'], replica.name) for replica in networks]
  return [of[name] for name in scores.first_names(pairs)]


def _columns(source: types.Source) -> list[str]:
  known = ['label', 'anomalous'] if source.labelled else []
  return [*_places(source), *known, 'score', 'flagged']


def _rows(source, replica, quantile, most):
  """Rows of `_columns`; `flagged` is None without validation normals."""
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
