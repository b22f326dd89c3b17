"""What is missing of a video file, or damaged: nobody else would notice.

The end is missed where the header says more than there is; where FFmpeg would
guess a length from what is there, nothing is said. In the middle, packets that
give no frame are counted, and jumps of the clock of a film that is even else.
"""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

_SLACK = 1.5  # Frames that a length may say too many.
_ASF_FILE = bytes.fromhex('a1dcab8c47a9cf118ee400c00c205365')
_TS_PACKETS = (188, 192, 204)  # Bytes.
# Codecs some of whose packets hold no frame of their own.
_UNEVEN = ('vp8', 'vp9', 'av1', 'mpeg4', 'msmpeg4v2', 'msmpeg4v3', 'vc1')
_DELAY = 16  # Frames that a codec holds back at most.
_EVEN = 0.9  # Share of the frames that follow each other in one step.


@dataclasses.dataclass
class Tally:
  """What was seen while a file was read.

  times: of the frames, in seconds of its clock; None: it has none.
  first, end: of the packets, in seconds, by stream.
  packets, failed: of the pictures; failed ones gave an error: reason.
  damaged, interlaced: frames that say so.
  angle: by which the frames were not turned.
  head, size: first bytes of the file, and how many there are.
  """

  times: list[float | None] = dataclasses.field(default_factory=list)
  first: dict[int, float] = dataclasses.field(default_factory=dict)
  end: dict[int, float] = dataclasses.field(default_factory=dict)
  packets: int = 0
  failed: int = 0
  reason: str = ''
  damaged: int = 0
  interlaced: int = 0
  angle: float = 0.0
  head: bytes = b''
  size: int = 0

  def add_packet(self, packet: Any, index: int) -> bool:
    """Notes how far a packet reaches; returns whether it is of the pictures."""
    at = packet.stream_index
    if packet.pts is not None and packet.time_base:
      begin = float(packet.pts * packet.time_base)
      end = begin + float((packet.duration or 0) * packet.time_base)
      self.first[at] = min(self.first.get(at, begin), begin)
      self.end[at] = max(self.end.get(at, end), end)
    self.packets += at == index and packet.size > 0 and not packet.is_discard
    return at == index

  def add_frame(self, frame: Any) -> None:
    """Notes a frame."""
    self.times.append(frame.time)
    self.damaged += bool(frame.is_corrupt)
    self.interlaced += bool(frame.interlaced_frame)

  @property
  def clock(self) -> np.ndarray | None:
    """The times [n], if each frame has a later one than that before."""
    if None in self.times or not self.times:
      return None
    times = np.array(self.times)
    return times if (np.diff(times) > 0).all() else None


def warnings(
  tally: Tally, container: Any, stream: Any, rate: float | None
) -> Iterator[str]:
  """Yields what is wrong with a file, a line each that begins with a verb.

  Args:
    tally: of the whole file.
    container: of PyAV.
    stream: of its pictures.
    rate: frames a second.
  """
  read = len(tally.times)
  ends_early = _end(tally, container, stream, rate)
  if ends_early:
    yield ends_early
  # The last packet of a file that was cut is cut itself.
  rest = 1 if ends_early else 0
  lost = tally.packets - tally.failed - read
  if stream.codec_context.name in _UNEVEN or tally.interlaced:
    lost = 0
  bad = max(lost, 0) + tally.failed
  # Of its last frames, those between others are missing.
  jumps = _jumps(tally, _DELAY if ends_early else 0)
  if bad > rest:
    why = f' ({tally.reason})' if tally.reason else ''
    yield (
      f'is damaged: {bad:,} of {tally.packets:,} packets gave no frame{why};'
      f' {read:,} frames were read, and those after a gap are numbered too low'
    )
  elif jumps:
    yield jumps
  if tally.damaged > rest:
    yield (
      f'is damaged: {tally.damaged:,} of {read:,} frames were decoded in part;'
      ' their scores mean little'
    )
  if tally.angle:
    yield (
      f'says that it is turned by {tally.angle:.3g} degrees; it is read as it'
      ' is stored'
    )


def _end(tally, container, stream, rate) -> str:
  """What to say of an end that is missing."""
  kind, read = container.format.name, len(tally.times)
  said, reached, slack = _length(tally, kind, container, stream, rate)
  if said and rate and (said - reached) * rate > slack:
    return (
      f'ends early: the header says {stream.frames or round(said * rate):,}'
      f' frames ({said:.4g} s), {read:,} were read ({read / rate:.4g} s)'
    )
  if 'asf' in kind and tally.size < (size := _asf_size(tally.head)):
    return (
      f'ends early: the header says {size:,} bytes, there are {tally.size:,};'
      f' {read:,} frames were read'
    )
  if kind == 'mpegts' and all(tally.size % size for size in _TS_PACKETS):
    return (
      f'ends early, within a packet; {read:,} frames were read, and how many'
      ' are missing nothing says'
    )
  return ''


def _length(tally, kind, container, stream, rate):
  """Seconds that a header says (or None), those reached, and the slack."""
  at = stream.index
  first, end = tally.first.get(at, 0.0), tally.end.get(at, 0.0)
  last = tally.times[-1]
  if rate and last is not None:  # Some packets do not say how long they last.
    end = max(end, last + 1 / rate)
  if 'mp4' in kind and stream.duration:
    return float(stream.duration * stream.time_base), end - first, _SLACK
  if kind == 'avi' and stream.frames and stream.average_rate:
    # A number, not a length. Frames that a camera left out have their time.
    return stream.frames / float(stream.average_rate), end - first, 0.5
  if not any(name in kind for name in ('matroska', 'flv', 'asf', 'mxf')):
    return None, end, _SLACK
  # They say when the film ends, from 0 on; those of sound may end later.
  lengths = [
    _clock(value)
    for key, value in stream.metadata.items()
    if key.startswith('DURATION')
  ]
  said = max(lengths, default=0.0)
  if not said:
    said, end = (container.duration or 0) / 1e6, max([end, *tally.end.values()])
  begin = max(first, 0.0)
  return max(said - begin, 0.0), end - begin, _SLACK


def _clock(text: str) -> float:
  """Seconds of 'HH:MM:SS.fraction', 0 where it is none."""
  parts = re.fullmatch(r'(\d+):(\d+):(\d+(?:\.\d+)?)', text.strip())
  if not parts:
    return 0.0
  hours, minutes, seconds = map(float, parts.groups())
  return 3600 * hours + 60 * minutes + seconds


def _asf_size(head: bytes) -> int:
  """Bytes of a .wmv by its header, from whose length FFmpeg takes nothing.

  It does so where it differs from that of the file. 0: it does not say.
  """
  at = head.find(_ASF_FILE) + 40
  return int.from_bytes(head[at : at + 8], 'little') if at >= 40 else 0


def _jumps(tally, ignored: int) -> str:
  """What to say of frames that are missing in an even film.

  Args:
    tally: of the file.
    ignored: steps at the end.
  """
  times = tally.clock
  if times is None or len(times) < 3:
    return ''
  steps = np.diff(times)
  usual = float(np.median(steps))
  even = np.abs(steps / usual - 1) < 0.15
  far = np.flatnonzero(steps[: len(steps) - ignored] > 1.5 * usual)
  if not len(far) or even.mean() < _EVEN:
    return ''
  missing = int(np.round(steps[far] / usual - 1).sum())
  often = 'once' if len(far) == 1 else f'{len(far):,} times'
  where = float(times[far[0]] - times[0])
  return (
    f'jumps {often}, over {missing:,} times the usual step in all, first after'
    f' {where:.4g} s (frame {far[0]}): frames are missing, and scores around a'
    ' jump are high'
  )
