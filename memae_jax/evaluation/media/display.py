"""Model inputs as pictures that people can look at."""

import numpy as np

from memae_jax.data import types
from memae_jax.data.videos import views

_CONTRAST = 3.0  # Mean absolute deviations from grey to black and to white.
_BRIGHTEST = 2.0  # Model input of scaling "blur_unit" that is shown white.
_LOOKED_AT = 256  # Frames whose fastest motion is shown brightest.


def as_image(
  x: np.ndarray, source: types.Source, split: types.Split
) -> np.ndarray:
  """Scales model inputs back to [0, 1].

  Speeds are bright where something is fast. Motion is red where it goes to the
  right and green where it goes down, and grey where nothing moves; beside a
  grey picture the two are green and blue. Of more channels the picture is
  shown.

  Args:
    x: [K, H, W, C] model inputs; of both, also of the motion alone.
    source: of the samples.
    split: of the replica.

  Returns:
    [K, H, W, C] float32; of motion [K, H, W, 1 or 3].
  """
  channels = x.shape[-1]  # Of motion alone, the last ones.
  scale, shift = (part[-channels:] for part in split.transform[:2])
  raw = (x - shift) / np.where(scale, scale, 1)
  frames = getattr(source.inputs, 'frames', None)
  if split.transform.least_contrast is not None:  # Each image has its levels.
    low, high = -_CONTRAST, _CONTRAST
  elif split.transform.least_norm is not None:
    raw, low, high = x, 0.0, _BRIGHTEST
  elif isinstance(frames, views.View):
    low, high = (part[-channels:] for part in _range_of_channels(frames))
  else:
    low, high = levels(source, split)
  width = np.float32(high) - np.float32(low)
  shown = np.clip((raw - low) / np.where(width, width, np.float32(1)), 0, 1)
  shown = shown.astype(np.float32)
  return _as_colours(shown) if isinstance(frames, views.View) else shown


def levels(source: types.Source, split: types.Split) -> tuple[float, float]:
  """Values of black and of white: of bytes, or of the training samples."""
  if source.inputs.dtype == np.uint8:
    return 0.0, 255.0
  train = source.inputs[split.train]
  return float(np.nanmin(train)), float(np.nanmax(train))


def _range_of_channels(frames: views.View) -> tuple[np.ndarray, np.ndarray]:
  """Values [C] of black and of white; no motion of two axes is between them."""
  some = np.linspace(0, len(frames) - 1, min(_LOOKED_AT, len(frames)))
  fastest = frames.speeds(np.unique(some.astype(int))).max()
  pictures, motion = frames.channels
  slowest = -fastest if motion == 2 else 0.0
  low = [0.0] * pictures + [slowest] * motion
  high = [255.0] * pictures + [fastest] * motion
  return np.float32(low), np.float32(high)


def _as_colours(shown: np.ndarray) -> np.ndarray:
  """Returns [K, H, W, 1 or 3] of any number of channels."""
  channels = shown.shape[-1]
  if channels == 2:
    grey = np.full_like(shown[..., :1], 0.5)
    return np.concatenate([shown, grey], axis=-1)
  return shown[..., :3] if channels > 3 else shown
