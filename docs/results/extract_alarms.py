"""Makes a file of data/ that counts false alarms at rates stated beforehand.

python docs/results/extract_alarms.py alarms "MNIST=runs/a" \
    "KDDCUP99=runs/b" --command='python -m memae_jax.main --config=...'

From scores.npz of each run: the threshold comes from the validation normals of
a replica, false alarms are counted on its normal test samples.
"""

import argparse
import pathlib
from collections.abc import Mapping, Sequence
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


def by_method(
  one: run.Run, methods: Sequence[str]
) -> dict[str, list[Mapping[str, np.ndarray]]]:
  """Returns the arrays of the replicas of some methods; (): of all."""
  scores, found = one.scores, {}
  for replica in one.results['replicas']:
    method = replica['fields']['variant']
    if not methods or method in methods:
      found.setdefault(method, []).append(scores[replica['name']])
  return found


def of_rate(many: Sequence[Mapping[str, np.ndarray]], rate: float) -> list[Any]:
  """Returns the cells of a method at a stated rate of false alarms."""
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


def of_list(many: Sequence[Mapping[str, np.ndarray]]) -> list[Any]:
  """Returns the cells of a method by Benjamini and Hochberg."""
  wrong, caught = [], []
  for arrays in many:
    p = conformal.p_values(arrays['score'], arrays['validation_score'])
    found, odd = conformal.discoveries(p, _FDR), arrays['anomalous'] > 0
    wrong.append((~odd)[found].mean() if found.any() else 0.0)
    caught.append(found[odd].mean())
  return [
    _FDR,
    {'mean': float(np.mean(wrong)), 'std': float(np.std(wrong, ddof=1))},
    {'mean': float(np.mean(caught))},
  ]


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
  rates, lists, runs = [], [], []
  for words in args.runs:
    data, _, folder = words.partition('=')
    runs.append(run.Run(pathlib.Path(folder)))
    for method, many in by_method(runs[-1], args.methods).items():
      names = data, wording.label(method)
      rates += [[*names, *of_rate(many, rate)] for rate in _RATES]
      lists.append([*names, *of_list(many)])
  facts = extract.facts(runs[0].results, args.command)
  facts['source'] = 'computed from the `scores.npz` of these runs'
  del facts['config'], facts['time']
  tables = {
    'rates': extract.table(_COLUMNS, rates)
    | {'digits': [0, 0, 0, 0, 2, 4, 4, 0, 4]},
    'discoveries': extract.table(
      ['data', 'method', 'stated', 'false discoveries', 'caught'], lists
    )
    | {'digits': [0, 0, 2, 4, 4]},
  }
  print(extract.write(args.name, facts | {'tables': tables}))


if __name__ == '__main__':
  main()
