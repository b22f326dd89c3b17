"""The bank against scikit-learn and faiss: its nearest slots, its building.

python -m benchmarks.bank [--rounds=5] [--sizes 10000x64 100000x64 10000x1024]
  [--queries=1000] [--neighbours 1 5] [--features=65536]
  [--builds k_means:100 k_means:1000 k_centre:3276 all:65536]

Nearest slots, for sizes of slots x width. A: `memory.nearest`. B: brute-force
neighbours of scikit-learn. C: the flat index of faiss, where faiss-cpu is
installed. All find the same neighbours, which is checked first.

Building, from so many features of width 64 in 500 clusters, for selections and
slots. A: `selection.select`, and a copy to the device. B: scikit-learn: k-means
of all features with one start, seeding of k-means++ for k_centre, `fit` of its
neighbours for all. C: faiss: its k-means, and `add` of its index for all. They
do not find the same slots: mean and largest distance of the features to their
nearest slot stand beside the times.

All alternate within each round and take as many threads as there are cores;
times are medians, and ratios of B and C over A are medians over the rounds, of
wall time and of the CPU time of the process. The last line is JSON.
"""

import argparse
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import sklearn.cluster
import sklearn.neighbors

from benchmarks import common
from memae_jax.memory import nearest
from memae_jax.methods import selection

try:
  import faiss
except ImportError:
  faiss = None

WIDTH = 64  # Of the features that banks are built of.
Calls = Mapping[str, Callable[[], Any]]


def neighbours(slots: np.ndarray, query: np.ndarray, k: int) -> Calls:
  """Returns functions that find [Q, k] distances, by name."""
  ours = jax.jit(functools.partial(nearest.nearest, k=k))
  on_device = jax.device_put(slots)
  brute = sklearn.neighbors.NearestNeighbors(n_neighbors=k, algorithm='brute')
  brute.fit(slots)
  calls = {
    'memory.nearest': lambda: jax.block_until_ready(
      ours(query, on_device).distance
    ),
    'scikit-learn': lambda: brute.kneighbors(query)[0],
  }
  if faiss is None:
    return calls
  index = faiss.IndexFlatL2(slots.shape[1])
  index.add(slots)
  return calls | {'faiss': lambda: np.sqrt(index.search(query, k)[0])}


def search(size: str, queries: int, k: int, rounds: int) -> dict[str, Any]:
  """Returns times and ratios of a search."""
  count, width = map(int, size.split('x'))
  rng = np.random.default_rng(0)
  slots = rng.standard_normal((count, width), np.float32)
  query = rng.standard_normal((queries, width), np.float32)
  calls = neighbours(slots, query, k)
  first, *others = (np.asarray(call()) for call in calls.values())
  for other in others:
    np.testing.assert_allclose(other, first, rtol=1e-3, atol=1e-3)
  facts = {'size': size, 'queries': queries, 'neighbours': k}
  return facts | common.in_turn(calls, rounds)


def features(count: int) -> np.ndarray:
  """Returns features in clusters."""
  rng = np.random.default_rng(0)
  centres = rng.standard_normal((500, WIDTH), np.float32)
  noise = rng.standard_normal((count, WIDTH), np.float32)
  return centres[rng.integers(500, size=count)] + noise / 2


def builders(rows: np.ndarray, how: str, count: int) -> Calls:
  """Returns functions that make slots [count, C] of rows, by name."""
  rng = lambda: np.random.default_rng(0)
  kept = lambda slots: jax.block_until_ready(jax.device_put(np.array(slots)))
  ours = {'bank': lambda: kept(selection.select(rows, how, count, rng()).slots)}
  if how == 'k_centre':
    seeds = lambda: sklearn.cluster.kmeans_plusplus(rows, count, random_state=0)
    return ours | {'scikit-learn': lambda: seeds()[0]}
  if how == 'all':
    index = lambda: faiss.IndexFlatL2(rows.shape[1]).add(rows)
    neighbours_ = sklearn.neighbors.NearestNeighbors(algorithm='brute')
    return (
      ours
      | {'scikit-learn': lambda: neighbours_.fit(rows) and rows}
      | ({'faiss': lambda: index() or rows} if faiss else {})
    )
  means = sklearn.cluster.KMeans(count, n_init=1, random_state=0)
  calls = ours | {'scikit-learn': lambda: means.fit(rows).cluster_centers_}
  if faiss is None:
    return calls

  def faiss_means():
    found = faiss.Kmeans(rows.shape[1], count, seed=1)
    found.train(rows)
    return found.centroids

  return calls | {'faiss': faiss_means}


def build(
  rows: np.ndarray, how: str, count: int, rounds: int
) -> dict[str, Any]:
  """Returns times and ratios of a building, and how near the slots are."""
  calls = builders(rows, how, count)
  far = jax.jit(lambda slots: nearest.nearest(rows, slots).distance)
  distances = {
    name: np.asarray(far(np.asarray(call(), np.float32)))
    for name, call in calls.items()
  }
  return {
    'selection': how,
    'features': len(rows),
    'slots': count,
    'mean_distance': {n: float(d.mean()) for n, d in distances.items()},
    'largest_distance': {n: float(d.max()) for n, d in distances.items()},
  } | common.in_turn(calls, rounds)


def told(row: Mapping[str, Any]) -> str:
  """Returns the line that is printed for a row."""
  facts = [f'{v} {k}' for k, v in row.items() if not isinstance(v, dict)]
  times = [f'{name} {1e3 * s:.0f} ms' for name, s in row['seconds'].items()]
  return f'{", ".join(facts)}: {", ".join(times)}'


def main() -> None:
  """Measures every size with every number of neighbours, and every building."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--queries', type=int, default=1000)
  parser.add_argument('--neighbours', type=int, nargs='*', default=[1, 5])
  parser.add_argument('--features', type=int, default=2**16)
  parser.add_argument(
    '--sizes', nargs='*', default=['10000x64', '100000x64', '10000x1024']
  )
  parser.add_argument(
    '--builds',
    nargs='*',
    default=['k_means:100', 'k_means:1000', 'k_centre:3276', 'all:65536'],
  )
  options = parser.parse_args()
  found = {'search': [], 'build': []}
  for size in options.sizes:
    for k in options.neighbours:
      row = search(size, options.queries, k, options.rounds)
      found['search'].append(row)
      print(told(row), flush=True)
  rows = features(options.features)
  for text in options.builds:
    how, _, count = text.partition(':')
    row = build(rows, how, int(count), options.rounds)
    found['build'].append(row)
    print(told(row), flush=True)
  print(json.dumps({'devices': jax.device_count(), **found}))


if __name__ == '__main__':
  main()
