"""A film of a video with its errors laid over it, and its scores below.

H.264 by PyAV where that is installed (`pip install -e '.[video]'`), else an
animated GIF by Pillow, which is larger and has 256 colours.
"""

import io
import itertools
import logging
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import matplotlib
import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from memae_jax import errors, writers
from memae_jax.evaluation import frames as frames_lib
from memae_jax.evaluation.plots import style

_LOG = logging.getLogger(__name__)
_WIDTH, _CHART, _TEXT, _EDGE = 480, 96, 22, 4  # Pixels.
_STRONGEST = 0.75  # Of the heat; the frame stays visible below it.


def _even(value: float) -> int:
  """H.264 takes even sizes only."""
  return 2 * round(value / 2)


def _heated(frame: np.ndarray, error: np.ndarray, limit: float) -> Image.Image:
  """A frame [H, W, C] in [0, 1] under the heat of its error map [H, W]."""
  share = np.sqrt(np.clip(error / limit, 0, 1))[..., None]
  # Its pale end would not show on a bright frame.
  heat = matplotlib.colormaps['inferno'](0.8 * share[..., 0])[..., :3]
  mixed = frame + _STRONGEST * share * (heat - frame)
  picture = Image.fromarray((255 * np.clip(mixed, 0, 1)).round().astype('u1'))
  height, width = error.shape
  size = _WIDTH, _even(_WIDTH * height / width)
  return picture.resize(size, Image.Resampling.BICUBIC)


def _chart(score: np.ndarray, anomalous: np.ndarray) -> Image.Image:
  """The scores over time, anomalous frames shaded; drawn once for all."""
  chart = Image.new('RGB', (2 * _WIDTH, 2 * _CHART), 'white')
  draw = ImageDraw.Draw(chart)
  wide = 2 * _WIDTH / len(score)
  for first, last in frames_lib.spans(np.flatnonzero(anomalous)):
    box = first * wide, 0, (last + 1) * wide, 2 * _CHART
    draw.rectangle(box, fill='#f9dcc4')
  low, high = np.nanmin(score), np.nanmax(score)
  y = 2 * (_CHART - 8 - (_CHART - 16) * (score - low) / (high - low or 1))
  for first, last in frames_lib.spans(np.flatnonzero(np.isfinite(score))):
    at = (np.arange(first, last + 1) + 0.5) * wide
    points = list(zip(at.tolist(), y[first : last + 1].tolist()))
    draw.line(points, fill=style.INK, width=3)
  return chart.resize((_WIDTH, _CHART), Image.Resampling.BOX)


def render(
  frames: np.ndarray,
  maps: np.ndarray,
  score: np.ndarray,
  anomalous: np.ndarray,
  limit: float | None = None,
  number: Sequence[int] | None = None,
) -> Iterator[np.ndarray]:
  """Yields the pictures of a film, [H', W', 3] uint8 with even sizes.

  Anomalous frames have a vermilion border and word; the line in the chart is
  where the film is.

  Args:
    frames: [F, H, W, C] float in [0, 1], C of 1 or 3.
    maps: [F, H, W] error of each pixel, 0 where a frame was not scored.
    score: [F], NaN where a frame was not scored.
    anomalous: [F] bool, of the ground truth.
    limit: the error that is hottest; None: the highest 0.1 % of this video.
      Give the same one to films that are to be compared.
    number: [F] of each frame in its video; None: from 0.

  Raises:
    UserError: the numbers of frames differ, or none was scored.
  """
  sizes = {len(frames), len(maps), len(score), len(anomalous)}
  if len(sizes) > 1 or frames.shape[:3] != maps.shape:
    raise errors.UserError(
      f'frames have shape {frames.shape}, maps {maps.shape}, score'
      f' {score.shape} and anomalous {anomalous.shape}; give all of the same'
      ' frames and size'
    )
  if not np.isfinite(score).any():
    raise errors.UserError('no frame of the film has a score')
  number = range(len(frames)) if number is None else number
  return _pictures(frames, maps, score, anomalous, limit, number)


def _pictures(
  frames, maps, score, anomalous, limit, number
) -> Iterator[np.ndarray]:
  limit = limit or float(np.quantile(maps, 0.999)) or 1.0
  chart, font = _chart(score, anomalous), ImageFont.load_default(14)
  red = ImageColor.getrgb(style.ANOMALOUS)
  for i, bad in enumerate(anomalous):
    heated = _heated(frames[i], maps[i], limit)
    below = heated.height + _TEXT
    page = Image.new('RGB', (_WIDTH, below + _CHART), 'white')
    draw = ImageDraw.Draw(page)
    page.paste(heated, (0, 0))
    page.paste(chart, (0, below))
    if bad:
      box = 0, 0, _WIDTH - 1, heated.height - 1
      draw.rectangle(box, outline=red, width=_EDGE)
      right = _WIDTH - 8, heated.height + 3
      draw.text(right, 'anomalous', fill=red, font=font, anchor='ra')
    value = f'score {score[i]:.3g}' if np.isfinite(score[i]) else 'not scored'
    text = f'frame {number[i]}   {value}'
    draw.text((8, heated.height + 3), text, fill=style.INK, font=font)
    x = (i + 0.5) * _WIDTH / len(score)
    draw.line((x, below, x, below + _CHART), fill=red, width=2)
    yield np.asarray(page)


def write(
  path: pathlib.Path, pictures: Iterable[np.ndarray], rate: int = 10
) -> pathlib.Path:
  """Writes a film; the file is whole or not there.

  Args:
    path: ends in .mp4 or .gif.
    pictures: [H', W', 3] uint8, all of one even size.
    rate: pictures a second.

  Returns:
    The path written: .gif in place of .mp4 without PyAV or its H.264 encoder.

  Raises:
    UserError: another ending.
  """
  path = pathlib.Path(path)
  if path.suffix not in ('.mp4', '.gif'):
    raise errors.UserError(f'{path}: a film ends in .mp4 or .gif')
  if path.suffix == '.mp4' and not _has_h264():
    _LOG.warning(
      "no H.264 encoder, so %s becomes a GIF; pip install -e '.[video]'",
      path.name,
    )
    path = path.with_suffix('.gif')
  encode = _mp4 if path.suffix == '.mp4' else _gif
  writers.write_atomic(path, encode(pictures, rate))
  return path


def _has_h264() -> bool:
  try:
    import av
  except ImportError:
    return False
  return 'libx264' in av.codecs_available


def _mp4(pictures: Iterable[np.ndarray], rate: int) -> bytes:
  import av  # Here, since most runs need no film.

  buffer = io.BytesIO()
  with av.open(buffer, 'w', format='mp4') as film:
    stream = film.add_stream('libx264', rate=rate, options={'crf': '20'})
    stream.pix_fmt = 'yuv420p'  # The one that every browser plays.
    pictures = iter(pictures)
    first = next(pictures)
    stream.height, stream.width = first.shape[:2]
    for picture in itertools.chain([first], pictures):
      film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, 'rgb24')))
    film.mux(stream.encode())
  return buffer.getvalue()


def _gif(pictures: Iterable[np.ndarray], rate: int) -> bytes:
  buffer = io.BytesIO()
  first, *rest = (Image.fromarray(picture) for picture in pictures)
  first.save(
    buffer,
    'GIF',
    save_all=True,
    append_images=rest,
    duration=round(1000 / rate),
    loop=0,
  )
  return buffer.getvalue()
