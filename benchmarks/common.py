"""What the benchmarks share: a fleet to train, and A against B in one run."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax.data import types
from memae_jax.methods import autoencoder
from memae_jax.planning import flops
from memae_jax.runtime import host, parallel
from memae_jax.training import feeds, fleet, optimization, step


def parser(doc: str, steps: int) -> argparse.ArgumentParser:
  """Returns the arguments that all fleets have.

  Args:
    doc: of the benchmark; its first line describes it.
    steps: trained a round, unless told.
  """
  out = argparse.ArgumentParser(description=doc.splitlines()[0])
  out.add_argument('--replicas', type=int)
  out.add_argument('--steps', type=int, default=steps)
  out.add_argument('--rounds', type=int, default=5)
  out.add_argument('--map', default='auto', choices=['auto', 'map', 'vmap'])
  out.add_argument('--devices', type=int, default=host.cores())
  return out


class Program(NamedTuple):
  """A compiled function, the seconds that took, and what a call computes."""

  call: Callable[..., Any]
  seconds: float
  flops: float


def compiled(function: Any, *args: Any) -> Program:
  """Compiles what `jax.jit` returns for these arguments."""
  begun = time.perf_counter()
  traced = function.trace(*args)
  call = traced.lower().compile()
  seconds = time.perf_counter() - begun
  platform = jax.devices()[0].platform
  return Program(call, seconds, flops.count(traced.jaxpr, platform)[0])


def replicas(
  count: int, slots: int, rate: float, variant: str = 'memae'
) -> list[fleet.Replica]:
  """Seeds 0, 1, ..., a threshold of 1/N and alpha 2e-4."""
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
  """Single-replica code that keeps the last weights.

  Args:
    config: resolved, with the network and how it trains.
    shape: of a sample.
    members: of the fleet.
    steps: of the run.
  """
  return step.Trainer(
    method=autoencoder.build(config, tuple(shape), members),
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
  """Returns a function that trains a fleet anew, and seconds to its first step.

  Args:
    config: with the network, batch size and fleet_map.
    inputs: [S, ...] raw samples; all of them train.
    members: of the fleet.
    steps: how many are trained.
    devices: to spread over; None for all.
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
    args: of `parser`.
    others: what else to run, by name.
    facts: what else to say.
  """
  whole, first_fleet = runner(config, inputs, members, args.steps)
  single, first_one = runner(config, inputs, members[:1], args.steps)
  runs = {
    'A fleet': whole,
    'B one by one': lambda: [single() for _ in members],
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
  """Runs each once a round, and returns the seconds of every round."""
  seconds: dict[str, list[float]] = {name: [] for name in runs}
  for number in range(rounds):
    for name, run in runs.items():
      begun = time.perf_counter()
      run()
      seconds[name].append(time.perf_counter() - begun)
    print(number, {k: round(v[-1], 2) for k, v in seconds.items()}, flush=True)
  return seconds


def report(
  seconds: Mapping[str, Sequence[float]], each: int, facts: Mapping[str, Any]
) -> None:
  """Prints one JSON object; the first of `seconds` is what others are over.

  Args:
    seconds: of every round.
    each: steps and replicas of a round.
    facts: what else to say.
  """
  first, *_ = seconds.values()
  print(
    json.dumps(
      {
        **facts,
        'devices': jax.device_count(),
        'ms_a_step_and_replica': {
          k: round(1e3 * statistics.median(v) / each, 3)
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
