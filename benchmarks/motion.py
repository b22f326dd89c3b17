"""Motion of frames by block matching, against OpenCV's dense inverse search.

python -m benchmarks.motion [--size=240x360] [--frames=64] [--rounds=5]
  [--threads=1]

Generated videos of a random texture that moves by a known fraction of a pixel
per frame, with noise. Both go all the way from frames to the cells that a
network sees, as `data.motion` has it, without smoothing, and take turns; ratios
are medians over the rounds. The error is the median length, over the cells that
are not at the edge, of the difference to what the video was moved by, in pixels
of the full frame per frame. The last line is JSON. OpenCV is the extra `flow`.
"""

import json
import os

import numpy as np
import scipy.ndimage

from benchmarks import common
from memae_jax.data.videos import motion

_SPEEDS = (0.0, 0.4, 1.3, 2.6)  # Pixels per frame.
_EDGE = 3  # Cells.
_CELL = motion.Settings('blocks').blocks.shrink
_NOISE = 2.0  # Grey levels.


def video(size: tuple[int, int], count: int, speed: float) -> np.ndarray:
  """Returns frames [count, H, W, 1] uint8 that move to the right."""
  rng = np.random.default_rng(0)
  wide = size[0], size[1] + int(np.ceil(speed * count)) + 4
  texture = scipy.ndimage.gaussian_filter(rng.normal(size=wide), 2)
  texture = 128 + 40 * texture / texture.std()
  frames = []
  for number in range(count):
    far = speed * (count - 1 - number)  # What is shown goes to the right.
    moved = scipy.ndimage.shift(texture, (0, -far), order=3, mode='nearest')
    frames.append(moved[:, : size[1]] + rng.normal(0, _NOISE, size))
  return np.clip(np.round(frames), 0, 255).astype(np.uint8)[..., None]


def fields(kind: str, frames: np.ndarray) -> np.ndarray:
  """Returns the motion [T, h, w, 2] of cells, not smoothed."""
  settings = motion.Settings(kind, frames=1, box=1)
  cells = tuple(-(-n // _CELL) for n in frames.shape[1:3])
  rows, _ = motion.of_video(frames, settings, cells)
  return rows[np.arange(len(rows))].astype(np.float32)


def error(found: np.ndarray, speed: float) -> float:
  """Returns the median length of the difference to (speed, 0)."""
  inner = found[:, _EDGE:-_EDGE, _EDGE:-_EDGE]
  return float(np.median(np.hypot(inner[..., 0] - speed, inner[..., 1])))


def main():
  """Runs the comparison."""
  parser = common.parser(__doc__, steps=1)
  parser.add_argument('--size', default='240x360')
  parser.add_argument('--frames', type=int, default=64)
  parser.add_argument('--threads', type=int, default=1)
  args = parser.parse_args()
  # Before JAX counts the cores, and OpenCV as well.
  cores = sorted(os.sched_getaffinity(0))[: args.threads]
  os.sched_setaffinity(0, cores)
  import cv2

  cv2.setNumThreads(len(cores))
  height, width = map(int, args.size.split('x'))
  videos = {s: video((height, width), args.frames, s) for s in _SPEEDS}
  errors = {
    kind: {s: round(error(fields(kind, v), s), 3) for s, v in videos.items()}
    for kind in ('blocks', 'flow')
  }
  fast = videos[_SPEEDS[2]]
  runs = {kind: lambda kind=kind: fields(kind, fast) for kind in errors}
  found = common.in_turn(runs, args.rounds)
  per_frame = lambda of: {
    kind: round(1e3 * seconds / args.frames, 2)
    for kind, seconds in found[of].items()
  }
  print(
    json.dumps(
      {
        **{'size': args.size, 'threads': len(cores)},
        'ms_per_frame': per_frame('seconds'),
        'cpu_ms_per_frame': per_frame('cpu_seconds'),
        'blocks_over_flow': round(1 / found['ratios']['flow'], 2),
        'blocks_over_flow_cpu': round(1 / found['cpu_ratios']['flow'], 2),
        'error_in_pixels': errors,
      }
    )
  )


if __name__ == '__main__':
  main()
