"""Textures whose motion is known, and videos of them."""

import numpy as np


def texture(height=48, width=64, seed=0, x=0.0, y=0.0):
  """A smooth periodic texture in [0, 1], moved by (x, y) pixels exactly."""
  rng = np.random.default_rng(seed)
  down, across = np.meshgrid(
    np.fft.fftfreq(height), np.fft.fftfreq(width), indexing='ij'
  )
  smooth = np.exp(-0.5 * (np.hypot(down, across) / 0.08) ** 2)
  waves = np.fft.fft2(rng.normal(size=(height, width))) * smooth
  waves *= np.exp(-2j * np.pi * (x * across + y * down))
  moved = np.fft.ifft2(waves).real
  return (0.5 + 0.15 * moved / moved.std()).clip(0, 1).astype(np.float32)


def video(length, speed=0.0, event=None, hop=None, **texture_fields):
  """[T, 48, 64, 1] uint8: a patch moves over still ground.

  Args:
    length: T.
    speed: of the patch to the right, in pixels per frame.
    event: the one frame in which the patch is 4 pixels further right.
    hop: the frame that is half-way in a hop of 8 pixels to the right.
    **texture_fields: of the ground.
  """
  patch = texture(20, 26, seed=7)
  frames = []
  for number in range(length):
    frame = texture(**texture_fields)
    at = 8 + round(speed * number) + 4 * (number == event)
    if hop is not None:
      at += 4 * ((number >= hop) + (number > hop))
    frame[14:34, at : at + 26] = patch
    frames.append(np.round(255 * frame).astype(np.uint8)[..., None])
  return np.stack(frames)
