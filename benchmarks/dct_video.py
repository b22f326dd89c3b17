"""Codec of grey videos that needs NumPy and SciPy only, for `pack_ped2`.

Blocks of 16 frames of 8x8 pixels go through a cosine transform and are rounded
to multiples of one step, at all frequencies alike. That keeps the noise of the
camera, on which the difference of frames depends, better than codecs that are
made for people. The numbers are coded by rANS (J. Duda, arXiv 1311.2540) with
one table per frequency, and one lane per block position.
"""

import io
import lzma
from typing import NamedTuple

import numpy as np
import scipy.fft

_TIME, _SIDE = 16, 8  # Frames and pixels per side of a block.
_BITS = 14  # Bits of a probability.
_MOST = 1000  # Largest number that rANS codes.
LEAST = 4.1  # Smallest step, as numbers are at most 4,096 / step.
_SYMBOLS = 2 * _MOST + 1


class _Tables(NamedTuple):
  """Probabilities of the numbers at each frequency, in parts of 2**14.

  Attributes:
    often: [F, S] uint32, probability of each number.
    below: [F, S] uint32, sum of the probabilities of smaller numbers.
  """

  often: np.ndarray
  below: np.ndarray


def encode(frames: np.ndarray, step: float) -> bytes:
  """Encodes a video.

  Args:
    frames: [n, H, W] uint8; H and W are multiples of 8.
    step: coefficients are rounded to multiples of it, in grey levels.

  Returns:
    An npz file.

  Raises:
    ValueError: the step is less than `LEAST`.
  """
  if step < LEAST:
    raise ValueError(f'step is {step}; it must be at least {LEAST}')
  count, height, width = frames.shape
  padded = np.pad(frames, ((0, -count % _TIME), (0, 0), (0, 0)), 'edge')
  blocks = padded.reshape(
    -1, _TIME, height // _SIDE, _SIDE, width // _SIDE, _SIDE
  )
  values = scipy.fft.dctn(
    blocks.astype(np.float32) - 128, axes=(1, 3, 5), norm='ortho'
  )
  numbers = np.rint(values / np.float32(step)).transpose(1, 3, 5, 0, 2, 4)
  still, moving = numbers[0].astype('<i2'), numbers[1:]
  # [frequencies, blocks in time, block positions], at least 0.
  places = len(numbers[0].reshape(_SIDE**2, len(blocks), -1)[0, 0])
  moving = (moving + _MOST).astype(np.uint16).reshape(-1, len(blocks), places)
  counts = np.stack(
    [np.bincount(row.ravel(), minlength=_SYMBOLS) for row in moving]
  )
  words, states = _coded(moving, _tables(counts))
  out = io.BytesIO()
  np.savez_compressed(
    out,
    step=np.float32(step),
    still=np.frombuffer(lzma.compress(still.tobytes()), np.uint8),
    counts=counts.astype(np.uint32),
    words=words,
    states=states,
  )
  return out.getvalue()


def decode(content: bytes, shape: tuple[int, int, int]) -> np.ndarray:
  """Decodes a video.

  Args:
    content: from `encode`.
    shape: of the frames, [n, H, W].

  Returns:
    Frames of that shape, uint8.

  Raises:
    ValueError: the content is damaged, or of another shape.
  """
  count, height, width = shape
  blocks = -(-count // _TIME), height // _SIDE, width // _SIDE
  with np.load(io.BytesIO(content)) as file:
    arrays = dict(file)
  size = (_TIME - 1) * _SIDE**2, blocks[0], blocks[1] * blocks[2]
  moving = _decoded(arrays, _tables(arrays['counts']), size)
  try:
    still = np.frombuffer(lzma.decompress(arrays['still'].tobytes()), '<i2')
  except lzma.LZMAError as error:
    raise ValueError(f'not a video: {error}') from error
  numbers = np.concatenate([still, moving.ravel()]).reshape(
    _TIME, _SIDE, _SIDE, *blocks
  )
  values = scipy.fft.idctn(
    numbers.transpose(3, 0, 4, 1, 5, 2) * arrays['step'],
    axes=(1, 3, 5),
    norm='ortho',
  )
  pixels = np.clip(np.rint(values + 128), 0, 255).astype(np.uint8)
  return pixels.reshape(-1, height, width)[:count]


def _tables(counts: np.ndarray) -> _Tables:
  """Returns the probabilities of numbers that occur [F, S] times.

  A number that occurs has a probability above 0. They are computed in whole
  numbers, so that they are the same on every machine.
  """
  counts = counts.astype(np.int64)
  total, occurs = counts.sum(axis=1, keepdims=True), counts > 0
  rest = 2**_BITS - occurs.sum(axis=1, keepdims=True)
  often = occurs + counts * rest // total
  rows = np.arange(len(often))
  often[rows, counts.argmax(axis=1)] += 2**_BITS - often.sum(axis=1)
  below = np.cumsum(often, axis=1) - often
  return _Tables(often.astype(np.uint32), below.astype(np.uint32))


def _coded(
  numbers: np.ndarray, tables: _Tables
) -> tuple[np.ndarray, np.ndarray]:
  """Codes numbers in L lanes, from the last one to the first.

  Args:
    numbers: [F, B, L], at least 0.
    tables: of F frequencies.

  Returns:
    The words, uint16, in the order in which they are read, and the states of
    the lanes, [L] uint32.
  """
  frequencies, times, lanes = numbers.shape
  states = np.full(lanes, 2**16, np.uint32)
  words = []
  for f in reversed(range(frequencies)):
    often, below = tables.often[f], tables.below[f]
    for t in reversed(range(times)):
      number = numbers[f, t]
      parts = often[number]
      full = states >= parts.astype(np.uint64) << (32 - _BITS)
      words.append(states[full].astype(np.uint16))
      states[full] >>= 16
      high, low = np.divmod(states, parts)
      states = (high << _BITS) + low + below[number]
  return np.concatenate(words[::-1]).astype('<u2'), states.astype('<u4')


def _decoded(arrays, tables: _Tables, size: tuple[int, int, int]) -> np.ndarray:
  """Returns the numbers that `_coded` took, less `_MOST`, as int16.

  Args:
    arrays: `states` and `words` as `_coded` returns them.
    tables: of F frequencies.
    size: (F, B, L).
  """
  frequencies, times, lanes = size
  states, words = arrays['states'].astype(np.uint32), arrays['words']
  if len(states) != lanes or len(tables.often) != frequencies:
    raise ValueError(f'not a video of {lanes} block positions')
  numbers, at, mask = np.empty(size, np.int16), 0, np.uint32(2**_BITS - 1)
  for f in range(frequencies):
    often, below = tables.often[f], tables.below[f]
    which = np.repeat(np.arange(len(often)), often)
    for t in range(times):
      low = states & mask
      number = which[low]
      states = often[number] * (states >> _BITS) + low - below[number]
      empty = np.flatnonzero(states < 2**16)
      more = words[at : at + len(empty)]
      if len(more) < len(empty):
        raise ValueError('not a video of that many frames')
      states[empty] = (states[empty] << 16) | more
      at += len(empty)
      numbers[f, t] = number
  if at != len(words) or (states != 2**16).any():
    raise ValueError('not a complete video')
  return numbers - _MOST
