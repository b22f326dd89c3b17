"""Training steps per second under the resident and the streaming feed.

python -m benchmarks.feed [--samples=20000] [--steps=200] [--rounds=5]

A: resident, all samples on the device and many steps per call. B: streaming,
batches gathered on the host ahead of each step. Network, batches and results
are the same: random 28x28 pictures, uint8. A and B alternate within each round;
ratios are medians over the rounds. The last line is JSON.
"""

import argparse
import json
import pathlib
import statistics
import tempfile
import time

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax.runtime import host
from memae_jax.training import experiment

BATCH = 64


def runner(path, feed, steps):
  """Returns a function that trains `steps` further steps, and its programs."""
  config = config_lib.default()
  config.data.name = 'arrays'
  config.data.path = str(path)
  config.data.protocol = 'random_rows'
  config.data.feed = feed
  config.train.batch_size = BATCH
  exp = experiment.build(config_lib.resolve(config))
  at, state = 0, exp.programs.init()

  def train():
    nonlocal at, state
    state, sums = exp.programs.run(state, at, at + steps)
    at += steps
    jax.block_until_ready(sums)

  train()  # Compiles.
  return train, exp.programs


def main():
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--samples', type=int, default=20_000)
  parser.add_argument('--steps', type=int, default=200)
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--devices', type=int, default=host.cores())
  args = parser.parse_args()
  jax.config.update('jax_num_cpu_devices', args.devices)
  rng = np.random.default_rng(0)
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'pictures.npz'
    np.savez(path, x=rng.integers(0, 256, (args.samples, 28, 28, 1), np.uint8))
    runs = {
      f'{letter} {feed}': runner(path, feed, args.steps)
      for letter, feed in (('A', 'resident'), ('B', 'streaming'))
    }
  seconds = {name: [] for name in runs}
  waits = []
  for number in range(args.rounds):
    for name, (train, programs) in runs.items():
      begun = time.perf_counter()
      train()
      seconds[name].append(time.perf_counter() - begun)
      waits += programs.feed_facts().values()
    print(number, {k: round(v[-1], 3) for k, v in seconds.items()}, flush=True)
  a, b = seconds.values()
  print(
    json.dumps(
      {
        'samples': args.samples,
        'steps': args.steps,
        'batch_size': BATCH,
        'devices': jax.device_count(),
        'steps_per_second': {
          k: round(args.steps / statistics.median(v), 1)
          for k, v in seconds.items()
        },
        'streaming_times_slower': round(
          statistics.median(y / x for x, y in zip(a, b)), 2
        ),
        'input_wait_fraction': round(statistics.median(waits), 4),
      }
    )
  )


if __name__ == '__main__':
  main()
