"""Motion of a video whose frames come one after another, in fixed memory."""

import collections

import numpy as np

from memae_jax.data.videos import motion, motion_smoother


class Follower:
  """Finds the motion of each frame as soon as the later frames are there.

  It is that of `motion.of_video`, bit for bit: `add` and `end` together return
  as many fields as there were frames.
  """

  def __init__(self, settings: motion.Settings, size: tuple[int, int]):
    """Begins a video.

    Args:
      settings: of the motion.
      size: rows h and columns w of the motion.

    Raises:
      UserError: OpenCV is missing.
    """
    self._before, self._after = settings.around
    self._ends = settings.frames // 2
    self._between = motion.between(settings)
    self._smoother = motion_smoother.Smoother(
      settings.frames, settings.box, size
    )
    self._frames = collections.deque(maxlen=self._before + self._after + 1)
    self._count, self._field = 0, None

  def add(self, frame: np.ndarray) -> list[np.ndarray]:
    """Takes the next frame.

    Args:
      frame: [H, W] uint8, grey and of full size.

    Returns:
      The motion [h, w, C] float16 of frames that are complete by it, in order.
    """
    self._frames.append(frame)
    self._count += 1
    apart = self._before + self._after
    if self._count <= apart:
      return []
    first = self._field is None  # The frames before the first have its motion.
    self._field = self._between(self._frames[0], self._frames[-1], apart)
    return self._smoothed([self._field] * (1 + self._before * first))

  def end(self) -> list[np.ndarray]:
    """Returns the motion of the frames that waited for later ones."""
    if not self._count:
      return []
    fields = [self._field] * self._after
    if self._field is None:
      pair = self._frames[0], self._frames[-1]
      fields = [self._between(*pair, self._count - 1)] * self._count
    return self._smoothed([*fields, *[None] * self._ends])

  def _smoothed(self, fields) -> list[np.ndarray]:
    found = map(self._smoother.add, fields)
    return [one.astype(np.float16) for one in found if one is not None]
