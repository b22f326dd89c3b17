"""Differences of exported scores from evaluated ones, and large memories.

python -m benchmarks.exports           a table of families, minutes on 2 cores
python -m benchmarks.exports --slots=100000     peak memory of a bank x 784

The first trains each family shortly on digits, exports it, and compares test
samples. The second exports the first weights of a bank on generated rows, and
loads the file in a process of its own.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from memae_jax import config as config_lib
from memae_jax import export, scorer
from memae_jax.evaluation.scoring import collect, onnx_file, single
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, step

WIDTH = 784
METHODS = ('memae', 'ae', 'vae', 'bank', 'encoder_bank', 'pca', 'deep_svdd')


def _config(folder: pathlib.Path | None = None, **fields):
  """Returns a small config on digits, or on the rows of a folder."""
  base = {
    'data.protocol': 'random_rows',
    'data.normal_labels': () if folder else ('0', '1', '2', '3', '4'),
    'data.train_fraction': 0.4,
    'model.widths': (32,),
    'model.code': 8,
    'train.epochs': 5.0,
    'eval.baselines': (),
    'eval.bootstrap': 0,
  }
  if folder:
    base |= {
      'data.name': 'arrays',
      'data.path': str(folder / 'rows.npz'),
      'data.scaling': 'standard',
      'methods.bank.features': 'raw',
    }
  config = config_lib.default()
  config_lib.assign(config, base | fields)
  return config_lib.resolve(config)


def compare(folder: pathlib.Path, method: str) -> None:
  """Prints the differences of one method.

  Args:
    folder: to write to.
    method: its name.
  """
  config = _config(**{
    'fleet.variants': (method,),
    'model.memory.slots': 50,
  })  # fmt: skip
  exp = experiment.build(config)
  state = loop.train(exp, folder / method)
  weights, rows = step.weights(state), exp.splits[0].test
  want = exp.programs.score(weights, [rows]).scores[exp.rule][0, : len(rows)]
  export.to_file(folder / method, folder / 'a.scorer')
  found = scorer.load(folder / 'a.scorer').score(exp.source.inputs[rows])
  at = float(np.median(want))  # A threshold amid the scores.
  equal = int(((found > at) == (want > at)).sum())
  line = f'{method:15} {len(rows):6} {np.abs(found - want).max():10.1e}'
  line += f' {equal:6}'
  try:
    onnx_file.check(method)
    content = onnx_file.written(single.of(exp, weights, 0), None, {})
    result = onnx_file.compared(content, exp.source.inputs[rows], want, at)
    line += f' {result.difference:10.1e} {result.flags:6}'
  except errors.UserError as error:
    line += f' {error}'
  print(line, flush=True)


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
  options = parser.parse_args()
  if options.load:
    load(options.load)
    return
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    if options.slots:
      large(folder, options.slots)
      return
    print('method         samples     scorer  flags       ONNX  flags')
    for method in METHODS:
      compare(folder, method)


if __name__ == '__main__':
  main()
