"""Parts that the benchmarks share: a fleet to train, A against B in one run."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax.data import types
from memae_jax.methods import registry
from memae_jax.planning import flops
from memae_jax.runtime import host, parallel
from memae_jax.training import feeds, fleet, optimization, step


def parser(doc: str, steps: int) -> argparse.ArgumentParser:
  """Returns a parser with the arguments that all benchmarks of fleets have.

  Args:
    doc: of the benchmark; its first line becomes the description.
    steps: default number of training steps per round.
  """
  out = argparse.ArgumentParser(description=doc.splitlines()[0])
  out.add_argument('--replicas', type=int)
  out.add_argument('--steps', type=int, default=steps)
  out.add_argument('--rounds', type=int, default=5)
  out.add_argument('--map', default='auto', choices=['auto', 'map', 'vmap'])
  out.add_argument('--devices', type=int, default=host.cores())
  return out


class Program(NamedTuple):
  """A compiled function.

  Attributes:
    call: the function.
    seconds: that compiling took.
    flops: of one call.
  """

  call: Callable[..., Any]
  seconds: float
  flops: float


def compiled(function: Any, *args: Any) -> Program:
  """Compiles a function that `jax.jit` returned, for arguments like these."""
  begun = time.perf_counter()
  traced = function.trace(*args)
  call = traced.lower().compile()
  seconds = time.perf_counter() - begun
  platform = jax.devices()[0].platform
  return Program(call, seconds, flops.count(traced.jaxpr, platform)[0])


def replicas(
  count: int, slots: int, rate: float, variant: str = 'memae'
) -> list[fleet.Replica]:
  """Returns replicas with seeds 0, 1, ..., threshold 1/N and alpha 2e-4."""
  return [
    fleet.Replica(str(i), variant, i, None, slots, 1.0, 2e-4, rate)
    for i in range(count)
  ]


def trainer(
  config: Any,
  shape: Sequence[int],
  members: Sequence[fleet.Replica],
  steps: int,
) -> step.Trainer:
  """Returns the code of one replica, which keeps the last weights.

  Args:
    config: resolved; its `model` and `train` are used.
    shape: of a sample.
    members: all replicas of the fleet.
    steps: of the run.
  """
  return step.Trainer(
    method=registry.find(members[0].variant).build(
      config, tuple(shape), members
    ),
    optimizer=optimization.optimizer(config.train),
    schedule=optimization.schedule(config.train, steps),
    batch_size=config.train.batch_size,
    keep_best=False,
  )


def runner(
  config: Any,
  inputs: np.ndarray,
  members: Sequence[fleet.Replica],
  steps: int,
  devices: Sequence[jax.Device] | None = None,
) -> tuple[Callable[[], float], float]:
  """Prepares a fleet for timing.

  Args:
    config: its `model`, `train` and `mesh` are used.
    inputs: [S, ...] raw samples; all of them are for training.
    members: all replicas of the fleet.
    steps: of a training.
    devices: to spread over; None for all.

  Returns:
    A function that trains the fleet anew and returns the sum of the losses, and
    the seconds to its first step.
  """
  one = np.ones(1, np.float32)
  scale = 1 / 127.5 if inputs.dtype == np.uint8 else 1
  shift = -1 if inputs.dtype == np.uint8 else 0
  rows = np.arange(len(inputs), dtype=np.int32)
  split = types.Split(
    train=rows,
    validation=rows[:1],
    test=rows[:1],
    anomalous=np.zeros(1, bool),
    transform=types.Transform(scale * one, shift * one, 0 * one, 1e9 * one),
  )
  single = trainer(config, inputs.shape[1:], members, steps)
  fleets = feeds.Resident(
    trainer=single,
    mesh=parallel.mesh(
      config.mesh, len(members), config.train.batch_size, devices
    ),
    config=config,
    hyper=fleet.hyper(members, config, single.method),
    splits=[split] * len(members),
    inputs=inputs,
    steps=steps,
  )

  def train(stop=steps):
    _, sums = fleets.run(fleets.init(), 0, stop)
    return float(np.sum(jax.device_get(sums.loss)))

  begun = time.perf_counter()
  train(1)
  return train, time.perf_counter() - begun


def peers(
  name: str, build: Callable[[], Callable[[int], Any]], count: int
) -> dict[str, Callable[[], Any]]:
  """Returns runs one after another of another library, for `compare`.

  Args:
    name: of these runs.
    build: imports the library; returns a function that trains from a seed.
    count: of the runs.

  Returns:
    {name: function}, empty where the library is not installed, which is said.
  """
  try:
    peer = build()
  except ImportError as error:
    print(f'{error.name} is not installed: "{name}" is left out')
    return {}
  return {name: lambda: [peer(seed) for seed in range(count)]}


def compare(
  config: Any,
  inputs: np.ndarray,
  members: Sequence[fleet.Replica],
  args: argparse.Namespace,
  others: Mapping[str, Callable[[], Any]],
  facts: Mapping[str, Any],
) -> None:
  """Times a fleet, its members one by one and `others`; prints the report.

  Args:
    config, inputs, members: see `runner`.
    args: parsed by `parser`.
    others: further functions to time, by name.
    facts: further entries of the report.
  """
  train_fleet, first_fleet = runner(config, inputs, members, args.steps)
  train_one, first_one = runner(config, inputs, members[:1], args.steps)
  runs = {
    'A fleet': train_fleet,
    'B one by one': lambda: [train_one() for _ in members],
    **others,
  }
  facts = {
    **facts,
    'replicas': len(members),
    'steps': args.steps,
    'map': args.map,
    'seconds_to_first_step': {
      'fleet': round(first_fleet, 1),
      'one': round(first_one, 1),
    },
  }
  report(alternate(runs, args.rounds), args.steps * len(members), facts)


def alternate(
  runs: Mapping[str, Callable[[], Any]], rounds: int
) -> dict[str, list[float]]:
  """Calls each function once per round; returns the seconds of every round."""
  seconds: dict[str, list[float]] = {name: [] for name in runs}
  for number in range(rounds):
    for name, run in runs.items():
      begun = time.perf_counter()
      run()
      seconds[name].append(time.perf_counter() - begun)
    print(number, {k: round(v[-1], 2) for k, v in seconds.items()}, flush=True)
  return seconds


def report(
  seconds: Mapping[str, Sequence[float]], count: int, facts: Mapping[str, Any]
) -> None:
  """Prints one JSON object with times, and their ratios to the first.

  Args:
    seconds: of every round, by name.
    count: steps times replicas of a round.
    facts: further entries.
  """
  first, *_ = seconds.values()
  print(
    json.dumps(
      {
        **facts,
        'devices': jax.device_count(),
        'ms_per_step_and_replica': {
          k: round(1e3 * statistics.median(v) / count, 3)
          for k, v in seconds.items()
        },
        'times_slower_than_fleet': {
          k: round(statistics.median(b / a for a, b in zip(first, v)), 2)
          for k, v in seconds.items()
        },
        'times_slower_at_best': {
          k: round(min(v) / min(first), 2) for k, v in seconds.items()
        },
      }
    )
  )


def in_turn(
  runs: Mapping[str, Callable[[], Any]], rounds: int
) -> dict[str, dict[str, float]]:
  """Calls each function once per round, by two clocks.

  Wall time is what one waits for; CPU time of the process is disturbed less by
  others on the machine, but counts threads that only wait in a loop.

  Returns:
    Medians over the rounds: `seconds` and `cpu_seconds` of each function, and
    `ratios` and `cpu_ratios` of the others over the first one.
  """
  clocks = {'': time.perf_counter, 'cpu_': time.process_time}
  spent = {of: {name: [] for name in runs} for of in clocks}
  for _ in range(rounds):
    for name, run in runs.items():
      begun = {of: clock() for of, clock in clocks.items()}
      run()
      for of, clock in clocks.items():
        spent[of][name].append(clock() - begun[of])
  out = {}
  for of, times in spent.items():
    (_, first), *others = times.items()
    median = statistics.median
    out[f'{of}seconds'] = {name: median(s) for name, s in times.items()}
    out[f'{of}ratios'] = {
      name: median(b / a for a, b in zip(first, s)) for name, s in others
    }
  return out
