"""One read of the memory, forward and backward: dense against streaming.

python -m benchmarks.memory [--rounds=5] [--reads 2000x4096 65536x1024]
  [--steps 2000x4096 65536x4096 1048576x4096] [--kind=dense]
  [--sparse 65536x512] [--top 16 64 256 1024]

A: the dense read, which holds all [Q, N] addressing weights. B: the streaming
read, in blocks of slots. Both compute the value and the gradients in queries
and slots, with cosine similarity, a threshold of 1/N and all outputs used. They
alternate within each round, and ratios are medians over the rounds. Temporary
bytes are those that the compiled programs say. Sizes are slots x queries.

Before that, one training step (value, gradients, and an update of donated
slots) is run for each of --steps, by the read of --kind, streaming by default,
in a process of its own. Its peak memory is printed beside the temporary bytes
of a dense read.

After that, reads without gradients for which few slots survive are timed for
each of --sparse: streaming against the top-k read at each of --top. The last
line is JSON.
"""

import argparse
import functools
import json
import resource
import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp

from benchmarks import common
from memae_jax import memory

WIDTH = 256


@functools.partial(jax.jit, static_argnums=(0, 1))
def arrays(slots, queries):
  """Returns [Q, C] queries, [N, C] slots and a [Q, C] cotangent.

  Queries and slots are like those of an untrained network.
  """
  # This generator needs no memory besides its results.
  one, two, three = jax.random.split(jax.random.key(0, impl='rbg'), 3)
  return (
    jax.random.normal(one, (queries, WIDTH)),
    jax.random.uniform(two, (slots, WIDTH), minval=-1 / 16, maxval=1 / 16),
    jax.random.normal(three, (queries, WIDTH)),
  )


def both_ways(kind):
  """Returns a function of (query, slots, weight): loss, facts and gradients."""

  def objective(query, slots, weight):
    read = memory.read(
      query, slots, 1 / slots.shape[0], memory.ReadOptions(kind=kind)
    )
    loss = jnp.sum(read.value * weight) + jnp.mean(read.entropy)
    return loss, (jnp.mean(read.kept), read.usage)

  return jax.value_and_grad(objective, (0, 1), has_aux=True)


def sparse(slots, queries):
  """Returns queries near to slots, and the slots, for `sparse_read`."""
  noise, stored, _ = arrays(slots, queries)
  return stored[jnp.arange(queries) * 7 % slots] + 0.01 * noise, stored


def sparse_read(**options):
  """Returns a jitted read without gradients for which few slots survive."""
  return jax.jit(
    lambda query, stored: memory.read(
      query,
      stored,
      1 / stored.shape[0],
      memory.ReadOptions(temperature=0.05, **options),
    )
  )


def sparse_times(slots, queries, tops, rounds):
  """Returns the times of sparse reads: top-k reads over the streaming one."""
  query, stored = sparse(slots, queries)

  def call(**options):
    read = sparse_read(**options)
    return lambda: jax.block_until_ready(read(query, stored))

  runs = {'A streaming': call(kind='streaming')}
  kept = runs['A streaming']().kept
  for k in tops:
    runs[f'B top {k}'] = call(kind='top_k', k=k)
    runs[f'B top {k}']()
  seconds = common.alternate(runs, rounds)
  first = seconds['A streaming']
  return {
    'slots': slots,
    'queries': queries,
    'most_kept': int(kept.max()),
    'over_streaming': {
      name: round(statistics.median([b / a for a, b in zip(first, turns)]), 2)
      for name, turns in seconds.items()
    },
  }


def train_step(kind):
  """Returns a jitted step of gradient descent in the slots."""

  def step(query, slots, weight):
    (loss, (kept, usage)), (_, gradient) = both_ways(kind)(query, slots, weight)
    return slots - 1e-3 * gradient, loss, kept, jnp.max(usage)

  return jax.jit(step, donate_argnums=1)


def temporary(function, slots, queries):
  """Returns the bytes that a program needs besides arguments and results."""
  query = jax.ShapeDtypeStruct((queries, WIDTH), jnp.float32)
  stored = jax.ShapeDtypeStruct((slots, WIDTH), jnp.float32)
  program = common.compiled(jax.jit(function), query, stored, query)
  return program.call.memory_analysis().temp_size_in_bytes


def times(slots, queries, rounds):
  """Returns the times of A and B, their ratio and their temporary bytes."""
  inputs = arrays(slots, queries)
  runs, bytes_ = {}, {}
  for name, kind in (('A dense', 'dense'), ('B streaming', 'streaming')):
    call = jax.jit(both_ways(kind))
    runs[name] = lambda call=call: jax.block_until_ready(call(*inputs))
    (_, (kept, _)), _ = runs[name]()
    bytes_[name] = temporary(both_ways(kind), slots, queries)
  seconds = common.alternate(runs, rounds)
  ratio = [b / a for a, b in zip(*seconds.values())]
  return {
    'slots': slots,
    'queries': queries,
    'mean_kept': round(float(kept), 1),
    'ms': {k: round(1e3 * statistics.median(v)) for k, v in seconds.items()},
    'streaming_over_dense_time': round(statistics.median(ratio), 2),
    'temporary_mib': {k: round(v / 2**20) for k, v in bytes_.items()},
  }


def one_step(slots, queries, kind):
  """Prints the seconds of a step and the peak memory of this process."""
  query, stored, weight = jax.block_until_ready(arrays(slots, queries))
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  step = train_step(kind).lower(query, stored, weight).compile()
  step_bytes = step.memory_analysis().temp_size_in_bytes
  begun = time.perf_counter()
  stored, loss, kept, _ = jax.block_until_ready(step(query, stored, weight))
  seconds = time.perf_counter() - begun
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  facts = {
    'kind': kind,
    'slots': slots,
    'queries': queries,
    'seconds': round(seconds, 2),
    'peak_rss_mib': round(peak / 1024),
    'rss_before_step_mib': round(before / 1024),
    'temporary_mib': round(step_bytes / 2**20),
    'dense_temporary_mib': round(
      temporary(train_step('dense'), slots, queries) / 2**20
    ),
    'loss': float(loss),
    'mean_kept': round(float(kept), 1),
  }
  print(json.dumps(facts))


def main():
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--rounds', type=int, default=5)
  size = lambda text: tuple(int(n) for n in text.split('x'))
  parser.add_argument(
    '--reads', type=size, nargs='*', default=[(2000, 4096), (65536, 1024)]
  )
  parser.add_argument(
    '--steps',
    type=size,
    nargs='*',
    default=[(2000, 4096), (65536, 4096), (2**20, 4096)],
  )
  parser.add_argument(
    '--kind',
    choices=('streaming', 'dense'),
    default='streaming',
    help='kind of the read in --steps',
  )
  parser.add_argument('--sparse', type=size, nargs='*', default=[(65536, 512)])
  parser.add_argument('--top', type=int, nargs='*', default=[16, 64, 256, 1024])
  parser.add_argument('--one_step', type=size, help=argparse.SUPPRESS)
  args = parser.parse_args()
  jax.config.update('jax_platforms', 'cpu')
  if args.one_step:
    one_step(*args.one_step, args.kind)
    return
  # This comes first, as the peak memory of a child starts with that of its
  # parent.
  steps = []
  for slots, queries in args.steps:
    command = [sys.executable, '-m', 'benchmarks.memory']
    command += [f'--one_step={slots}x{queries}', f'--kind={args.kind}']
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    steps.append(json.loads(run.stdout.splitlines()[-1]))
    print(steps[-1], flush=True)
  reads = []
  for sizes in args.reads:
    reads.append(times(*sizes, args.rounds))
    print(reads[-1], flush=True)
  few = []
  for sizes in args.sparse:
    few.append(sparse_times(*sizes, args.top, args.rounds))
    print(few[-1], flush=True)
  print(
    json.dumps({'width': WIDTH, 'reads': reads, 'steps': steps, 'sparse': few})
  )


if __name__ == '__main__':
  main()
