"""A few replicas on several devices: whole replicas, or parts of each batch.

python -m benchmarks.spread [--sets mnist motion table] [--fleets 1 3]
  [--rounds=5] [--steps=20]

Where the devices do not divide a fleet, some of them would wait for others.
A: whole replicas on each device (mesh.data=1). B: a part of every batch on each
device (mesh.replica=1). Random samples of the shapes of MNIST, of speeds of
Ped2, of its clips (video) and of KDDCUP99. Both train in turn; times are
medians, and ratios B / A medians over the rounds. The last line is JSON.
"""

import argparse
import json
from typing import Any

import jax
import numpy as np

from benchmarks import common
from configs import kddcup99, mnist, ped2
from memae_jax import config as config_lib
from memae_jax.runtime import host

ROWS = 256  # Samples, of clips an eighth.
SETS = {
  'mnist': (mnist, '', (28, 28, 1)),
  'motion': (ped2, 'recipe=motion', (64, 96, 1)),
  'video': (ped2, 'size=64', (16, 64, 64, 1)),
  'table': (kddcup99, '', (122,)),
}


def fleet_of(name: str, replicas: int, steps: int, data: int) -> Any:
  """Returns a function that trains a fleet.

  Args:
    name: key of `SETS`.
    replicas: of the fleet.
    steps: of a training.
    data: devices that share a batch; 1: each has replicas of its own.
  """
  module, words, shape = SETS[name]
  config = module.get_config(words)
  config.model.memory.init = 'uniform'  # It costs no time here.
  config.mesh.data = data
  config.mesh.replica = 1 if data > 1 else 0
  rows = ROWS // 8 if len(shape) == 4 else ROWS
  inputs = np.random.default_rng(0).random((rows, *shape), np.float32)
  config.train.batch_size = min(config.train.batch_size, rows)
  config = config_lib.resolve(config)
  slots = config.model.memory.slots
  members = common.replicas(replicas, slots, config.train.learning_rate)
  train, _ = common.runner(config, inputs, members, steps)
  return train


def compare(name: str, replicas: int, args: argparse.Namespace) -> dict:
  """Returns times and ratios of one fleet."""
  calls = {
    'A replicas': fleet_of(name, replicas, args.steps, 1),
    'B samples': fleet_of(name, replicas, args.steps, args.devices),
  }
  facts = {'set': name, 'replicas': replicas, 'steps': args.steps}
  return facts | common.in_turn(calls, args.rounds)


def main() -> None:
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--sets', nargs='+', default=list(SETS), choices=SETS)
  parser.add_argument('--fleets', nargs='+', type=int, default=[1, 3])
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--steps', type=int, default=20)
  parser.add_argument('--devices', type=int, default=host.cores())
  args = parser.parse_args()
  jax.config.update('jax_num_cpu_devices', args.devices)
  rows = []
  for name in args.sets:
    for replicas in args.fleets:
      rows.append(compare(name, replicas, args))
      print(json.dumps(rows[-1]), flush=True)
  print(json.dumps({'devices': args.devices, 'rows': rows}))


if __name__ == '__main__':
  main()
