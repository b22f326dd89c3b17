"""Command of streams: samples from a pipe, a line of JSON for each."""

import argparse
import json
import math
import sys
import time
from typing import Any, BinaryIO

import numpy as np

from memae_jax.exported import stream, stream_input

_BROKEN = 1  # Exit code where a sample was broken.


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of streams."""
  group = parser.add_argument_group(
    'streams', 'samples from standard input, a line of JSON for each'
  )
  group.add_argument(
    '--stream',
    action='store_true',
    help='tables: csv lines below a header, or JSON lines; pictures and frames'
    ' of one video: a path in each line, or raw frames',
  )
  group.add_argument(
    '--size',
    default='',
    metavar='WIDTHxHEIGHT',
    help='of raw frames, as ffmpeg -f rawvideo -pix_fmt rgb24 writes them',
  )
  group.add_argument(
    '--pixels',
    choices=tuple(stream_input.PIXELS),
    default='rgb24',
    help='of raw frames; default: rgb24',
  )
  group.add_argument(
    '--update',
    action='store_true',
    help='mnad: frames that look normal move the slots, as published',
  )


class Latency:
  """Times, of which the median and the largest are known in fixed memory.

  Attributes:
    count: of times.
    largest: of them.
  """

  _LEAST, _RATIO, _BINS = 1e-6, 1.01, 2500  # A microsecond to 17 hours.

  def __init__(self):
    self.count, self.largest = 0, 0.0
    self._bins = np.zeros(self._BINS, np.int64)

  def add(self, seconds: float) -> None:
    """Counts a time."""
    ratio = max(seconds, self._LEAST) / self._LEAST
    place = round(math.log(ratio) / math.log(self._RATIO))
    self._bins[min(place, self._BINS - 1)] += 1
    self.count, self.largest = self.count + 1, max(self.largest, seconds)

  @property
  def median(self) -> float:
    """Median to one percent; 0 where there is none."""
    if not self.count:
      return 0.0
    half = np.searchsorted(np.cumsum(self._bins), (self.count + 1) // 2)
    return self._LEAST * self._RATIO ** int(half)


def line(
  scored: stream.Scored, index: str, name: str, alarms: bool = False
) -> bytes:
  """Returns a score as a line of JSON.

  Args:
    scored: of a sample.
    index, name: keys of its index and its name.
    alarms: whether it says if an alarm begins here.
  """
  fields: dict[str, Any] = {index: scored.index}
  if scored.name:
    fields[name] = scored.name
  if scored.error:
    fields['error'] = scored.error
  else:
    fields |= {'score': scored.score, 'flagged': scored.flagged}
    fields |= {'alarm': scored.alarm} if alarms else {}
    fields['delay'] = scored.delay
  return json.dumps(fields, allow_nan=False).encode() + b'\n'


def run(
  scorer: Any, options: argparse.Namespace, source: BinaryIO, to: BinaryIO
) -> int:
  """Scores a stream until it ends, SIGINT, or until nobody reads the scores.

  Args:
    scorer: a `scorer.Scorer`.
    options: parsed by `add_flags`.
    source: of samples.
    to: where lines of JSON are written, each batch of them at once.

  Returns:
    The exit code: 0, or 1 if a sample was broken.

  Raises:
    UserError: the samples do not fit the scorer.
  """
  meta = scorer.meta['input']
  index, name = stream.INDEX[meta['kind']], meta.get('key_column') or 'file'
  latency, count, broken, begun = Latency(), 0, 0, None
  alarms = options.alarms_per_hour is not None

  def write(found):
    nonlocal broken
    broken += sum(bool(one.error) for one in found)
    if found:
      to.write(b''.join(line(one, index, name, alarms) for one in found))
      to.flush()

  try:
    rates = options.false_alarm, options.alarms_per_hour
    scores = scorer.stream(options.update, *rates)
    for sample in stream_input.samples(
      source, meta, options.size, options.pixels
    ):
      arrived = time.perf_counter()
      begun = arrived if begun is None else begun
      count += 1
      write(scores.take(sample))
      latency.add(time.perf_counter() - arrived)
    write(scores.end())
  except (KeyboardInterrupt, BrokenPipeError):
    pass  # The usual ends of a stream that has no end.
  seconds = time.perf_counter() - begun if begun is not None else 0.0
  rate = count / seconds if seconds else 0.0
  print(
    f'{count} {index}s, {broken} of them broken; {rate:.1f} per second;'
    f' from arrival to answer {1e3 * latency.median:.1f} ms (median),'
    f' {1e3 * latency.largest:.1f} ms (largest)',
    file=sys.stderr,
  )
  return _BROKEN if broken else 0
