"""Peak memory of scoring new videos of several lengths.

python -m benchmarks.long_video [--frames 500 2500 10000] [--size=64]

Trains a small network on generated videos for one step, writes a film of each
length, and scores it by `--mode=eval --config.eval.video=...` in a process of
its own, which decodes it and makes scores, curve and film. The peak is that of
the process, with Python, JAX and the program. A shorter film has the program
compiled before, as XLA takes more memory for that than all the rest. The last
line is JSON.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

from memae_jax.data.sets import moving_shapes

_FIRST = 100  # Frames of the film for which the program is compiled.


def film(path: pathlib.Path, frames: int, size: int) -> None:
  """Writes a film of generated people who walk by, 25 frames per second."""
  import av

  with av.open(str(path), 'w') as container:
    stream = container.add_stream('mpeg4', rate=25)
    stream.width = stream.height = size
    stream.pix_fmt = 'yuv420p'
    done, seed = 0, 0
    while done < frames:
      pixels, _ = moving_shapes.video(10**6 + seed, size, size, False)
      for image in pixels[: frames - done]:
        rgb = np.ascontiguousarray(np.repeat(image, 3, axis=2))
        frame = av.VideoFrame.from_ndarray(rgb, format='rgb24')
        container.mux(stream.encode(frame.reformat(format='yuv420p')))
      done, seed = done + len(pixels), seed + 1
    container.mux(stream.encode())


def run(*flags: str) -> tuple[float, float]:
  """Runs `memae_jax.main`; returns its peak memory in MiB, and seconds."""
  begun = time.perf_counter()
  process = subprocess.Popen(
    [sys.executable, '-m', 'memae_jax.main', *flags],
    env=os.environ | {'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': '1'},
    stdout=subprocess.DEVNULL,
  )
  _, status, usage = os.wait4(process.pid, 0)
  process.returncode = os.waitstatus_to_exitcode(status)
  if status:
    raise SystemExit('memae_jax.main failed; its error is above')
  return usage.ru_maxrss / 1024, time.perf_counter() - begun


def trained(workdir: pathlib.Path, size: int) -> None:
  """Trains a network of clips for one step."""
  run(
    '--config=configs/moving_shapes.py:smoke,variant=memae',
    f'--workdir={workdir}',
    f'--config.data.image_size={size}',
    '--config.data.max_samples=0',
    '--config.data.clip_stride=30',
    '--config.train.epochs=0.01',
    '--config.eval.baselines=()',
  )


def measure(
  folder: pathlib.Path, lengths: list[int], size: int
) -> dict[str, Any]:
  """Returns peak memory and seconds for each length."""
  trained(folder / 'run', size)
  rows = {}
  for frames in (_FIRST, *lengths):
    path = folder / f'{frames}.mp4'
    film(path, frames, size)
    peak, seconds = run(
      '--mode=eval',
      f'--workdir={folder / "run"}',
      f'--config.eval.video={path}',
    )
    rows[frames] = {'peak_mib': round(peak), 'seconds': round(seconds, 1)}
    print(frames, rows[frames], flush=True)
  return {frames: rows[frames] for frames in lengths}


def main():
  """Measures, and prints the report."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    '--frames', type=int, nargs='+', default=[500, 2500, 10000]
  )
  parser.add_argument('--size', type=int, default=64)
  args = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    rows = measure(pathlib.Path(folder), args.frames, args.size)
  print(json.dumps({'size': args.size, 'by_frames': rows}))


if __name__ == '__main__':
  main()
