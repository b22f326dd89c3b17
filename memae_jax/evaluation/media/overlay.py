"""A film of a video with its errors laid over it, and its scores below.

It plays as fast as the video and has its shape. PyAV encodes it as H.264 where
it is installed (`pip install 'memae_jax[video]'`). Else Pillow writes an
animated GIF, which is larger, has 256 colours and leaves out frames of a long
or fast film.
"""

import fractions
import itertools
import logging
import math
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import matplotlib
import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from memae_jax.data import types
from memae_jax.evaluation.media import layers
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.report.plots import style
from memae_jax.runtime import atomic, errors, parallel

_LOG = logging.getLogger(__name__)
_WIDTH, _CHART, _TEXT, _EDGE = 480, 96, 22, 4  # Pixels.
_TALLEST = 2 * _WIDTH
_STRONGEST = 0.75  # Opacity of the heat; the frame stays visible below it.
_HOTTEST = 0.999  # Share of the pixels of a film that are less hot.
_DASH = 8  # Pixels.
_MOST_OF_GIF = 500  # Frames, which Pillow holds in memory.
_FASTEST_GIF = 50  # Frames per second; browsers slow faster ones down.


def _even(value: float) -> int:
  """Rounds to an even size: H.264 takes no others."""
  return 2 * round(value / 2)


def _size(width: float, height: float) -> tuple[int, int]:
  """Returns width and height in pixels: the shape, fitted into the film."""
  tall = _WIDTH * height / width
  if tall <= _TALLEST:
    return _WIDTH, max(2, _even(tall))
  return max(2, _even(_TALLEST * width / height)), _TALLEST


def _heated(
  frame: np.ndarray, error: np.ndarray, limit: float, size: tuple[int, int]
) -> Image.Image:
  """Lays the heat of an error map [H, W] over a frame [H, W, C] in [0, 1]."""
  share = np.sqrt(np.clip(error / limit, 0, 1))[..., None]
  # Its pale end would not show on a bright frame.
  heat = matplotlib.colormaps['inferno'](0.8 * share[..., 0])[..., :3]
  mixed = frame + _STRONGEST * share * (heat - frame)
  picture = Image.fromarray((255 * np.clip(mixed, 0, 1)).round().astype('u1'))
  return picture.resize(size, Image.Resampling.BICUBIC)


def _chart(
  score: np.ndarray, anomalous: np.ndarray, threshold: float | None
) -> Image.Image:
  """Draws the scores [F] over time, with anomalous frames shaded."""
  chart = Image.new('RGB', (2 * _WIDTH, 2 * _CHART), 'white')
  draw = ImageDraw.Draw(chart)
  wide = 2 * _WIDTH / len(score)
  for first, last in frames_lib.spans(np.flatnonzero(anomalous)):
    box = first * wide, 0, (last + 1) * wide, 2 * _CHART
    draw.rectangle(box, fill='#f9dcc4')
  values = score if threshold is None else np.append(score, threshold)
  low, high = np.nanmin(values), np.nanmax(values)
  room = _CHART - 16
  y = 2 * (_CHART - 8 - room * (values - low) / (high - low or 1))
  for first, last in frames_lib.spans(np.flatnonzero(np.isfinite(score))):
    at = (np.arange(first, last + 1) + 0.5) * wide
    points = list(zip(at.tolist(), y[first : last + 1].tolist()))
    draw.line(points, fill=style.INK, width=3)
  for x in range(0, 2 * _WIDTH, 2 * _DASH) if threshold is not None else ():
    draw.line((x, y[-1], x + _DASH, y[-1]), fill=style.NORMAL, width=3)
  return chart.resize((_WIDTH, _CHART), Image.Resampling.BOX)


def render(
  film: layers.Layers,
  score: np.ndarray,
  anomalous: np.ndarray,
  *,
  limit: float | None = None,
  number: Sequence[int] | None = None,
  footage: types.Footage | None = None,
  threshold: float | None = None,
) -> Iterator[np.ndarray]:
  """Yields the pictures of a film, [H', W', 3] uint8 with even sizes.

  Anomalous frames have a vermilion border and the word "anomalous". In the
  chart, the vertical line marks the current frame and the dashed line the
  threshold.

  Args:
    film: F frames and their error maps, 0 where a frame was not scored.
    score: [F], NaN where a frame was not scored.
    anomalous: [F] bool, the ground truth.
    limit: the error with the hottest colour; None: the one that 0.1 % of the
      pixels of this video exceed. Give the same limit to films that are to be
      compared.
    number: [F] place of each frame in its video; None: counted from 0.
    footage: how the video was filmed, for its shape and the seconds that are
      written; None: not known.
    threshold: scores above it are flagged; None: there is none.

  Raises:
    UserError: the arguments are of different lengths, or no frame was scored.
  """
  sizes = [len(film), len(score), len(anomalous)]
  number = np.arange(sizes[0]) if number is None else np.asarray(number)
  sizes.append(len(number))
  if len(set(sizes)) > 1:
    raise errors.UserError(
      f'a film has {sizes[0]} frames, but its scores, labels and'
      f' numbers have lengths {sizes[1:]}; give one of each for each frame'
    )
  if not np.isfinite(score).any():
    raise errors.UserError('no frame of the film has a score')
  limit = limit or film.quantile(_HOTTEST) or 1.0
  if threshold is not None and not math.isfinite(threshold):
    threshold = None
  chart = _chart(np.asarray(score, float), anomalous, threshold)
  footage = footage or types.Footage()
  lines, seconds = [], footage.at(number)
  for i, value in enumerate(score):
    line = f'frame {number[i]}   '
    if seconds is not None:
      line += f'{seconds[i]:.2f} s   '
    line += f'score {value:.3g}' if np.isfinite(value) else 'not scored'
    if threshold is not None and value > threshold:
      line += '   flagged'
    lines.append(line)
  return _pictures(film, lines, anomalous, limit, chart, footage.shape)


def _pictures(
  film, lines, anomalous, limit, chart, shape
) -> Iterator[np.ndarray]:
  """Yields the pictures of `render`, each with its line of text."""
  font, red = ImageFont.load_default(14), ImageColor.getrgb(style.ANOMALOUS)
  for i, (frame, error) in enumerate(film):
    size = _size(*(shape or error.shape[::-1]))
    heated = _heated(frame, error, limit, size)
    left, below = (_WIDTH - size[0]) // 2, heated.height + _TEXT
    page = Image.new('RGB', (_WIDTH, below + _CHART), 'white')
    draw = ImageDraw.Draw(page)
    page.paste(heated, (left, 0))
    page.paste(chart, (0, below))
    if anomalous[i]:
      box = left, 0, left + heated.width - 1, heated.height - 1
      draw.rectangle(box, outline=red, width=_EDGE)
      right = _WIDTH - 8, heated.height + 3
      draw.text(right, 'anomalous', fill=red, font=font, anchor='ra')
    at = 8, heated.height + 3
    draw.text(at, lines[i], fill=style.INK, font=font)
    x = (i + 0.5) * _WIDTH / len(lines)
    draw.line((x, below, x, below + _CHART), fill=red, width=2)
    yield np.asarray(page)


def write(
  path: pathlib.Path,
  pictures: Iterable[np.ndarray],
  rate: float = types.FILM_RATE,
) -> pathlib.Path:
  """Writes a film; the file is complete or does not exist.

  Args:
    path: with the suffix .mp4 or .gif.
    pictures: [H', W', 3] uint8, all of one even size.
    rate: pictures per second.

  Returns:
    The path written: .gif in place of .mp4 without PyAV or its H.264 encoder.

  Raises:
    UserError: the path has another suffix.
  """
  path = pathlib.Path(path)
  if path.suffix not in ('.mp4', '.gif'):
    raise errors.UserError(f'{path}: the name of a film ends in .mp4 or .gif')
  if path.suffix == '.mp4' and not has_h264():
    _LOG.warning(
      "no H.264 encoder, so %s becomes a GIF; pip install 'memae_jax[video]'",
      path.name,
    )
    path = path.with_suffix('.gif')
  if parallel.is_first():
    with atomic.replacing(path) as place:
      (_mp4 if path.suffix == '.mp4' else _gif)(place, pictures, rate)
  return path


def has_h264() -> bool:
  """Returns whether PyAV is installed and can write H.264."""
  try:
    import av
  except ImportError:
    return False
  return 'libx264' in av.codecs_available


def _mp4(path, pictures: Iterable[np.ndarray], rate: float) -> None:
  import av  # Imported late, since most runs need no film.

  # Rates such as 30000/1001 stay exact; mp4 counts time in whole numbers.
  exact = fractions.Fraction(min(max(rate, 0.01), 1000)).limit_denominator(1001)
  with av.open(str(path), 'w', format='mp4') as film:
    stream = film.add_stream('libx264', rate=exact, options={'crf': '20'})
    stream.pix_fmt = 'yuv420p'  # The format that every browser plays.
    pictures = iter(pictures)
    first = next(pictures)
    stream.height, stream.width = first.shape[:2]
    for picture in itertools.chain([first], pictures):
      film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, 'rgb24')))
    film.mux(stream.encode())


def _gif(path, pictures: Iterable[np.ndarray], rate: float) -> None:
  images, every = _thinned(pictures, math.ceil(rate / _FASTEST_GIF))
  # Whole hundredths of a second, rounded so that the film keeps its length.
  ends = np.round(np.arange(len(images) + 1) * every * 100 / rate)
  images[0].save(
    path,
    'GIF',
    save_all=True,
    append_images=images[1:],
    duration=(10 * np.diff(ends)).astype(int).tolist(),
    loop=0,
  )


def _thinned(pictures, every: int) -> tuple[list[Image.Image], int]:
  """Leaves out pictures, so that no more than `_MOST_OF_GIF` remain.

  Args:
    pictures: [H', W', 3] uint8.
    every: keep at most every so many.

  Returns:
    The pictures that remain, and how many numbers they are apart.
  """
  kept = []
  for number, picture in enumerate(pictures):
    if number % every == 0:  # One byte per pixel, as in GIF.
      image = Image.fromarray(picture)
      kept.append(image.convert('P', palette=Image.Palette.ADAPTIVE))
    if len(kept) > _MOST_OF_GIF:
      kept, every = kept[::2], 2 * every
  return kept, every
