"""Makes a file of data/ that counts false alarms at rates stated beforehand.

python docs/results/extract_alarms.py alarms "MNIST=runs/a" \
    "KDDCUP99=runs/b" --command='python -m memae_jax.main --config=...'

From scores.npz of each run: the threshold comes from the validation normals of
a replica, false alarms are counted on its normal test samples.
"""

import argparse
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import extract
import numpy as np
import scipy.stats

from memae_jax import conformal
from memae_jax.estimators import run
from memae_jax.evaluation.report import wording

_RATES = 0.01, 0.05, 0.1
_FDR = 0.1
_BAND = 0.99  # Of the beta-binomial law.
_COLUMNS = (
  'data',
  'method',
  'runs',
  'validation normals',
  'stated rate',
  'false alarms',
  'bound',
  f'runs in the {_BAND:.0%} band',
  'anomalies caught',
)


def in_band(count: int, tested: int, normal: np.ndarray, rate: float) -> bool:
  """Returns whether a count of false alarms is as the law has it.

  Args:
    count: false alarms.
    tested: normal test samples.
    normal: [n] scores of validation normals; where some are equal there are
      fewer alarms, and only too many are against the law.
    rate: that was stated.
  """
  above = conformal.count_above(len(normal), rate)
  law = scipy.stats.betabinom(tested, above, len(normal) + 1 - above)
  if len(np.unique(normal)) < len(normal):
    return bool(count <= law.ppf(_BAND))
  low, high = law.interval(_BAND)
  return bool(low <= count <= high)


def replicas(one: run.Run, methods: Sequence[str]) -> Iterator[tuple[str, Any]]:
  """Yields method and arrays of each replica of some methods; (): of all."""
  scores = one.scores
  for replica in one.results['replicas']:
    method = replica['fields']['variant']
    if not methods or method in methods:
      yield method, scores[replica['name']]


def rows(
  label: str, one: run.Run, methods: Sequence[str] = ()
) -> list[list[Any]]:
  """Returns a row of each method of a run and stated rate."""
  of_methods: dict[str, list[Any]] = {}
  for method, arrays in replicas(one, methods):
    of_methods.setdefault(method, []).append(arrays)
  return [
    [label, wording.label(method), *_row(many, rate)]
    for method, many in of_methods.items()
    for rate in _RATES
  ]


def _row(many: list[Any], rate: float) -> list[Any]:
  shares, inside, caught = [], 0, []
  held_out = [len(arrays['validation_score']) for arrays in many]
  for arrays in many:
    limit = conformal.threshold(arrays['validation_score'], rate)
    flagged, odd = arrays['score'] > limit, arrays['anomalous'].astype(bool)
    count, tested = int(flagged[~odd].sum()), int((~odd).sum())
    shares.append(count / tested)
    inside += in_band(count, tested, arrays['validation_score'], rate)
    caught.append(flagged[odd].mean())
  error = np.std(shares, ddof=1) / np.sqrt(len(shares))
  return [
    len(many),
    round(float(np.mean(held_out))),
    rate,
    {'mean': float(np.mean(shares)), 'std': float(np.std(shares, ddof=1))},
    rate + 2 * float(error),
    inside,
    {'mean': float(np.mean(caught))},
  ]


def discoveries(
  label: str, one: run.Run, methods: Sequence[str] = ()
) -> list[list[Any]]:
  """Returns a row of each method: Benjamini and Hochberg at a rate."""
  of_methods: dict[str, list[Any]] = {}
  for method, arrays in replicas(one, methods):
    p = conformal.p_values(arrays['score'], arrays['validation_score'])
    found, odd = conformal.discoveries(p, _FDR), arrays['anomalous'] > 0
    wrong = float((~odd)[found].mean()) if found.any() else 0.0
    of_methods.setdefault(method, []).append((wrong, found[odd].mean()))
  out = []
  for method, pairs in of_methods.items():
    wrong, caught = np.transpose(pairs)
    share = {'mean': float(wrong.mean()), 'std': float(wrong.std(ddof=1))}
    name = wording.label(method)
    out.append([label, name, _FDR, share, {'mean': float(caught.mean())}])
  return out


def main() -> None:
  """Reads the command line."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('name', help='of the file in data/')
  parser.add_argument('runs', nargs='+', help='LABEL=FOLDER')
  parser.add_argument('--methods', nargs='+', default=())
  parser.add_argument('--command', action='append', default=[])
  args = parser.parse_args()
  every = []
  for words in args.runs:
    label, _, folder = words.partition('=')
    every.append((label, run.Run(pathlib.Path(folder))))
  facts = extract.facts(every[0][1].results, args.command)
  facts['source'] = 'computed from the `scores.npz` of these runs'
  del facts['config'], facts['time']
  found = [
    row for label, one in every for row in discoveries(label, one, args.methods)
  ]
  tables = {
    'rates': extract.table(
      _COLUMNS,
      [row for label, one in every for row in rows(label, one, args.methods)],
    )
    | {'digits': [0, 0, 0, 0, 2, 4, 4, 0, 4]},
    'discoveries': extract.table(
      ['data', 'method', 'stated', 'false discoveries', 'caught'], found
    )
    | {'digits': [0, 0, 2, 4, 4]},
  }
  print(extract.write(args.name, facts | {'tables': tables}))


if __name__ == '__main__':
  main()
