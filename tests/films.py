"""Small video files for the tests, made by PyAV."""

import fractions
import struct

import numpy as np
import pytest

from memae_jax.data.videos import film_file

SUFFIXES = {  # Of each: the codec, and the container where it is not plain.
  '.avi': ('mpeg4', None),
  '.mp4': ('libx264', None),
  '.mkv': ('libx264', None),
  '.mov': ('libx264', None),
  '.webm': ('libvpx', None),
  '.m4v': ('mpeg4', 'mp4'),
  '.mpg': ('mpeg2video', None),
  '.mpeg': ('mpeg2video', None),
  '.ts': ('libx264', None),
  '.mts': ('libx264', 'mpegts'),
  '.m2ts': ('libx264', 'mpegts'),
  '.wmv': ('wmv2', None),
  '.asf': ('wmv2', None),
  '.flv': ('flv', None),
  '.3gp': ('mpeg4', None),
  '.3g2': ('mpeg4', None),
  '.vob': ('mpeg2video', None),
  '.mxf': ('mpeg2video', None),
}


def pixels(count, height=32, width=48, seed=0):
  """Random frames [n, H, W, 3] uint8 that move."""
  rng = np.random.default_rng(seed)
  first = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
  first = np.kron(first, np.ones((8, 8, 1), np.uint8))
  return np.stack([np.roll(first, i, axis=1) for i in range(count)])


def write(
  path,
  frames,
  codec=None,
  pix_fmt='yuv420p',
  rate=25,
  times=None,
  sound=0.0,
  how=None,
  options=None,
  title=None,
  ratio=None,
):
  """Writes frames [n, H, W, 3] as a video file.

  Args:
    path: of the file; its suffix says the container.
    frames: uint8.
    codec: None: see `SUFFIXES`.
    pix_fmt: FFmpeg's name of how pixels are stored.
    rate: frames a second.
    times: of each frame in milliseconds, in place of the rate.
    sound: seconds of it.
    how: options of the container.
    options: of the codec.
    title: metadata.
    ratio: width of a pixel over its height.
  """
  av = pytest.importorskip('av', reason='PyAV is not installed')
  usual, container = SUFFIXES.get(path.suffix.lower(), ('ffv1', None))
  path.parent.mkdir(parents=True, exist_ok=True)
  milli = fractions.Fraction(1, 1000)
  with (
    path.open('w+b') as file,
    av.open(
      file,
      'w',
      format=container or _FORMAT[path.suffix.lower()],
      options=how or {},
    ) as out,
  ):
    if title:
      out.metadata['title'] = title
    stream = out.add_stream(codec or usual, rate=rate, options=options or {})
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = pix_fmt
    if ratio:
      stream.codec_context.sample_aspect_ratio = ratio
    if times is not None:
      stream.codec_context.time_base = milli
    if sound:
      heard = out.add_stream('aac', rate=44100)
    for i, frame in enumerate(frames):
      frame = av.VideoFrame.from_ndarray(frame, format='rgb24')
      frame = frame.reformat(format=pix_fmt)
      if times is not None:
        frame.pts, frame.time_base = int(times[i]), milli
      out.mux(stream.encode(frame))
    if sound:
      samples = np.zeros((1, int(44100 * sound)), np.float32)
      noise = av.AudioFrame.from_ndarray(samples, 'fltp', 'mono')
      noise.rate = 44100
      out.mux(heard.encode(noise))
      out.mux(heard.encode(None))
    out.mux(stream.encode())
  return path


_FORMAT = {
  '.avi': 'avi',
  '.mp4': 'mp4',
  '.mkv': 'matroska',
  '.mov': 'mov',
  '.webm': 'webm',
  '.mpg': 'mpeg',
  '.mpeg': 'mpeg',
  '.ts': 'mpegts',
  '.wmv': 'asf',
  '.asf': 'asf',
  '.flv': 'flv',
  '.3gp': '3gp',
  '.3g2': '3g2',
  '.vob': 'vob',
  '.mxf': 'mxf',
}


def turn(path, matrix):
  """Sets the display matrix (a, b, c, d) of an mp4 file, in its bytes."""
  content = bytearray(path.read_bytes())
  at = content.index(b'tkhd') + 4 + 40
  a, b, c, d = (65536 * n for n in matrix)
  values = a, b, 0, c, d, 0, 0, 0, 2**30
  content[at : at + 36] = struct.pack('>9i', *map(int, values))
  path.write_bytes(content)


def plain(content):
  """What PyAV makes of a file: its frames [H, W, 3], and whether it failed."""
  import io

  import av

  found = []
  try:
    with av.open(io.BytesIO(content), **film_file.titles(av)) as container:
      for frame in container.decode(video=0):
        found.append(frame.to_ndarray(format='rgb24'))
  except Exception:
    return found, True
  return found, False
