"""Reads a video file with PyAV: its frames, their times and its shape.

Frames come one by one, upright as the file's display matrix says, in the order
in which they are shown. An interlaced frame holds both fields. Frames that
cannot be decoded are left out, with a warning: see `film_damage`.
"""

import contextlib
import io
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from memae_jax.data.videos import film_damage
from memae_jax.runtime import errors, foreign

SUFFIXES = (
  '.avi',
  '.mp4',
  '.mkv',
  '.mov',
  '.webm',
  '.m4v',
  '.mpg',
  '.mpeg',
  '.ts',
  '.mts',
  '.m2ts',
  '.wmv',
  '.asf',
  '.flv',
  '.3gp',
  '.3g2',
  '.ogv',
  '.vob',
  '.mxf',
)
# FFmpeg's names of the formats of such files. Other formats, such as playlists,
# name further files and addresses, which must not be opened.
_FORMATS = (
  'avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpeg,mpegvideo,mpegts,asf,flv,ogg,'
  'mxf,m4v,h264,hevc,mjpeg'
)
_MOST_PIXELS = 2**27  # Per frame; a header that says more is damaged.
_ATTACHED = 0x400  # FFmpeg's mark of a stream that is the cover of an album.
_HEAD = 2**16  # Bytes that `film_damage` sees of a file.


def titles(av: Any) -> dict[str, str]:
  """Returns the options of `av.open` for files whose titles are not UTF-8.

  From version 19 on, PyAV needs none.
  """
  old = int(av.__version__.partition('.')[0]) < 19
  return {'metadata_errors': 'replace'} if old else {}


class Film:
  """A video file that is read once, by iterating over its frames [H, W, 3].

  After the first frame:
  shape: (width, height) as it is to be shown.
  After the last frame:
  rate: frames per second; None: not known.
  seconds: time of each frame since the first one; None: not known.
  warnings: one line each, without the name of the file.
  """

  def __init__(self, path: Any, content: bytes | None = None):
    """Sets which file is read.

    Args:
      path: where the file is; if `content` is set, its name for messages.
      content: its bytes; None: they are read from disk.
    """
    self.path, self._content = path, content
    self.shape: tuple[int, int] | None = None
    self.rate: float | None = None
    self.seconds: list[float] | None = None
    self.warnings: tuple[str, ...] = ()
    self._tally = film_damage.Tally()

  def __iter__(self) -> Iterator[np.ndarray]:
    """Yields frames [H, W, 3] uint8.

    Raises:
      UserError: PyAV is not installed, or no frame can be read.
    """
    av, tally = _pyav(self.path), self._tally
    with contextlib.ExitStack() as stack:
      stack.enter_context(foreign.reading(self.path, 'video'))
      matrix, rotation = self._first_matrix(av), None
      container = stack.enter_context(self._opened(av))
      stream = _stream(container, self.path)
      for frame in self._frames(av, container, stream):
        frame_rotation = getattr(frame, 'rotation', 0)
        if rotation not in (None, frame_rotation):
          matrix = _matrix(frame)
        rotation = frame_rotation
        turned, tally.angle = upright(frame.to_ndarray(format='rgb24'), matrix)
        if self.shape is None:
          across = turned.shape[:2] != (frame.height, frame.width)
          self.shape = _shape(turned, stream.sample_aspect_ratio, across)
        yield turned
      if not tally.times:
        why = f' ({tally.reason})' if tally.reason else ''
        raise errors.UserError(
          f'{foreign.name_of(self.path)} holds no frame that can be read{why};'
          ' replace or remove it'
        )
      self._set_times(stream)
      self.warnings = tuple(
        film_damage.warnings(tally, container, stream, self.rate)
      )

  @contextlib.contextmanager
  def _opened(self, av):
    """Opens the file as a container of PyAV, while the context lasts."""
    with contextlib.ExitStack() as stack:
      content = self._content
      file = stack.enter_context(
        open(self.path, 'rb') if content is None else io.BytesIO(content)
      )
      self._tally.head = file.read(_HEAD)
      self._tally.size = file.seek(0, os.SEEK_END)
      file.seek(0)
      # As file:PATH, since FFmpeg might take the name for an address. It takes
      # only names in UTF-8.
      if content is None and foreign.name_of(self.path) == str(self.path):
        file = f'file:{os.path.abspath(self.path)}'
      options = {'format_whitelist': _FORMATS, 'protocol_whitelist': 'file'}
      try:
        container = av.open(file, options=options, **titles(av))
      except av.error.FFmpegError as error:
        raise ValueError(_message(error)) from error
      yield stack.enter_context(container)

  def _first_matrix(self, av) -> np.ndarray | None:
    """Returns the display matrix [3, 3] of the first frame, if it has one.

    The frame is decoded once more for that. Reading the side data of a frame
    keeps its buffer in use for a while, and where a file is damaged, what the
    decoder leaves in later frames depends on which buffers it gets.
    """
    with self._opened(av) as container:
      stream = _stream(container, self.path)
      with contextlib.suppress(av.error.FFmpegError):
        for frame in container.decode(stream):
          return _matrix(frame)
    return None

  def _frames(self, av, container, stream) -> Iterator[Any]:
    """Yields the frames that can be decoded, and counts packets that cannot."""
    packets, packet, tally = container.demux(), True, self._tally
    while packet is not None:
      try:
        packet = next(packets, None)
      except av.error.FFmpegError as error:  # Still, flush the decoder.
        self._fail(error)
        packet = None
      if packet is not None and not tally.add_packet(packet, stream.index):
        continue
      try:
        frames = stream.decode(packet)
      except av.error.EOFError:  # The decoder was flushed before.
        continue
      except av.error.FFmpegError as error:
        self._fail(error)
        continue
      for frame in frames:
        tally.add_frame(frame)
        yield frame

  def _fail(self, error: Exception) -> None:
    """Counts a packet that cannot be decoded."""
    self._tally.failed += 1
    self._tally.reason = self._tally.reason or _message(error)

  def _set_times(self, stream) -> None:
    """Sets rate and seconds, from times of frames rather than the header."""
    stated = stream.average_rate or stream.guessed_rate
    rate, times = float(stated) if stated else None, self._tally.clock
    count = len(self._tally.times)
    if times is not None:
      times = times - times[0]
      if count > 1:
        measured = (count - 1) / float(times[-1])
        usual = 1 / float(np.median(np.diff(times)))  # Gaps do not count.
        if not any(_alike(rate, other) for other in (measured, usual)):
          rate = measured
    elif rate:  # The frames have no times, or damaged ones.
      times = np.arange(count) / rate
    self.rate = rate
    self.seconds = None if times is None else times.round(6).tolist()


def _alike(stated: float | None, rate: float) -> bool:
  """Returns whether a stated rate is within 2 % of another."""
  return stated is not None and abs(stated / rate - 1) < 0.02


def _message(error: Exception) -> str:
  """Returns FFmpeg's message without its error numbers and function names."""
  return getattr(error, 'strerror', None) or foreign.reason(error)


def _pyav(path):
  """Returns the module `av`; refuses the file at `path` without it."""
  try:
    import av  # An optional dependency; folders of pictures do not need it.
  except ImportError as error:
    raise errors.UserError(
      f'{foreign.name_of(path)} is a video file, and reading it needs PyAV; pip'
      " install 'memae_jax[video]', or give a folder of pictures"
    ) from error
  return av


def _stream(container, path) -> Any:
  """Returns the first stream of moving pictures; refuses a file without one."""
  videos = [
    stream
    for stream in container.streams.video
    if not int(getattr(stream, 'disposition', 0)) & _ATTACHED
  ]
  if not videos:
    kinds = sorted({stream.type for stream in container.streams})
    raise errors.UserError(
      f'{foreign.name_of(path)} has no moving pictures, only'
      f' {" and ".join(kinds) or "nothing"}; replace or remove it'
    )
  stream = videos[0]
  if stream.codec_context is None:
    raise ValueError('its codec is not known to PyAV')
  if stream.width * stream.height > _MOST_PIXELS:
    raise ValueError(f'its header says {stream.width}x{stream.height} pixels')
  return stream


def _shape(pixels, ratio, across: bool) -> tuple[int, int]:
  """Returns the (width, height) that a frame is to be shown in.

  Args:
    pixels: [H, W, 3], the upright frame.
    ratio: width of a stored pixel by its height; None or 0: 1.
    across: whether the frame was turned by 90 degrees.
  """
  height, width = pixels.shape[:2]
  stretch = float(ratio or 1)
  if not 0.1 < stretch < 10:  # The header is damaged.
    stretch = 1.0
  if across:
    return width, max(1, round(height * stretch))
  return max(1, round(width * stretch)), height


def _matrix(frame) -> np.ndarray | None:
  """Returns the display matrix [3, 3] of a frame, if it has one."""
  # By index: iterating gives something else from PyAV 19 on.
  for data in map(frame.side_data.__getitem__, range(len(frame.side_data))):
    if data.type.name == 'DISPLAYMATRIX':
      return np.frombuffer(bytes(data), np.int32)[:9].reshape(3, 3)
  return None


def upright(
  pixels: np.ndarray, matrix: np.ndarray | None
) -> tuple[np.ndarray, float]:
  """Turns and mirrors a frame as its display matrix says.

  Args:
    pixels: [H, W, 3].
    matrix: [3, 3]; a point (x, y), y downwards, is shown at (x, y) times its
      upper left [2, 2]. None: the frame is upright.

  Returns:
    the upright frame and 0; or, for an angle that is not a multiple of 90
    degrees, the frame unchanged and the angle, clockwise.
  """
  if matrix is None or not matrix[:2, :2].any():
    return pixels, 0.0
  (a, b), (c, d) = matrix[:2, :2].tolist()
  angle = math.degrees(math.atan2(b, a))
  if abs(angle - 90 * round(angle / 90)) > 1:
    return pixels, angle % 360
  if abs(b) > abs(a):  # What was right of a point is now below or above it.
    pixels, a, d = pixels.swapaxes(0, 1), c, b
  return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1], 0.0
