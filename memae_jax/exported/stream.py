"""Scores of samples that come one after another, by an exported scorer.

What needs all frames of a video is not there: scores are as they are, neither
scaled between the least and the largest of a video nor smoothed. What needs a
few later frames, a clip around a frame or its motion, comes with a delay.
"""

import collections
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from memae_jax.data import stream_samples
from memae_jax.exported import hourly
from memae_jax.runtime import errors

# What samples are found by, by their kind.
INDEX = {'table': 'row', 'images': 'image', 'clips': 'frame'}


class Scored(NamedTuple):
  """The score of a row, a picture or a frame of a stream, or why it has none.

  index: its number from 0, broken ones included. score: higher is more
  anomalous; NaN where it is broken. flagged: whether that is above the
  threshold. delay: how many frames have come since. name: path of its file, or
  key of the row, or ''. error: one line, or ''. alarm: whether an alarm begins
  here, with alarms per hour.
  """

  index: int
  score: float
  flagged: bool
  delay: int = 0
  name: str = ''
  error: str = ''
  alarm: bool = False


def samples_of(meta: Mapping[str, Any], prepared: Callable[..., Any]) -> Any:
  """Returns the samples that a scorer takes, see `data.stream_samples`.

  Args:
    meta: `input` of meta.json.
    prepared: see `stream_samples.Singles`.

  Raises:
    UserError: Pillow is missing, or settings of motion are not sound.
  """
  if meta['kind'] == 'table':
    # Imported late, since an array needs nothing of it.
    from memae_jax.data.tables import row_stream

    return row_stream.Rows(meta, prepared)
  try:
    from memae_jax.data import stream_pictures
  except ImportError as error:
    raise errors.UserError(
      'a stream of pictures or frames needs Pillow and SciPy; pip install'
      ' pillow scipy'
    ) from error
  if meta['kind'] == 'clips':
    return stream_pictures.Frames(meta)
  return stream_pictures.Pictures(meta, prepared)


class Stream:
  """Scores samples in the order in which they come, in fixed memory.

  `push` and `end` return the scores that are known by then, in order. The
  scores of a video are those of `Scorer.score` for a file of it.

  Attributes:
    delay: how many later frames the score of a frame waits for; at the end of
      a video it waits for none.
  """

  def __init__(
    self,
    meta: Mapping[str, Any],
    prepared: Callable[..., np.ndarray],
    score: Callable[[np.ndarray, int], float],
    limit: float,
    gap: int | None = None,
  ):
    """Begins a stream; `Scorer.stream` does so.

    Args:
      meta: of the scorer.
      prepared: see `stream_samples.Singles`.
      score: of a sample [...] and its number.
      limit: score above which samples are flagged.
      gap: frames between two alarms, see `hourly.Alarms`; None: none is raised.

    Raises:
      UserError: see `samples_of`.
    """
    self._samples = samples_of(meta['input'], prepared)
    self._score, self._limit = score, limit
    self._pushed, self._names = 0, collections.deque()
    self._gap, self._alarms = gap, hourly.Alarms(gap or 0)

  @property
  def delay(self) -> int:
    """Number of later frames that the score of a frame waits for."""
    return self._samples.look_ahead

  def push(self, sample: Any) -> list[Scored]:
    """Takes the next sample; returns the scores that are known by it.

    Args:
      sample: a picture or frame: the path of a file or its pixels, [H, W] or
        [H, W, 1 or 3] uint8 of any size, which are resized as those of files
        are. A row: {column: value}, a Series of pandas that has its columns, or
        the encoded numbers [D]. Or else what `Scorer.score` takes, without the
        first axis.

    Raises:
      UserError: it cannot be read; the stream is as before. `skip` counts it,
        or push it once more.
    """
    content, name = self._samples.read(sample)
    if name:
      self._names.append((self._pushed, name))
    self._pushed += 1
    return self._scored(self._samples.add(content))

  def skip(self) -> list[Scored]:
    """Leaves out a broken sample; returns the scores that waited for it.

    No clip and no motion goes across a broken frame: what is before it is
    scored as if the video had ended there, and what is after it as another.
    """
    found = self._scored(self._samples.skip())
    self._names.clear()
    self._pushed += 1
    return found

  def end(self) -> list[Scored]:
    """Ends a video; returns the scores that waited for later frames.

    What is pushed then begins anew, from index 0.
    """
    found = self._scored(self._samples.end())
    self._names.clear()
    self._pushed, self._alarms = 0, hourly.Alarms(self._gap or 0)
    return found

  def over(self, samples: Iterable[Any]) -> Iterator[Scored]:
    """Yields the scores of all samples, and ends the video after the last one.

    A broken sample is one `Scored` with its `error`.

    Args:
      samples: see `push`. An error among them stands for one that is broken.
    """
    for sample in samples:
      yield from self.take(sample)
    yield from self.end()

  def take(self, sample: Any) -> list[Scored]:
    """Does what `push` does, or `skip` where a sample is broken.

    Args:
      sample: see `over`.
    """
    try:
      if isinstance(sample, errors.UserError):
        raise sample
      return self.push(sample)
    except errors.UserError as error:
      index, found = self._pushed, self.skip()
      return [*found, Scored(index, math.nan, False, error=str(error))]

  def _scored(self, samples: list[stream_samples.Sample]) -> list[Scored]:
    """Returns the scores of samples that are complete."""
    found = []
    for index, number, x in samples:
      while self._names and self._names[0][0] < index:
        self._names.popleft()
      has_name = self._names and self._names[0][0] == index
      name = self._names[0][1] if has_name else ''
      score = self._score(x, number)
      delay, flagged = self._pushed - 1 - index, score > self._limit
      error = '' if math.isfinite(score) else f'its score is {score}'
      alarm = self._gap is not None and self._alarms.begins(index, flagged)
      found.append(Scored(index, score, flagged, delay, name, error, alarm))
    return found
