"""Streams on one core: frames per second from file to score, and memory.

python -m benchmarks.stream [--sizes 64 128] [--recipes paper motion]
  [--frames=500] [--memory=100000] [--video=FOLDER] [--smoke]

Rates: networks of configs/ped2.py as they begin, exported, score the frames of
a video, whose paths come on a pipe: each is read, decoded, resized, scored and
answered before the next one. The video is generated, of Ped2's 360 x 240
pixels, unless there is a folder of frames. The rate is from the first answer to
the last. `difference` is the largest, relative to the score, from what the same
file gives for the whole folder.

Memory: a smoke network scores raw frames from a pipe; `mib` is the resident
memory of its process after parts of them, `growth` the largest by the first.

Each scores in a process of its own on one core (`taskset`) and one device of
JAX. The last line is JSON.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from configs import moving_shapes as small
from configs import ped2
from memae_jax import config as config_lib
from memae_jax import export, scorer
from memae_jax.data.sets import moving_shapes
from memae_jax.evaluation.scoring import collect, single
from memae_jax.training import experiment, step

HEIGHT, WIDTH = 240, 360  # Of Ped2.
SIDE = 32  # Of the frames of the smoke network.
MARKS = 10  # Parts after which memory is read.


def exported(path: pathlib.Path, config: Any) -> pathlib.Path:
  """Exports the first weights of a config, for generated videos."""
  config.data.name, config.model.memory.init = 'moving_shapes', 'uniform'
  exp = experiment.build(config_lib.resolve(config))
  weights = step.weights(exp.programs.init())
  members = export.programs(single.of(exp, weights, 0), exp.config)
  normals = np.zeros(len(exp.splits[0].validation))
  calibrated = collect.Calibration(0.5, (), normals)
  export.write(path, members, export.meta(exp, 0, calibrated, 0, 0))
  return path


def video(folder: pathlib.Path, count: int) -> pathlib.Path:
  """Writes generated frames as pictures."""
  folder.mkdir()
  done = seed = 0
  while done < count:
    frames, _ = moving_shapes.video(10**6 + seed, HEIGHT, WIDTH, False)
    for frame in frames[: count - done]:
      Image.fromarray(frame[..., 0]).save(folder / f'{done:06d}.png')
      done += 1
    seed += 1
  return folder


def start(path: pathlib.Path, source: Any, *flags: str) -> subprocess.Popen:
  """Starts the command of streams on one core.

  Args:
    path: of the scorer.
    source: its standard input.
    *flags: beside `--stream`.
  """
  core = min(os.sched_getaffinity(0))
  command = [sys.executable, '-m', 'memae_jax.scorer', str(path), '--stream']
  return subprocess.Popen(
    ['taskset', '-c', str(core), *command, *flags],
    env=os.environ | {'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': '1'},
    stdin=source,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
  )


def ended(process: subprocess.Popen) -> str:
  """Returns the report of a stream that has ended."""
  *_, report = [line.decode() for line in process.stderr] or ['']
  if process.wait():
    raise SystemExit(f'the stream failed: {report}')
  return report.strip()


def rate(path: pathlib.Path, folder: pathlib.Path) -> dict[str, Any]:
  """Scores the frames of a folder; compares with the folder as a whole."""
  names, samples = scorer.load(path).read(folder)
  files = sorted(file for file in folder.iterdir() if file.is_file())
  with tempfile.TemporaryFile() as paths:
    paths.write('\n'.join(map(str, files)).encode())
    paths.seek(0)
    process = start(path, paths)
    found, times = {}, []
    for line in process.stdout:
      times.append(time.perf_counter())
      answer = json.loads(line)
      found[answer['frame']] = answer['score']
  report = ended(process)
  want = scorer.load(path).score(samples)
  stream = np.array([found[name] for name in names])
  return {
    'frames': len(files),
    'per_second': round((len(times) - 1) / (times[-1] - times[0]), 2),
    'difference': float(np.max(np.abs(stream - want) / np.abs(want))),
    'report': report,
  }


def memory(path: pathlib.Path, count: int) -> dict[str, Any]:
  """Scores raw frames, and reads the memory of the process now and then."""
  process = start(path, subprocess.PIPE, f'--size={SIDE}x{SIDE}')
  frames, _ = moving_shapes.video(0, SIDE, SIDE, False)
  content = [np.repeat(frame, 3, axis=-1).tobytes() for frame in frames]

  def feed():
    with process.stdin as pipe:
      for number in range(count):
        pipe.write(content[number % len(content)])

  writer = threading.Thread(target=feed)
  writer.start()
  mib, begun = {}, time.perf_counter()
  for frame in _frames(process.stdout):
    if (frame + 1) % max(count // MARKS, 1) == 0:
      mib[frame + 1] = _resident(process.pid)
      print(frame + 1, mib[frame + 1], flush=True)
  writer.join()
  first, *_ = mib.values()
  return {
    'mib': mib,
    'growth': round(max(mib.values()) / first, 4),
    'seconds': round(time.perf_counter() - begun, 1),
    'report': ended(process),
  }


def _frames(lines) -> Iterator[int]:
  """Yields the numbers of frames that have a score."""
  for line in lines:
    yield json.loads(line)['frame']


def _resident(number: int) -> float:
  """Returns the resident memory of a process in MiB."""
  text = pathlib.Path(f'/proc/{number}/status').read_text()
  (line,) = [line for line in text.splitlines() if line.startswith('VmRSS')]
  return round(int(line.split()[1]) / 1024, 1)


def main():
  """Measures, and prints the report."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--sizes', type=int, nargs='*', default=[64, 128])
  parser.add_argument('--recipes', nargs='+', default=['paper', 'motion'])
  parser.add_argument('--frames', type=int, default=500)
  parser.add_argument('--memory', type=int, default=100_000)
  parser.add_argument('--video', type=pathlib.Path)
  parser.add_argument('--smoke', action='store_true', help='small networks')
  args = parser.parse_args()
  rows, of_memory = {}, None
  with tempfile.TemporaryDirectory() as name:
    root = pathlib.Path(name)
    folder = args.video or (args.sizes and video(root / 'v', args.frames))
    for recipe in args.recipes:
      for size in args.sizes:
        words = f'size={size},variant=memae,recipe={recipe}'
        words += ',smoke' * args.smoke
        path = exported(root / 'a.scorer', ped2.get_config(words))
        rows[f'{recipe} {size}'] = rate(path, folder)
        print(recipe, size, rows[f'{recipe} {size}'], flush=True)
    if args.memory:
      config = small.get_config(f'smoke,variant=memae,size={SIDE}')
      path = exported(root / 'a.scorer', config)
      of_memory = memory(path, args.memory)
  print(json.dumps({'rates': rows, 'memory': of_memory}))


if __name__ == '__main__':
  main()
