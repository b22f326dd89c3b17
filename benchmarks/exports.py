"""Differences of exported scores from evaluated ones, and large memories.

python -m benchmarks.exports           a table of methods, an hour on 2 cores
python -m benchmarks.exports --only=memae --to=exports.json
python -m benchmarks.exports --slots=100000     peak memory of a bank x 784

The first trains each method shortly (`export_cases`), exports it, and compares
all samples of its data. The second does so for some, and writes a data file of
docs/results. The third exports the first weights of a bank on generated rows,
and loads the file in a process of its own.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import traceback

import jax
import numpy as np

from benchmarks import export_cases
from memae_jax import config as config_lib
from memae_jax import export, scorer
from memae_jax.evaluation.scoring import collect, onnx_file, single
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, step

WIDTH = 784
COLUMNS = (
  *('method', 'data', 'samples', 'median score'),
  *('scorer: largest difference', 'equal flags', 'KiB'),
  *('ONNX: largest difference', 'equal flags '),
)
Row = tuple[str | int | None, ...]


def _config(folder: pathlib.Path, **fields):
  """Returns a small config on the rows of a folder."""
  base = {
    'data.name': 'arrays',
    'data.path': str(folder / 'rows.npz'),
    'data.protocol': 'random_rows',
    'data.scaling': 'standard',
    'methods.bank.features': 'raw',
    'eval.baselines': (),
    'eval.bootstrap': 0,
  }
  config = config_lib.default()
  config_lib.assign(config, base | fields)
  return config_lib.resolve(config)


def compare(folder: pathlib.Path, config, label: str, data: str) -> Row:
  """Returns the differences of one method, see `COLUMNS`.

  Args:
    folder: to write to.
    config: of its run, resolved.
    label: of the method.
    data: name of its data.
  """
  exp = experiment.build(config)
  state = loop.train(exp, folder)
  weights, rows = step.weights(state), np.arange(len(exp.source.inputs))
  want = exp.programs.score(weights, [rows]).scores[exp.rule][0, : len(rows)]
  path = folder / 'a.scorer'
  export.to_file(folder, path)
  raw = onnx_file.raw(np.asarray(exp.source.inputs[rows]), exp.source.host)
  found = scorer.load(path).score(raw)
  at = _amid(want)
  equal = int(((found > at) == (want > at)).sum())
  row: Row = (label, data, len(rows), f'{at:.2g}')
  far, size = np.abs(found - want).max(), path.stat().st_size
  row += (f'{far:.1e}', equal, round(size / 1024))
  try:
    onnx_file.check(exp.replicas[0].variant)
    one = single.of(exp, weights, 0)
    content = onnx_file.written(one, exp.source.host, {})
    result = onnx_file.compared(content, raw, want, at)
    return *row, f'{result.difference:.1e}', result.flags
  except errors.UserError as error:
    print(f'{label} on {data}: no ONNX: {error}', file=sys.stderr)
    return *row, None, None


def _amid(scores: np.ndarray) -> float:
  """Returns a threshold amid scores [n] that is none of them."""
  values = np.unique(scores.astype(np.float64))
  half = len(values) // 2
  return float(values[max(half - 1, 0) : half + 1].mean())


def table(folder: pathlib.Path, only: str) -> tuple[list[Row], list[str]]:
  """Returns the rows of all cases, printed as they come, and what failed.

  Args:
    folder: to write to.
    only: name of a method; '': all.
  """
  rows, failed = [], []
  path = export_cases.write_table(folder)
  print(*COLUMNS, sep=', ')
  for number, (data, method, what, fields) in enumerate(export_cases.CASES):
    if only not in ('', method):
      continue
    label = f'{method}, {what}' if what else method
    try:
      config = export_cases.config(data, method, fields, path)
      row = compare(folder / str(number), config, label, data)
    except Exception:  # The others are still to be seen.
      traceback.print_exc()
      failed.append(f'{label} on {data}')
      continue
    rows.append(row)
    print(*row, sep=', ', flush=True)
  return rows, failed


def document(rows: list[Row]) -> str:
  """Returns the data file of a table for docs/results."""
  git = ['git', 'rev-parse', '--short', 'HEAD']
  commit = subprocess.run(git, capture_output=True, text=True, check=False)
  cores = len(os.sched_getaffinity(0))
  machine = f'{cores} CPU cores of {platform.machine()}'
  lines = ',\n'.join(f'        {json.dumps(row)}' for row in rows)
  main = {
    'columns': COLUMNS,
    'align': 'llrrrrrrr',
    'digits': 0,
    'rows': [],
  }
  found = {
    'source': 'printed by the benchmark',
    'commands': ['python -m benchmarks.exports'],
    'commit': commit.stdout.strip(),
    'device': f'{machine}, jax {jax.__version__}',
    'tables': {'main': main},
  }
  text = json.dumps(found, indent=2)
  return text.replace('"rows": []', f'"rows": [\n{lines}\n      ]') + '\n'


def _peak() -> str:
  """Returns the largest memory of this process so far (Linux)."""
  # Not that of `resource`, which begins with that of the parent.
  (line,) = (
    line
    for line in pathlib.Path('/proc/self/status').read_text().splitlines()
    if line.startswith('VmHWM')
  )
  return f'{int(line.split()[1]) / 2**20:.2f} GiB'


def large(folder: pathlib.Path, slots: int) -> None:
  """Prints the peak memory of an export, and that of loading its file.

  Args:
    folder: to write to.
    slots: of the bank.
  """
  rows = np.random.default_rng(0).normal(size=(2000, WIDTH))
  np.savez(folder / 'rows.npz', inputs=rows.astype(np.float32))
  exp = experiment.build(
    _config(
      folder, **{'fleet.variants': ('bank',), 'model.memory.slots': slots}
    )
  )
  one = single.of(exp, step.weights(exp.programs.init()), 0)
  path, calibrated = (
    folder / 'a.scorer',
    collect.Calibration(0.5, (), np.zeros(9)),
  )
  before = _peak()
  members = export.programs(one, exp.config)
  export.write(path, members, export.meta(exp, 0, calibrated, 0, 0))
  sizes = {name: len(part) for name, part in members.items()}
  print(f'{slots} slots of {WIDTH}: bytes {sizes}')
  print(f'export: peak {_peak()}, before it {before}')
  subprocess.run(
    [sys.executable, '-m', 'benchmarks.exports', f'--load={path}'], check=True
  )


def load(path: pathlib.Path) -> None:
  """Prints the peak memory of loading a file and scoring 100 rows.

  Args:
    path: of the file.
  """
  found = scorer.load(path)
  loaded = _peak()
  found.score(np.zeros((100, WIDTH), np.float32))
  print(f'load: peak {loaded}; with 100 rows scored {_peak()}')


def main() -> None:
  """Runs what the flags ask for."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--slots', type=int, default=0)
  parser.add_argument('--load', type=pathlib.Path)
  parser.add_argument('--only', default='', help='name of a method')
  parser.add_argument('--to', type=pathlib.Path, help='data file to write')
  options = parser.parse_args()
  if options.load:
    load(options.load)
    return
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    if options.slots:
      large(folder, options.slots)
      return
    rows, failed = table(folder, options.only)
  if options.to:
    options.to.write_text(document(rows))
  if failed:
    sys.exit(f'failed: {", ".join(failed)}')


if __name__ == '__main__':
  main()
