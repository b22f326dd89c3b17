"""The nearest slots of a bank: this project against scikit-learn and faiss.

python -m benchmarks.bank [--rounds=5] [--sizes 10000x64 100000x64 10000x1024]
  [--queries=1000] [--neighbours 1 5]

A: `memory.nearest`. B: scikit-learn's brute-force neighbours. C: faiss, where
faiss-cpu is installed. They alternate within each round; times are medians, and
ratios of B and C over A are medians over the rounds. Sizes are slots x width.
All find the same neighbours, which is checked first. The last line is JSON.
"""

import argparse
import functools
import json
import statistics
import time

import jax
import numpy as np
import sklearn.neighbors

from memae_jax.memory import nearest


def rivals(slots: np.ndarray, k: int) -> dict:
  """Returns {name: function of queries -> [Q, k] distances}."""
  ours = jax.jit(functools.partial(nearest.nearest, k=k))
  on_device = jax.device_put(slots)
  brute = sklearn.neighbors.NearestNeighbors(n_neighbors=k, algorithm='brute')
  brute.fit(slots)
  calls = {
    'memory.nearest': lambda query: jax.block_until_ready(
      ours(query, on_device).distance
    ),
    'scikit-learn': lambda query: brute.kneighbors(query)[0],
  }
  try:
    import faiss
  except ImportError:
    return calls
  index = faiss.IndexFlatL2(slots.shape[1])
  index.add(slots)
  squares = lambda query: index.search(query, k)[0]
  return calls | {'faiss': lambda query: np.sqrt(squares(query))}


def measure(size: str, queries: int, k: int, rounds: int) -> dict:
  """Returns median seconds of each rival, and ratios over the first one."""
  count, width = map(int, size.split('x'))
  rng = np.random.default_rng(0)
  slots = rng.normal(size=(count, width)).astype(np.float32)
  query = rng.normal(size=(queries, width)).astype(np.float32)
  calls = rivals(slots, k)
  first, *others = (np.asarray(call(query)) for call in calls.values())
  for other in others:
    np.testing.assert_allclose(other, first, rtol=1e-3, atol=1e-3)
  seconds = {name: [] for name in calls}
  for _ in range(rounds):
    for name, call in calls.items():
      begun = time.perf_counter()
      call(query)
      seconds[name].append(time.perf_counter() - begun)
  ours = seconds['memory.nearest']
  return {
    'size': size,
    'queries': queries,
    'neighbours': k,
    'seconds': {name: statistics.median(s) for name, s in seconds.items()},
    'ratios': {
      name: statistics.median(b / a for a, b in zip(ours, s))
      for name, s in seconds.items()
      if name != 'memory.nearest'
    },
  }


def main() -> None:
  """Measures every size and number of neighbours."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--queries', type=int, default=1000)
  parser.add_argument('--neighbours', type=int, nargs='+', default=[1, 5])
  parser.add_argument(
    '--sizes', nargs='+', default=['10000x64', '100000x64', '10000x1024']
  )
  options = parser.parse_args()
  rows = []
  for size in options.sizes:
    for k in options.neighbours:
      rows.append(measure(size, options.queries, k, options.rounds))
      times = '  '.join(
        f'{name} {1e3 * s:.0f} ms' for name, s in rows[-1]['seconds'].items()
      )
      print(f'{size} slots, {k} neighbours: {times}', flush=True)
  print(json.dumps({'rows': rows}))


if __name__ == '__main__':
  main()
