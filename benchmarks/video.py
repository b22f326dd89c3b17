"""Video network against PyTorch: time, peak memory, compilation.

python -m benchmarks.video [--size=64] [--batch=4] [--rounds=5] [--slots=2000]

A: one replica of configs/ped2.py, its training step (state donated) and its
scoring, exactly as a fleet maps them. B: the same network, loss and optimizer
in PyTorch. Clips are random, of 16 frames. There are as many threads as cores
that the process may use; `taskset -c 0` gives one, whose CPU time hardly
depends on what else runs (a thread that waits for another on a busy core also
counts).

Each task of each side is a process of its own, for its peak memory. All are
alive at once and take turns: a pause of 0.3 s, then the better of two calls.
Ratios A/B are medians over paired rounds. The process of A that is timed starts
with a full cache of compiled programs; `first` is another one, which starts
with an empty cache. `torch` is the extra `benchmark`. The last line is JSON.
"""

import argparse
import functools
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from benchmarks import common, workers
from configs import ped2
from memae_jax import config as config_lib
from memae_jax.runtime import host
from memae_jax.training import fleet, step

BATCHES = {64: 4, 128: 2, 256: 1}
TASKS = ('train', 'score')
PAUSE, CALLS = 0.3, 2


def jax_call(
  args: argparse.Namespace, clips: np.ndarray
) -> tuple[Callable[[], Any], common.Program]:
  """Returns a function that does `args.task` once, and its program.

  Args:
    args: see `main`; `variant` is memae or ae, `task` one of `TASKS`.
    clips: [B, T, H, W, C].
  """
  host.keep_memory()  # As each command does.
  config = ped2.get_config(f'size={args.size},slots={args.slots}')
  config.model.compute, config.model.remat = args.compute, args.remat
  config.model.memory.init = 'uniform'  # It costs no time here.
  config = config_lib.resolve(config)
  rate = config.train.learning_rate
  members = common.replicas(1, args.slots, rate, args.variant)
  trainer = common.trainer(config, clips.shape[1:], members, 1)
  hyper = fleet.hyper(members, config, trainer.method)
  hyper = jax.tree.map(lambda x: x[0], hyper)
  clips = jax.device_put(clips)
  state = jax.jit(trainer.init)(hyper, clips[:1])
  if args.task == 'train':
    function = jax.jit(trainer.step, donate_argnums=0)
    rest = hyper, clips, np.int32(0)
  else:
    function, state = jax.jit(trainer.score), step.weights(state)
    rest = hyper, clips, np.ones(len(clips), bool), np.arange(len(clips))
  program = common.compiled(function, state, *rest)

  def call():
    nonlocal state
    result = jax.block_until_ready(program.call(state, *rest))
    if args.task == 'train':
      state, _ = result

  return call, program


def torch_call(
  args: argparse.Namespace, clips: np.ndarray, device: str = 'cpu'
) -> Callable[[], Any]:
  """Returns a function that does `args.task` once in PyTorch.

  On a GPU the function does not wait for the end.

  Args:
    args: as of `jax_call`; bfloat16 is that of `torch.autocast`.
    clips: [B, T, H, W, C].
    device: of PyTorch.
  """
  import torch

  from benchmarks import peer

  torch.manual_seed(0)
  torch.set_num_threads(host.cores())
  fields = ped2.get_config().model
  strides = [(t, s, s) for t, s in zip(fields.time_strides, fields.strides)]
  clips = torch.from_numpy(np.moveaxis(clips, -1, 1).copy()).to(device)
  slots = args.slots if args.variant == 'memae' else None
  model = peer.MemAE(clips.shape[1:], fields.widths, strides, slots, True)
  model.to(device)
  if args.task == 'score':
    model.eval()
    function = functools.partial(peer.score, model, clips)
  else:
    adam = torch.optim.Adam(model.parameters(), 1e-4)
    function = functools.partial(peer.step, model, adam, clips)

  def call():
    low = args.compute == 'bfloat16'
    with torch.autocast(device, torch.bfloat16, enabled=low):
      return function()

  return call


def work(args: argparse.Namespace) -> None:
  """Times one task of one side: two calls, then two for each line of input."""
  shape = (args.batch, 16, args.size, args.size, 1)
  clips = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
  compiled = 0
  if args.worker == 'A':
    call, program = jax_call(args, clips)
    compiled = program.seconds
  else:
    call = torch_call(args, clips)

  def say(**facts):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(facts | {'peak_mb': round(peak)}), flush=True)

  def best():
    times = []
    for _ in range(CALLS):
      begun = time.perf_counter(), time.process_time()
      call()
      times.append(
        (time.perf_counter() - begun[0], time.process_time() - begun[1])
      )
    wall, cpu = map(min, zip(*times))
    return {'seconds': wall, 'cpu_seconds': cpu}

  best()
  say(compile_seconds=round(compiled, 2))
  for _ in sys.stdin:
    time.sleep(PAUSE)
    say(**best())


class Worker(workers.Worker):
  """Live process of `work`; `started` is its answer when it is ready."""

  def __init__(self, side: str, task: str, cache: str):
    """Starts it with the arguments of this process, and waits for it."""
    flags = [f'--worker={side}', f'--task={task}']
    variables = {
      'JAX_PLATFORMS': 'cpu',
      'JAX_NUM_CPU_DEVICES': '1',
      'JAX_COMPILATION_CACHE_DIR': cache,
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
    }
    super().__init__(['benchmarks.video', *sys.argv[1:], *flags], variables)
    self.started = self.answer()

  def run(self) -> dict[str, Any]:
    """Returns the times of one turn."""
    return self.ask('run')

  def end(self) -> dict[str, Any]:
    """Ends it; returns `started`."""
    self.stop()
    return self.started


def _times(turns, key: str) -> dict[str, Any]:
  """Returns the medians of both sides, and of their ratio within a round."""
  both = {side: [turn[key] for turn in rows] for side, rows in turns.items()}
  ratios = [a / b for a, b in zip(both['A'], both['B'])]
  return {
    key: {side: round(statistics.median(v), 3) for side, v in both.items()},
    f'{key}_ratio': round(statistics.median(ratios), 2),
    f'{key}_ratio_range': [round(f(ratios), 2) for f in (min, max)],
  }


def compare(task: str, rounds: int, cache: str) -> dict[str, Any]:
  """Times both sides of one task in turns."""
  first = Worker('A', task, cache).end()
  workers = {side: Worker(side, task, cache) for side in 'AB'}
  turns = {side: [] for side in workers}
  for number in range(rounds):
    for side, worker in workers.items():
      turns[side].append(worker.run())
    seconds = {side: round(v[-1]['seconds'], 3) for side, v in turns.items()}
    print(task, number, seconds, flush=True)
  started = {side: worker.end() for side, worker in workers.items()}
  peaks = {side: v[-1]['peak_mb'] for side, v in turns.items()}
  return {
    **_times(turns, 'seconds'),
    **_times(turns, 'cpu_seconds'),
    'peak_mb': peaks | {'A first': first['peak_mb']},
    'peak_ratio': round(peaks['A'] / peaks['B'], 2),
    'compile_seconds': {
      'first': first['compile_seconds'],
      'cached': started['A']['compile_seconds'],
    },
  }


def main():
  """Runs the comparison, or one of its workers."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--size', type=int, default=64)
  parser.add_argument('--batch', type=int)
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--slots', type=int, default=2000)
  parser.add_argument('--tasks', nargs='+', default=TASKS, choices=TASKS)
  parser.add_argument('--compute', default='float32')
  parser.add_argument('--remat', action='store_true')
  parser.add_argument('--variant', default='memae', choices=('memae', 'ae'))
  parser.add_argument('--worker', choices='AB', help=argparse.SUPPRESS)
  parser.add_argument('--task', choices=TASKS, help=argparse.SUPPRESS)
  args = parser.parse_args()
  args.batch = args.batch or BATCHES.get(args.size, 1)
  if args.worker:
    work(args)
    return
  facts = vars(args) | {'load_before': os.getloadavg()[0]}
  with tempfile.TemporaryDirectory() as cache:
    results = {task: compare(task, args.rounds, cache) for task in args.tasks}
  print(json.dumps(facts | {'load_after': os.getloadavg()[0]} | results))


if __name__ == '__main__':
  main()
