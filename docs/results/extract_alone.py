"""Makes a file of data/ from runs of pictures that stand alone.

python docs/results/extract_alone.py one_picture runs/one_weave runs/one_wall \
    --command='python -m memae_jax.main --config=configs/one_image.py:...'

Each run has a texture of its own; tables have a row for each.
"""

import argparse
import json
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import extract

from memae_jax import losses
from memae_jax.evaluation.media import foretold
from memae_jax.evaluation.report import wording

_METRIC = 'auroc'
_CALM = 5  # Deviations.
_Z2 = 0.8, 1.2


def of_runs(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
  """Returns the tables of runs.

  Args:
    runs: their results.json.

  Returns:
    `foretold`: what pictures say of themselves, in counts. `methods`: AUROC of
    each method. `scores`: AUROC of each score of the first one.
  """
  names = [run['dataset']['notes']['texture'] for run in runs]
  counts = [[name, *_counts(run['foretold'])] for name, run in zip(names, runs)]
  methods = list(runs[0]['methods'])
  by_method = [
    [name, *(extract.headline_cell(run, m, _METRIC) for m in methods)]
    for name, run in zip(names, runs)
  ]
  rules = list(runs[0]['rules'][methods[0]])
  by_rule = [
    [name]
    + [extract.cell(run['rules'][methods[0]][rule][_METRIC]) for rule in rules]
    for name, run in zip(names, runs)
  ]
  titles = [losses.find(rule).title for rule in rules]
  labels = [wording.label(method) for method in methods]
  return {
    'foretold': extract.table(list(_COUNTS), counts)
    | {'digits': [0, 0, 2, 0, 0, 0, 0, 0]},
    'methods': extract.table(['texture', *labels], by_method),
    'scores': extract.table(['texture', *titles], by_rule),
  }


_COUNTS = (
  'texture',
  'pictures',
  'median R^2',
  f'R^2 below {foretold.LEAST_R2}',
  f'mean z^2 in {_Z2[0]} to {_Z2[1]}',
  f'rest below {_CALM} deviations',
  'with a defect',
  'loudest pixel there',
)


def _counts(of_replicas: Mapping[str, Sequence[Mapping[str, Any]]]) -> list:
  (lines,) = of_replicas.values()
  r2 = [line['r2'] for line in lines if line['r2'] is not None]
  hits = [line['hit'] for line in lines if line['hit'] is not None]
  calm = [line['elsewhere'] for line in lines]
  return [
    len(lines),
    statistics.median(r2),
    sum(value < foretold.LEAST_R2 for value in r2),
    sum(_Z2[0] <= (line['mean_z2'] or 0) <= _Z2[1] for line in lines),
    sum(value is not None and value < _CALM for value in calm),
    len(hits),
    sum(hits),
  ]


def main() -> None:
  """Reads the command line."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('name', help='of the file in data/')
  parser.add_argument('runs', nargs='+', type=pathlib.Path)
  parser.add_argument('--command', action='append', default=[])
  args = parser.parse_args()
  runs = [json.loads((run / 'results.json').read_text()) for run in args.runs]
  facts = extract.facts(runs[0], args.command)
  where = [run['environment'] for run in runs]
  trained = dict.fromkeys(one['training']['commit'] for one in where)
  facts['commit'] = f'{" and ".join(trained)}, evaluated at {facts["commit"]}'
  facts['source'] = 'extracted from the `results.json` of these runs'
  seconds = sum(run['throughput']['training_seconds'] for run in runs)
  pictures = sum(len(*run['foretold'].values()) for run in runs)
  facts['time'] = f'{seconds:.0f} s for {pictures} pictures'
  del facts['config']
  print(extract.write(args.name, facts | {'tables': of_runs(runs)}))


if __name__ == '__main__':
  main()
