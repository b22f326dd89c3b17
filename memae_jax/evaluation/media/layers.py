"""Frames of a film with their error maps, kept on disk until they are drawn.

The colours and the curve of a film depend on all of its frames, so no frame
can be drawn before the last one is scored.
"""

import pathlib
from collections.abc import Iterator

import numpy as np

from memae_jax.data import on_disk

_MOST = float(np.finfo(np.float16).max)


class Layers:
  """Frames of a video and the error of each of their pixels."""

  def __init__(self, folder: pathlib.Path | None = None):
    """Takes a folder whose disk has room for them; None: the system's."""
    self._folder = folder
    self._frames: on_disk.Rows | None = None
    self._maps: on_disk.Rows | None = None
    self._counts = np.zeros(2**16, np.int64)  # Of each float16, by its bits.

  def add(self, frames: np.ndarray, maps: np.ndarray) -> None:
    """Adds frames [n, H, W, C] in [0, 1] and their maps [n, H, W].

    Frames are kept with 8 bits per channel and maps as float16: a film shows
    no more.
    """
    if self._frames is None:
      self._frames = on_disk.Rows(frames.shape[1:], np.uint8, self._folder)
      self._maps = on_disk.Rows(maps.shape[1:], np.float16, self._folder)
    self._frames.append((255 * np.clip(frames, 0, 1)).round().astype(np.uint8))
    maps = np.clip(maps, 0, _MOST).astype(np.float16)
    self._counts += np.bincount(maps.view(np.uint16).ravel(), minlength=2**16)
    self._maps.append(maps)

  def __len__(self) -> int:
    return 0 if self._frames is None else len(self._frames)

  def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields each frame [H, W, C] in [0, 1], and its map [H, W]."""
    for i in range(len(self)):
      frame, error = self._frames[i], self._maps[i]
      yield frame.astype(np.float32) / 255, error.astype(np.float32)

  def quantile(self, share: float) -> float:
    """Returns the smallest error that this share of all pixels does not exceed.

    Args:
      share: from 0 to 1.
    """
    upto = np.cumsum(self._counts)  # Bits of numbers >= 0 are in their order.
    bits = int(np.searchsorted(upto, share * upto[-1]))
    return float(np.uint16(bits).view(np.float16))
