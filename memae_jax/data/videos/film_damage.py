"""Tells what is missing from a video file or damaged, which FFmpeg does not.

The end is missing where the header announces more than the file has; where
FFmpeg would guess the length from what the file has, nothing is said. In the
middle, packets that give no frame are counted, and so are jumps of the clock,
if the frames of the film are evenly spaced otherwise.
"""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

_SLACK = 1.5  # Frames by which a header may exceed the film without a warning.
_ASF_FILE = bytes.fromhex('a1dcab8c47a9cf118ee400c00c205365')
_TS_PACKETS = (188, 192, 204)  # Bytes of a packet, in each kind of file.
# Codecs whose packets do not always hold a frame of their own.
_UNEVEN = ('vp8', 'vp9', 'av1', 'mpeg4', 'msmpeg4v2', 'msmpeg4v3', 'vc1')
_DELAY = 16  # Frames that a codec holds back at most.
_EVEN = 0.9  # Least share of equal steps between the frames of an even film.


@dataclasses.dataclass
class Tally:
  """Counts and times that are collected while a file is read.

  times: time of each frame, in seconds of the file's clock; None: not known.
  first, end: where the packets of each stream begin and end, in seconds; by
    index of the stream.
  packets: number of packets of the stream of pictures.
  failed: how many of them gave an error.
  reason: the first of these errors, else empty.
  damaged, interlaced: how many frames are marked so.
  angle: degrees by which frames are said to be turned, but were not turned.
  head: first bytes of the file.
  size: bytes of the file.
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
    """Notes when a packet begins and ends.

    Args:
      packet: of PyAV.
      index: of the stream of pictures.

    Returns:
      whether the packet is of the stream of pictures.
    """
    at = packet.stream_index
    if packet.pts is not None and packet.time_base:
      begin = float(packet.pts * packet.time_base)
      end = begin + float((packet.duration or 0) * packet.time_base)
      self.first[at] = min(self.first.get(at, begin), begin)
      self.end[at] = max(self.end.get(at, end), end)
    self.packets += at == index and packet.size > 0 and not packet.is_discard
    return at == index

  def add_frame(self, frame: Any) -> None:
    """Notes the time and the marks of a decoded frame of PyAV."""
    self.times.append(frame.time)
    self.damaged += bool(frame.is_corrupt)
    self.interlaced += bool(frame.interlaced_frame)

  @property
  def clock(self) -> np.ndarray | None:
    """Times [n] of the frames in seconds; None unless each is later."""
    if None in self.times or not self.times:
      return None
    times = np.array(self.times)
    return times if (np.diff(times) > 0).all() else None


def warnings(
  tally: Tally, container: Any, stream: Any, rate: float | None
) -> Iterator[str]:
  """Yields what is wrong with a file, in lines that begin with a verb.

  Args:
    tally: of the file, which was read to its end.
    container: the opened file of PyAV.
    stream: its stream of pictures.
    rate: frames per second; None: not known.
  """
  read = len(tally.times)
  ends_early = _end(tally, container, stream, rate)
  if ends_early:
    yield ends_early
  # In a file that was cut, the last packet is cut, too.
  cut = 1 if ends_early else 0
  lost = tally.packets - tally.failed - read
  if stream.codec_context.name in _UNEVEN or tally.interlaced:
    lost = 0
  bad = max(lost, 0) + tally.failed
  # Near a cut, frames that refer to later ones are missing.
  jumps = _jumps(tally, _DELAY if ends_early else 0)
  if bad > cut:
    why = f' ({tally.reason})' if tally.reason else ''
    yield (
      f'is damaged: {bad:,} of {tally.packets:,} packets gave no frame{why};'
      f' {read:,} frames were read, and those after a gap are numbered too low'
    )
  elif jumps:
    yield jumps
  if tally.damaged > cut:
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
  """Returns the warning that the end of a file is missing; empty: it is not."""
  kind, read = container.format.name, len(tally.times)
  stated, reached, slack = _length(tally, kind, container, stream, rate)
  if stated and rate and (stated - reached) * rate > slack:
    return (
      f'ends early: the header says {stream.frames or round(stated * rate):,}'
      f' frames ({stated:.4g} s), {read:,} were read ({read / rate:.4g} s)'
    )
  if 'asf' in kind and tally.size < (size := _asf_size(tally.head)):
    return (
      f'ends early: the header says {size:,} bytes, there are {tally.size:,};'
      f' {read:,} frames were read'
    )
  if kind == 'mpegts' and all(tally.size % size for size in _TS_PACKETS):
    return (
      f'ends early, within a packet; {read:,} frames were read, and the file'
      ' does not say how many are missing'
    )
  return ''


def _length(tally, kind, container, stream, rate):
  """Returns the length of a film by its header, and as far as it was read.

  Returns:
    seconds that the header says (None or 0: it does not say), seconds that the
    packets reach, and the frames by which the two may differ.
  """
  at = stream.index
  first, end = tally.first.get(at, 0.0), tally.end.get(at, 0.0)
  last = tally.times[-1]
  if rate and last is not None:  # Packets may not say how long they last.
    end = max(end, last + 1 / rate)
  if 'mp4' in kind and stream.duration:
    return float(stream.duration * stream.time_base), end - first, _SLACK
  if kind == 'avi' and stream.frames and stream.average_rate:
    # A count, not a length. Frames that a camera left out take their time.
    return stream.frames / float(stream.average_rate), end - first, 0.5
  if not any(name in kind for name in ('matroska', 'flv', 'asf', 'mxf')):
    return None, end, _SLACK
  # These headers say when the film ends, counted from 0; sound may end later.
  lengths = [
    _clock(value)
    for key, value in stream.metadata.items()
    if key.startswith('DURATION')
  ]
  stated = max(lengths, default=0.0)
  if not stated:
    stated = (container.duration or 0) / 1e6
    end = max([end, *tally.end.values()])
  begin = max(first, 0.0)
  return max(stated - begin, 0.0), end - begin, _SLACK


def _clock(text: str) -> float:
  """Returns the seconds of 'HH:MM:SS.fraction'; 0 for any other text."""
  parts = re.fullmatch(r'(\d+):(\d+):(\d+(?:\.\d+)?)', text.strip())
  if not parts:
    return 0.0
  hours, minutes, seconds = map(float, parts.groups())
  return 3600 * hours + 60 * minutes + seconds


def _asf_size(head: bytes) -> int:
  """Returns the bytes of a .wmv file as its header says; 0: it does not.

  FFmpeg ignores this number where it differs from the size of the file.
  """
  at = head.find(_ASF_FILE) + 40
  return int.from_bytes(head[at : at + 8], 'little') if at >= 40 else 0


def _jumps(tally, ignored: int) -> str:
  """Returns the warning that an even film lacks frames; empty: it does not.

  Args:
    tally: of the file.
    ignored: how many steps between frames are not looked at, at the end.
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
