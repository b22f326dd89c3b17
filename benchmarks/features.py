"""Features of a frozen network: our lowering against others, in pictures.

python -m benchmarks.features [--rounds=5]

A: `lite0.features` with depthwise convolutions as shifted products, some
pictures at a time (the lowering of CPUs). B: with XLA's grouped convolutions
(that of GPU and TPU). C: the same network in onnxruntime, where that and `onnx`
are installed. On pictures of 64, 96 and 128 pixels up to the head, and of 256
up to block 10; weights are random. All take as many threads as there are cores
(one: `taskset -c 0`) and alternate within each round; rates are medians, per
second and per second of CPU time. The last line is JSON.
"""

import argparse
import json

import jax
import numpy as np

from benchmarks import common
from memae_jax.features import lite0
from memae_jax.runtime import host

# Side, pictures in a batch, output.
SETTINGS = (
  (64, 16, 'head'),
  (96, 16, 'head'),
  (128, 16, 'head'),
  (256, 4, 'b10'),
)


def random_weights(names) -> dict[str, np.ndarray]:
  """Returns weights under which numbers neither vanish nor grow."""
  rng = np.random.default_rng(0)
  weights = {}
  for name, shape in lite0.shapes(names).items():
    taps = shape[:2] if 'depthwise' in name else shape[:-1]
    deviation = 1 / np.sqrt(np.prod(taps)) if taps else 0.1
    weights[name] = np.float32(deviation * rng.standard_normal(shape))
  return weights


def onnx_model(weights, name: str) -> bytes:
  """Returns the network as an ONNX file, [B, 3, H, W] -> [B, C, h, w]."""
  import onnx
  from onnx import helper, numpy_helper

  nodes = [helper.make_node('Sub', ['x', 'shift'], ['centred'])]
  nodes.append(helper.make_node('Div', ['centred', 'scale'], ['scaled']))
  constants = {
    'shift': np.float32(127),
    'scale': np.float32(128),
    'low': np.float32(0),
    'high': np.float32(6),
  }

  def layer(x, part, stride=1, clip=True):
    kernel = weights[f'{part}_kernel']
    is_depthwise = kernel.ndim == 3
    if is_depthwise:
      kernel = kernel[:, :, None]
    elif kernel.ndim == 2:
      kernel = kernel[None, None]
    constants[f'{part}_kernel'] = np.ascontiguousarray(
      kernel.transpose(3, 2, 0, 1)
    )
    constants[f'{part}_bias'] = weights[f'{part}_bias']
    nodes.append(
      helper.make_node(
        'Conv',
        [x, f'{part}_kernel', f'{part}_bias'],
        [part],
        strides=[stride, stride],
        group=kernel.shape[-1] if is_depthwise else 1,
        auto_pad='SAME_UPPER',
      )
    )
    if not clip:
      return part
    nodes.append(
      helper.make_node('Clip', [part, 'low', 'high'], [f'{part}_clip'])
    )
    return f'{part}_clip'

  x = layer('scaled', 'stem', 2)
  depth = lite0.BLOCKS if name == lite0.HEAD else lite0.NAMES.index(name) + 1
  for i, block in enumerate(lite0.TABLE[:depth]):
    y = x if block.expansion == 1 else layer(x, f'b{i}_expand')
    y = layer(y, f'b{i}_depthwise', block.stride)
    y = layer(y, f'b{i}_project', clip=False)
    if block.stride == 1 and block.inputs == block.outputs:
      nodes.append(helper.make_node('Add', [x, y], [f'b{i}']))
      y = f'b{i}'
    x = y
  if name == lite0.HEAD:
    x = layer(x, lite0.HEAD)
  value = lambda name: helper.make_tensor_value_info(
    name, onnx.TensorProto.FLOAT, None
  )
  graph = helper.make_graph(
    nodes,
    'lite0',
    [value('x')],
    [value(x)],
    [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
  )
  model = helper.make_model(
    graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8
  )
  return model.SerializeToString()


def onnx_runner(weights, x, name: str):
  """Returns a function that runs onnxruntime, or None without it."""
  try:
    import onnxruntime

    model = onnx_model(weights, name)
  except ImportError:
    return None
  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = host.cores()
  session = onnxruntime.InferenceSession(
    model, options, providers=['CPUExecutionProvider']
  )
  x = np.ascontiguousarray(np.moveaxis(x, -1, 1))
  return lambda: np.moveaxis(session.run(None, {'x': x})[0], 1, -1)


def runners(side: int, count: int, name: str) -> dict:
  """Returns functions that compute an output of a batch, by label."""
  weights = random_weights([name])
  x = np.random.default_rng(1).uniform(0, 255, (count, side, side, 3))
  x = x.astype(np.float32)
  calls = {}
  for label, lowering in (('A shifted', 'shifted'), ('B grouped', 'grouped')):
    program = jax.jit(
      lambda w, x, how=lowering: lite0.features(w, x, [name], how)[name]
    )
    args = jax.device_put((weights, x))
    compiled = program.lower(*args).compile()
    calls[label] = lambda run=compiled, args=args: jax.block_until_ready(
      run(*args)
    )
  if call := onnx_runner(weights, x, name):
    calls['C onnxruntime'] = call
  return calls


def main() -> None:
  """Prints pictures per second of each lowering, and how far they differ."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--rounds', type=int, default=5)
  rounds = parser.parse_args().rounds
  rows = []
  for side, count, name in SETTINGS:
    calls = runners(side, count, name)
    first, *others = (np.asarray(call()) for call in calls.values())
    scale = np.abs(first).max()
    times = common.in_turn(calls, rounds)
    rate = lambda seconds, count=count: {
      label: round(count / value, 1) for label, value in seconds.items()
    }
    row = {
      'pixels': side,
      'output': name,
      'pictures_per_second': rate(times['seconds']),
      'pictures_per_cpu_second': rate(times['cpu_seconds']),
      'times_slower': times['ratios'],
      'largest_relative_difference': max(
        float(np.abs(first - other).max() / scale) for other in others
      ),
    }
    print(row, flush=True)
    rows.append(row)
  print(json.dumps({'threads': host.cores(), 'rows': rows}))


if __name__ == '__main__':
  main()
