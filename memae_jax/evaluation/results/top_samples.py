"""Lists of the samples with the highest scores, with the places to find them.

A place is a file, a row, a key, or a video and a frame. Rows of tables have the
columns that add most to their scores, where there are such.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from memae_jax.data import types
from memae_jax.data.tables import contributions, written
from memae_jax.evaluation.scoring import scores
from memae_jax.runtime import spreadsheet

_MOST = 10
BLOCK = 2**14  # Rows that are Python objects at the same time.


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
      'highest': _described(source, replica, quantile, [top])[0],
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
    By variant: name of the network, and one row per sample, with `strongest`
    where columns are known: name, share of the score and value of each. Where
    there are none, `no_columns` says why. {} for a source whose samples have no
    places.
  """
  out = {}
  for replica in _listed(source, networks):
    rows = _described(source, replica, quantile, _order(replica)[:_MOST])
    entry = {'network': replica.name, 'rows': rows}
    if replica.no_columns:
      entry['no_columns'] = replica.no_columns
    out[replica.fields['variant']] = entry
  return out


def _described(source, replica, quantile, order) -> list[dict[str, Any]]:
  """Returns rows of `_columns` by name, with `strongest` where it is known."""
  rows = _rows(source, replica, quantile, order)
  described = [dict(zip(_columns(source), row)) for row in rows]
  if replica.columns is not None:
    for place, row in zip(order, described):
      row['strongest'] = _strongest(source, replica, place)
  return described


def _strongest(source, replica, place: int) -> list[dict[str, Any]]:
  """Returns name, share and value of the strongest columns of a test row."""
  found = replica.columns
  at = zip(found.index[place].tolist(), found.share[place].tolist())
  return [
    {
      'column': source.columns[index].name,
      'share': share,
      'value': written.value(source, int(replica.sample[place]), index),
    }
    for index, share in at
    if share > 0
  ]


def as_csv(
  source: types.Source,
  networks: Sequence[scores.ReplicaScores],
  quantile: float,
) -> Iterator[str]:
  """Yields all test samples as pieces of CSV text, highest score first.

  True is written as 1 and False as 0, as in all files of scores. Rows of tables
  have the names and shares of their strongest columns, if any network has them.

  Args:
    source, networks, quantile: see `flags`.

  Yields:
    Nothing where `highest` returns {}.
  """
  number = lambda value: int(value) if isinstance(value, bool) else value
  listed = _listed(source, networks)
  known = [r.columns for r in listed if r.columns is not None]
  count = known[0].index.shape[1] if known else 0
  titles = contributions.titles(count)
  if listed:
    yield spreadsheet.text([['network', *_columns(source), *titles]])
  names = [column.name for column in source.columns]
  for replica in listed:
    order = _order(replica)
    for start in range(0, len(order), BLOCK):
      block = order[start : start + BLOCK]
      lines = [
        [replica.name, *map(number, row)]
        for row in _rows(source, replica, quantile, block)
      ]
      if replica.columns is not None:
        for line, place in zip(lines, block):
          line += contributions.cells(replica.columns, place, names)
      else:
        lines = [line + [None] * len(titles) for line in lines]
      yield spreadsheet.text(lines)


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


def _order(replica) -> np.ndarray:
  """Returns the places of test samples, highest score first."""
  return np.argsort(-replica.score, kind='stable')


def _rows(source, replica, quantile, order):
  """Returns rows of `_columns`.

  Args:
    source: of the samples.
    replica: its scores.
    quantile: of the validation normals; without them, `flagged` is None.
    order: places of the test samples that are wanted.
  """
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
