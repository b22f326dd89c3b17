"""AUROC of estimators beside PyOD's, on tables that scikit-learn ships.

python -m benchmarks.estimators [--seeds=5] [--epochs=0]
  [--tables breast_cancer wine digits iris]

One class is normal; half of it, drawn by the seed, trains, and the other half
is tested with all rows of the other classes. Each detector has the settings
that its package gives it, and the same standardised rows. The normal classes
were chosen before any run: benign tumours, the most frequent wine and digit,
and the iris that lies between the two others.

PyOD's detectors need `pip install -e '.[peers]'`; without it they are left out,
with a line. `--epochs` shortens networks of both packages, to try the command.
The last line is JSON.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import sklearn.datasets
import sklearn.metrics
import sklearn.preprocessing

import memae_jax

try:
  import pyod.models.auto_encoder
  import pyod.models.deep_svdd
  import pyod.models.iforest

  MISSING = ''
except ImportError as error:
  MISSING = f'PyOD is left out ({error}); pip install -e ".[peers]"'

# The label that is normal in each table.
TABLES = {'breast_cancer': 1, 'wine': 1, 'digits': 3, 'iris': 1}
OURS = ('MemAE', 'AE', 'DeepSVDD', 'IsolationForest')


def split(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns training rows [n, D], test rows [t, D] and whether each is odd.

  Args:
    name: of the table.
    seed: of the draw.
  """
  rows, labels = getattr(sklearn.datasets, f'load_{name}')(return_X_y=True)
  normal = np.flatnonzero(labels == TABLES[name])
  normal = np.random.default_rng(seed).permutation(normal)
  train, rest = np.split(normal, [len(normal) // 2])
  test = np.concatenate([rest, np.flatnonzero(labels != TABLES[name])])
  scaler = sklearn.preprocessing.StandardScaler().fit(rows[train])
  odd = labels[test] != TABLES[name]
  return scaler.transform(rows[train]), scaler.transform(rows[test]), odd


def ours(name: str, seed: int, epochs: int) -> Callable[..., np.ndarray]:
  """Returns a function of training and test rows that scores the latter.

  Args:
    name: of the estimator.
    seed: of the estimator.
    epochs: of networks; 0: as they come.
  """
  shorter = {'epochs': epochs} if epochs and name != 'IsolationForest' else {}

  def score(train, test):
    kind = getattr(memae_jax, name)
    detector = kind(random_state=seed, verbose=0, **shorter)
    return detector.fit(train).anomaly_score(test)

  return score


def peers(
  shape: tuple[int, int], seed: int, epochs: int
) -> dict[str, Callable[..., np.ndarray]]:
  """Returns functions as `ours` does, of PyOD; {} where it is not installed.

  Its AutoEncoder drops a batch that is not full, so batches are no larger than
  the training set.

  Args:
    shape: numbers of training rows and of columns.
    seed, epochs: see `ours`.
  """
  if MISSING:
    return {}
  models, (rows, width) = pyod.models, shape
  batch = min(32, rows)  # PyOD's own is 32.
  auto = {'epoch_num': epochs} if epochs else {}
  deep = {'epochs': epochs} if epochs else {}
  detectors = {
    'PyOD AutoEncoder': models.auto_encoder.AutoEncoder(
      random_state=seed, verbose=0, batch_size=batch, **auto
    ),
    'PyOD DeepSVDD': models.deep_svdd.DeepSVDD(
      n_features=width,
      random_state=seed,
      verbose=0,
      batch_size=batch,
      **deep,
    ),
    'PyOD IForest': models.iforest.IForest(random_state=seed),
  }
  return {
    name: lambda train, test, one=detector: one.fit(train).decision_function(
      test
    )
    for name, detector in detectors.items()
  }


def measure(table: str, seed: int, epochs: int) -> dict[str, dict[str, float]]:
  """Returns AUROC and seconds of each detector on a table.

  Args:
    table: name.
    seed, epochs: see `ours`.
  """
  train, test, odd = split(table, seed)
  detectors = {name: ours(name, seed, epochs) for name in OURS}
  detectors |= peers(train.shape, seed, epochs)
  out = {}
  for name, score in detectors.items():
    begun = time.perf_counter()
    scores = score(train, test)
    seconds = time.perf_counter() - begun
    auroc = float(sklearn.metrics.roc_auc_score(odd, scores))
    out[name] = {'auroc': auroc, 'seconds': seconds}
  return out


def table_of(found: dict[str, dict[str, list[float]]]) -> str:
  """Returns mean and deviation over seeds as a table of Markdown.

  Args:
    found: AUROCs by table and detector.
  """
  names = list(next(iter(found.values())))
  lines = [
    f'| table | {" | ".join(names)} |',
    '| --- ' * (len(names) + 1) + '|',
  ]
  for table, by_name in found.items():
    cells = []
    for values in by_name.values():
      spread = statistics.stdev(values) if len(values) > 1 else 0.0
      cells.append(f'{statistics.mean(values):.3f} ± {spread:.3f}')
    lines.append(f'| {table} | {" | ".join(cells)} |')
  return '\n'.join(lines)


def main() -> None:
  """Measures all tables and seeds, and prints a table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--seeds', type=int, default=5)
  parser.add_argument('--epochs', type=int, default=0)
  parser.add_argument('--tables', nargs='+', default=[*TABLES], choices=TABLES)
  options = parser.parse_args()
  if MISSING:
    print(MISSING, file=sys.stderr)
  runs = {
    table: [measure(table, s, options.epochs) for s in range(options.seeds)]
    for table in options.tables
  }
  found = {
    table: {
      name: [run[name]['auroc'] for run in of_table] for name in of_table[0]
    }
    for table, of_table in runs.items()
  }
  print(table_of(found))
  print(json.dumps({'seeds': options.seeds, 'missing': MISSING, 'runs': runs}))


if __name__ == '__main__':
  main()
