"""Peak memory of training on a table of many rows, and of scoring it.

python -m benchmarks.long_table [--rows=1000000] [--columns=50]
    [--files csv npz parquet] [--variant=memae+pca+bank]

Writes a table of correlated numbers with one anomalous row in a hundred, and
runs `memae_jax.main` on it in a process of its own: reading, one epoch, scores
of all test rows, results and report. The peak is that of the process, with
Python, JAX and the programs; the first row of a thousand rows says how much
that is. What is left is beside the size of the table as float32. The last line
is JSON.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

_FEW = 1000  # Rows of the table that shows what all the rest takes.
_BLOCK = 10_000  # Rows that are made at a time.
_FACTORS = 5
_EVERY = 100  # One row of so many is anomalous.


def blocks(rows: int, columns: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Yields numbers [n, columns] and whether a row is anomalous, [n] bool."""
  rng = np.random.default_rng(0)
  mixed = rng.normal(size=(_FACTORS, columns))
  for start in range(0, rows, _BLOCK):
    count = min(_BLOCK, rows - start)
    numbers = rng.normal(size=(count, _FACTORS)) @ mixed
    numbers += 0.3 * rng.normal(size=numbers.shape)
    odd = np.arange(start, start + count) % _EVERY == 0
    numbers[odd] += rng.normal(size=(odd.sum(), columns))
    yield numbers, odd


def write(path: pathlib.Path, rows: int, columns: int) -> None:
  """Writes a table as csv, npz (float64) or parquet, by the suffix."""
  names = [f'x{i}' for i in range(columns)]
  words = np.array(['ok', 'bad'])
  if path.suffix == '.csv':
    line = '%.6g,' * columns
    with path.open('w') as file:
      print(*names, 'kind', sep=',', file=file)
      for numbers, odd in blocks(rows, columns):
        for row, word in zip(numbers.tolist(), words[odd * 1]):
          print(line % tuple(row) + word, file=file)
  elif path.suffix == '.npz':
    numbers, odd = map(np.concatenate, zip(*blocks(rows, columns)))
    np.savez(path, inputs=numbers, kind=words[odd * 1])
  else:
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(n, pa.float64()) for n in names] + [('kind', 'str')])
    with parquet.ParquetWriter(path, schema) as writer:
      for numbers, odd in blocks(rows, columns):
        arrays = [*numbers.T, words[odd * 1].tolist()]
        arrays = [pa.array(part) for part in arrays]
        writer.write_table(pa.table(arrays, schema=schema))


def run(path: pathlib.Path, workdir: pathlib.Path, variant: str) -> dict:
  """Trains for one epoch on a file, and evaluates.

  Returns:
    `peak_mib` of the process, and `seconds`.
  """
  begun = time.perf_counter()
  process = subprocess.Popen(
    [
      *(sys.executable, '-m', 'memae_jax.main', f'--workdir={workdir}'),
      '--config=configs/arrays.py:label=kind,normal=ok,seeds=1,epochs=1,'
      f'variant={variant},path={path}',
    ],
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    stdout=subprocess.DEVNULL,
  )
  _, status, usage = os.wait4(process.pid, 0)
  process.returncode = os.waitstatus_to_exitcode(status)
  if status:
    raise SystemExit('memae_jax.main failed; its error is above')
  return {
    'peak_mib': round(usage.ru_maxrss / 1024),
    'seconds': round(time.perf_counter() - begun, 1),
  }


def measure(
  folder: pathlib.Path, kind: str, rows: int, columns: int, variant: str
) -> dict[str, Any]:
  """Returns `run` of a table of a kind, and the size of its numbers."""
  path = folder / f'{rows}.{kind}'
  write(path, rows, columns)
  out = {
    'file': kind,
    'rows': rows,
    'columns': columns,
    'float32_mib': round(4 * rows * columns / 2**20),
    'file_mib': round(path.stat().st_size / 2**20),
  }
  out |= run(path, folder / f'{rows}_{kind}', variant)
  path.unlink()
  print(out, flush=True)
  return out


def main():
  """Measures, and prints the report."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--rows', type=int, default=1_000_000)
  parser.add_argument('--columns', type=int, default=50)
  parser.add_argument('--files', nargs='+', default=['csv', 'npz', 'parquet'])
  parser.add_argument('--variant', default='memae+pca+bank')
  args = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    few = min(_FEW, args.rows)
    rows = [
      measure(folder, kind, count, args.columns, args.variant)
      for kind, count in [
        (args.files[0], few),
        *((kind, args.rows) for kind in args.files),
      ]  # fmt: skip
    ]
  print(json.dumps({'variant': args.variant, 'runs': rows}))


if __name__ == '__main__':
  main()
