"""Convolutions on the CPU: this project's lowering against XLA's, by layer.

python -m benchmarks.conv_cpu [--rounds=5] [--nets mnist cifar pool video]

A: the CPU lowering of memae_jax.models.conv. B: jax.lax.conv_general_dilated
with its own gradients. Both compute the output and the gradients in input and
kernel, for each convolution and transposed convolution of four networks:
28x28x1 (batch 64), 32x32x3 (batch 64), the same without strides (batch 16),
and video, reduced to one clip of 8x32x32x1, as B takes many seconds on larger
ones. Each layer is timed as a program of its own and inside a loop, where XLA
chooses otherwise; training has it in a loop over steps and replicas. A and B
alternate within each round; ratios are medians over the rounds. The last line
is JSON.
"""

import argparse
import json
import statistics
import time

import jax
import numpy as np

from memae_jax.models import conv as conv_lib

_TURNS = 4  # Turns of a loop.
# Name: (batch, size, channels of the input and of each layer, strides).
NETS = {
  'mnist': (64, (28, 28), (1, 32, 16, 8), ((2, 2), (2, 2), (3, 3))),
  'cifar': (64, (32, 32), (3, 64, 128, 128, 256), ((2, 2),) * 4),
  'pool': (16, (32, 32), (3, 32, 64), ((1, 1),) * 2),
  'video': (
    1,
    (8, 32, 32),
    (1, 96, 128, 256, 256),
    ((1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
  ),
}


def layers(net):
  """Yields (name, function, input, kernel, cotangent) of each layer of a net.

  The function takes input, kernel and lowering. All kernels are 3 wide with
  padding 1; the decoder mirrors the encoder.
  """
  batch, size, widths, strides = NETS[net]
  rng = np.random.default_rng(0)
  draw = lambda *shape: rng.standard_normal(shape, np.float32)
  padding = (1,) * len(size)
  for i, (ci, co, stride) in enumerate(zip(widths, widths[1:], strides)):
    small = tuple((n - 1) // s + 1 for n, s in zip(size, stride))
    x, y = draw(batch, *size, ci), draw(batch, *small, co)
    kernel = draw(*(3,) * len(size), ci, co)

    def conv(x, w, how, stride=stride):
      return conv_lib.conv(x, w, stride, padding, how)

    def transpose(y, w, how, stride=stride, size=size):
      return conv_lib.conv_transpose(y, w, stride, padding, size, how)

    yield f'{net} conv {i + 1}', conv, x, kernel, y
    turned = np.swapaxes(kernel, -1, -2)
    yield f'{net} transposed {i + 1}', transpose, y, turned, x
    size = small


def runner(function, how, looped, *args):
  """Returns a function that runs a layer both ways, and compile seconds."""

  def both(x, kernel, g):
    out, pull = jax.vjp(lambda x, w: function(x, w, how), x, kernel)
    return out, pull(g)

  if looped:
    args = [np.stack([arg] * _TURNS) for arg in args]
    one_turn = both
    both = lambda *args: jax.lax.map(lambda a: one_turn(*a), args)
  args = jax.device_put(args)
  begun = time.perf_counter()
  compiled = jax.jit(both).lower(*args).compile()
  seconds = time.perf_counter() - begun
  return lambda: jax.block_until_ready(compiled(*args)), seconds


def compared(function, looped, arrays, rounds):
  """Times A and B in turns; `ms` are milliseconds per turn of a loop."""
  runs, compiled = {}, {}
  for label, how in (('A ours', 'cpu'), ('B XLA', 'xla')):
    runs[label], compiled[label] = runner(function, how, looped, *arrays)
    runs[label]()
  seconds = {label: [] for label in runs}
  for _ in range(rounds):
    for label, run in runs.items():
      begun = time.perf_counter()
      run()
      seconds[label].append(time.perf_counter() - begun)
  ratio = statistics.median(
    b / a for a, b in zip(seconds['A ours'], seconds['B XLA'])
  )
  turns = _TURNS if looped else 1
  return {
    'ms': {
      k: round(1e3 * statistics.median(v) / turns, 2)
      for k, v in seconds.items()
    },
    'xla_times_slower': round(ratio, 2),
    'compile_seconds': {k: round(v, 2) for k, v in compiled.items()},
  }


def main():
  """Runs the comparison."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--nets', nargs='+', default=list(NETS), choices=NETS)
  args = parser.parse_args()
  jax.config.update('jax_platforms', 'cpu')
  results = {}
  for net in args.nets:
    for name, function, *arrays in layers(net):
      results[name] = {
        where: compared(function, looped, arrays, args.rounds)
        for where, looped in (('alone', False), ('in a loop', True))
      }
      print(name, results[name], flush=True)
  print(json.dumps({'rounds': args.rounds, 'layers': results}))


if __name__ == '__main__':
  main()
