"""Generates a table of card payments of the form of the ULB table.

For tests and first tries: numbers on it say nothing about real payments. What
is like the published table are the columns and how they are written, the counts
(284,807 payments of two days, 492 frauds, about a thousand rows that repeat
another), 28 decorrelated features with heavy tails whose deviations fall from
1.96 to 0.33, amounts, and fewer payments at night.

  python -m memae_jax.data.prepare creditcard_made --data_dir=sets

writes one as `sets/creditcard_made/creditcard.csv`.

Payments are of eight kinds, and the size of what varies differs from payment to
payment. Of the frauds 15 % look like any payment; the others lie off in a
few directions, by their own amount. As the publisher did, the features are then
turned to their principal components, of all rows together.
"""

import pathlib

import numpy as np

from memae_jax.data.sets import creditcard
from memae_jax.runtime import atomic

_DAYS, _DAY = 2, 86_400  # Seconds.
_WIDTH = len(creditcard.COMPONENTS)
_DEVIATIONS = np.geomspace(1.96, 0.33, _WIDTH)
_KINDS = 8
_REPEATED = 0.004  # Share of the rows.
_HIDDEN = 0.15  # Share of the frauds that look like any payment.
_ROW = '%d,' + '%.12g,' * _WIDTH + '%.2f,"%d"\n'


def table(
  rows: int = creditcard.ROWS, frauds: int | None = None, seed: int = 0
) -> dict[str, np.ndarray]:
  """Generates the columns of a table.

  Args:
    rows: number of payments.
    frauds: how many of them; None: the published share, but at least one.
    seed: of all random choices.

  Returns:
    {name: [rows]} in the order of the file, rows in the order of time.
  """
  if frauds is None:
    frauds = max(1, round(creditcard.FRAUDS / creditcard.ROWS * rows))
  rng = np.random.default_rng(seed)
  is_fraud = np.zeros(rows, bool)
  is_fraud[rng.choice(rows, frauds, replace=False)] = True
  features = _features(rng, is_fraud)
  seconds = _seconds(rng, is_fraud)
  amount = _amounts(rng, is_fraud)
  # Some are booked twice: at once, or within a day.
  count = round(_REPEATED * rows)
  normal = np.flatnonzero(~is_fraud)
  first, again = rng.choice(normal, (2, count), replace=False)
  later = np.where(rng.random(count) < 0.5, 0, rng.integers(0, _DAY, count))
  for column in (features, amount):
    column[again] = column[first]
  last = _DAYS * _DAY - 1
  seconds[again] = np.minimum(seconds[first] + later, last)
  order = np.argsort(seconds, kind='stable')
  components = _components(features)
  return {
    creditcard.TIME: seconds[order],
    **dict(zip(creditcard.COMPONENTS, components[order].T)),
    creditcard.AMOUNT: amount[order],
    creditcard.CLASS: is_fraud[order].astype(int),
  }


def _features(rng, is_fraud: np.ndarray) -> np.ndarray:
  """Draws features [S, 28] before they are turned."""
  rows = len(is_fraud)
  centres = rng.normal(0, 1.5, (_KINDS, _WIDTH))
  kind = rng.choice(_KINDS, rows, p=rng.dirichlet(np.full(_KINDS, 2.0)))
  mixing = rng.normal(0, 1, (_WIDTH, _WIDTH)) / np.sqrt(_WIDTH)
  size = np.exp(rng.normal(0, 0.6, (rows, 1)))
  drawn = size * rng.standard_t(4, (rows, _WIDTH)) @ mixing
  out = centres[kind] + drawn
  hidden = rng.random(rows) < _HIDDEN
  odd = np.flatnonzero(is_fraud & ~hidden)
  ways = rng.normal(0, 1, (3, _WIDTH)) * (rng.random((3, _WIDTH)) < 0.5)
  far = rng.gamma(2.0, 5.0, (len(odd), 1))
  out[odd] += far * ways[rng.integers(0, 3, len(odd))]
  return out


def _components(features: np.ndarray) -> np.ndarray:
  """Turns features [S, 28] to decorrelated ones of falling deviation."""
  centred = features - features.mean(axis=0)
  _, vectors = np.linalg.eigh(centred.T @ centred)
  turned = centred @ vectors[:, ::-1]
  return turned * (_DEVIATIONS / turned.std(axis=0))


def _seconds(rng, is_fraud: np.ndarray) -> np.ndarray:
  """Draws whole seconds [S]: few payments at night, frauds at any time."""
  rows = len(is_fraud)
  hours = np.arange(24)
  rates = 1 + 0.9 * np.sin(2 * np.pi * (hours - 9) / 24)
  hour = rng.choice(24, rows, p=rates / rates.sum())
  hour = np.where(is_fraud, rng.integers(0, 24, rows), hour)
  day = rng.integers(0, _DAYS, rows)
  return day * _DAY + hour * 3600 + rng.integers(0, 3600, rows)


def _amounts(rng, is_fraud: np.ndarray) -> np.ndarray:
  """Draws amounts [S] in whole cents: many small ones, few large ones."""
  rows = len(is_fraud)
  normal = np.exp(rng.normal(3.1, 1.5, rows))
  fraud = np.exp(rng.normal(2.4, 2.0, rows))
  return np.round(np.minimum(np.where(is_fraud, fraud, normal), 25_000), 2)


def write(path: pathlib.Path, columns: dict[str, np.ndarray]) -> None:
  """Writes a table as Kaggle's file: names and Class in quotes.

  Args:
    path: of the csv file.
    columns: from `table`.

  Raises:
    UserError: the disk refuses it.
  """
  names = ','.join(f'"{name}"' for name in columns)
  rows = zip(*(column.tolist() for column in columns.values()))
  text = ''.join([f'{names}\n', *(_ROW % row for row in rows)])
  atomic.write(path, text)


def prepare(
  target: pathlib.Path, manual_dir: pathlib.Path | None
) -> pathlib.Path:
  """Writes a table of the published size, unless one is there.

  Args:
    target: folder of the table.
    manual_dir: not read.

  Returns:
    `target`.
  """
  del manual_dir
  path = target / creditcard.FILES[0]
  if not path.is_file():
    write(path, table())
  return target
