"""Twenty KDDCUP runs: one fleet, one after another, and in PyTorch.

python benchmarks/fleet_kddcup99.py [--replicas=20] [--steps=100] [--rounds=5]

A: one fleet of R replicas in one program. B: the same code with R = 1, R times
in a row. C: the same network, loss and optimizer in PyTorch, R times in a row.
Random rows of KDDCUP's shape (122 columns), batch 1,024, N = 50 slots. A, B and
C alternate within each round; ratios are medians over the rounds. `torch` is
the extra `benchmark`; without it C is left out. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import time

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax.data import types
from memae_jax.models import memae
from memae_jax.training import fleet, step

WIDTH, ROWS, BATCH, SLOTS = 122, 180_000, 1024, 50


def jax_runner(inputs, replicas, steps, how, devices):
  """Returns a function that trains `replicas` as a fleet for `steps`."""
  config = config_lib.default()
  config.model.memory.slots = SLOTS
  trainer = step.Trainer(
    model=memae.build(config.model, (WIDTH,), SLOTS),
    optimizer=step.optimizer(config.train),
    schedule=step.schedule(config.train, steps),
    batch_size=BATCH,
    memory_init='uniform',
    noisy=False,
    keep_best=False,
  )
  mesh = fleet.mesh(len(replicas), devices)
  hyper = fleet.place(fleet.hyper(replicas, config.train), mesh, mapped=True)
  ones = np.ones((len(replicas), WIDTH), np.float32)
  data = fleet.place(
    step.ReplicaData(
      np.tile(np.arange(ROWS, dtype=np.int32), (len(replicas), 1)),
      np.full(len(replicas), ROWS, np.int32),
      types.Transform(ones, 0 * ones, 0 * ones, np.inf * ones[:, :1]),
    ),
    mesh,
    mapped=True,
  )
  inputs = fleet.place(inputs, mesh, mapped=False)
  mapped = lambda function: fleet.over_replicas(function, mesh, how)

  def init_one(one, inputs):
    hyper, data = one
    first = step.batch_at(data, inputs, hyper.seed, 0, trainer.init_samples)
    return trainer.init(hyper, first)

  init = jax.jit(lambda h, d, x: mapped(init_one)((h, d), x))
  run = jax.jit(
    lambda s, h, d, x, a, b: mapped(trainer.run)((s, h, d), x, a, b),
    donate_argnums=0,
  )

  def train(stop=steps):
    state = init(hyper, data, inputs)
    state, sums = run(state, hyper, data, inputs, np.int32(0), np.int32(stop))
    return float(np.sum(jax.device_get(sums.loss)))

  begun = time.time()
  train(1)
  return train, time.time() - begun


def torch_runner(inputs, steps):
  """The same run in PyTorch: network, addressing, loss and Adam."""
  import torch
  from torch import nn

  data = torch.from_numpy(inputs)

  def layers(widths):
    out = []
    for a, b in zip(widths, widths[1:]):
      out += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*out[:-1])

  def train(seed):
    torch.manual_seed(seed)
    encoder = layers((WIDTH, 60, 30, 10, 3))
    decoder = layers((3, 10, 30, 60, WIDTH))
    slots = nn.Parameter((torch.rand(SLOTS, 3) * 2 - 1) / 3**0.5)
    adam = torch.optim.Adam(
      [*encoder.parameters(), *decoder.parameters(), slots], lr=1e-4
    )
    order = torch.randperm(ROWS)
    threshold = 1 / SLOTS
    for i in range(steps):
      at = i * BATCH % (ROWS - BATCH)
      x = data[order[at : at + BATCH]]
      query = nn.functional.normalize(encoder(x), dim=1)
      soft = torch.softmax(query @ nn.functional.normalize(slots, dim=1).T, 1)
      over = soft - threshold
      kept = torch.relu(over) * soft / (over.abs() + 1e-12)
      weights = nn.functional.normalize(kept, p=1, dim=1, eps=1e-12)
      out = decoder(weights @ slots)
      entropy = -(weights * torch.log(weights + 1e-12)).sum(1).mean()
      loss = ((out - x) ** 2).mean() + 2e-4 * entropy
      adam.zero_grad(set_to_none=True)
      loss.backward()
      adam.step()
    return float(loss.detach())

  return train


def main():
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--replicas', type=int, default=20)
  parser.add_argument('--steps', type=int, default=100)
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--map', default='auto', choices=['auto', 'map', 'vmap'])
  parser.add_argument('--devices', type=int, default=os.cpu_count())
  args = parser.parse_args()
  if args.devices:
    jax.config.update('jax_num_cpu_devices', args.devices)
  inputs = np.random.default_rng(0).random((ROWS, WIDTH), np.float32)
  replicas = [
    fleet.Replica(str(i), 'memae', i, None, SLOTS, 1.0, 2e-4, 1e-4)
    for i in range(args.replicas)
  ]
  whole, compile_fleet = jax_runner(
    inputs, replicas, args.steps, args.map, None
  )
  single, compile_one = jax_runner(
    inputs, replicas[:1], args.steps, args.map, None
  )
  runs = {
    'A fleet': whole,
    'B one by one': lambda: [single() for _ in replicas],
  }
  try:
    peer = torch_runner(inputs, args.steps)
    runs['C PyTorch one by one'] = lambda: [
      peer(i) for i in range(args.replicas)
    ]
  except ImportError:
    print('torch is not installed: C is left out')
  seconds = {name: [] for name in runs}
  for number in range(args.rounds):
    for name, run in runs.items():
      begun = time.perf_counter()
      run()
      seconds[name].append(time.perf_counter() - begun)
    print(number, {k: round(v[-1], 2) for k, v in seconds.items()}, flush=True)
  each = args.steps * args.replicas
  ratio = lambda name: statistics.median(
    b / a for a, b in zip(seconds['A fleet'], seconds[name])
  )
  print(
    json.dumps(
      {
        'replicas': args.replicas,
        'steps': args.steps,
        'map': args.map,
        'devices': jax.device_count(),
        'ms_a_step_and_replica': {
          k: round(1e3 * statistics.median(v) / each, 3)
          for k, v in seconds.items()
        },
        'times_slower_than_fleet': {k: round(ratio(k), 2) for k in runs},
        'times_slower_at_best': {
          k: round(min(v) / min(seconds['A fleet']), 2)
          for k, v in seconds.items()
        },
        'compile_seconds': {
          'fleet': round(compile_fleet, 1),
          'one': round(compile_one, 1),
        },
      }
    )
  )


if __name__ == '__main__':
  main()
