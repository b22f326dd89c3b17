"""A grey video as few bytes that NumPy and SciPy can read: for `pack_ped2`.

Blocks of 16 frames of 8x8 pixels go through a cosine transform and are rounded
to multiples of one step, all frequencies alike. That keeps the noise of a
camera, on which the difference of frames depends, better than codecs do that
are made for people. The numbers are coded by rANS (J. Duda, arXiv 1311.2540)
with a table for each frequency, those of one block position after the other.
"""

import io
import lzma
from typing import NamedTuple

import numpy as np
import scipy.fft

_TIME, _SIDE = 16, 8  # Of a block.
_BITS = 14  # Of a probability.
_MOST = 1000  # Of a number that rANS codes.
LEAST = 4.1  # Of a step: no number is larger than 4,096 / step.
_SYMBOLS = 2 * _MOST + 1


class _Tables(NamedTuple):
  """[F, S] uint32: how often each number is, of 2**14, and those below it."""

  often: np.ndarray
  below: np.ndarray


def encode(frames: np.ndarray, step: float) -> bytes:
  """Encodes a video.

  Args:
    frames: [n, H, W] uint8; H and W are multiples of 8.
    step: coefficients are rounded to multiples of it, in grey levels.

  Raises:
    ValueError: the step is less than `LEAST`.
  """
  if step < LEAST:
    raise ValueError(f'step is {step}; at least {LEAST}')
  count, height, width = frames.shape
  more = np.pad(frames, ((0, -count % _TIME), (0, 0), (0, 0)), 'edge')
  blocks = more.reshape(
    -1, _TIME, height // _SIDE, _SIDE, width // _SIDE, _SIDE
  )
  values = scipy.fft.dctn(
    blocks.astype(np.float32) - 128, axes=(1, 3, 5), norm='ortho'
  )
  numbers = np.rint(values / np.float32(step)).transpose(1, 3, 5, 0, 2, 4)
  still, moving = numbers[0].astype('<i2'), numbers[1:]
  # [frequencies, blocks in time, block positions], from 0.
  places = len(numbers[0].reshape(_SIDE**2, len(blocks), -1)[0, 0])
  moving = (moving + _MOST).astype(np.uint16).reshape(-1, len(blocks), places)
  counts = np.stack(
    [np.bincount(one.ravel(), minlength=_SYMBOLS) for one in moving]
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
    found = dict(file)
  size = (_TIME - 1) * _SIDE**2, blocks[0], blocks[1] * blocks[2]
  moving = _decoded(found, _tables(found['counts']), size)
  try:
    still = np.frombuffer(lzma.decompress(found['still'].tobytes()), '<i2')
  except lzma.LZMAError as error:
    raise ValueError(f'not a video: {error}') from error
  numbers = np.concatenate([still, moving.ravel()]).reshape(
    _TIME, _SIDE, _SIDE, *blocks
  )
  values = scipy.fft.idctn(
    numbers.transpose(3, 0, 4, 1, 5, 2) * found['step'],
    axes=(1, 3, 5),
    norm='ortho',
  )
  pixels = np.clip(np.rint(values + 128), 0, 255).astype(np.uint8)
  return pixels.reshape(-1, height, width)[:count]


def _tables(counts: np.ndarray) -> _Tables:
  """Probabilities of numbers by their counts [F, S]; none that is there is 0.

  In whole numbers, so that they are the same on every machine.
  """
  counts = counts.astype(np.int64)
  total, there = counts.sum(axis=1, keepdims=True), counts > 0
  rest = 2**_BITS - there.sum(axis=1, keepdims=True)
  often = there + counts * rest // total
  rows = np.arange(len(often))
  often[rows, counts.argmax(axis=1)] += 2**_BITS - often.sum(axis=1)
  below = np.cumsum(often, axis=1) - often
  return _Tables(often.astype(np.uint32), below.astype(np.uint32))


def _coded(
  numbers: np.ndarray, tables: _Tables
) -> tuple[np.ndarray, np.ndarray]:
  """Codes [F, B, L] numbers from 0 in L lanes; the last one comes first.

  Returns:
    words: uint16, in the order in which they are read. states: [L] uint32.
  """
  frequencies, times, lanes = numbers.shape
  states = np.full(lanes, 2**16, np.uint32)
  words = []
  for f in reversed(range(frequencies)):
    often, below = tables.often[f], tables.below[f]
    for t in reversed(range(times)):
      number = numbers[f, t]
      each = often[number]
      full = states >= each.astype(np.uint64) << (32 - _BITS)
      words.append(states[full].astype(np.uint16))
      states[full] >>= 16
      high, low = np.divmod(states, each)
      states = (high << _BITS) + low + below[number]
  return np.concatenate(words[::-1]).astype('<u2'), states.astype('<u4')


def _decoded(found, tables: _Tables, size: tuple[int, int, int]) -> np.ndarray:
  """Returns the numbers [F, B, L] int16, less `_MOST`; see `_coded`."""
  frequencies, times, lanes = size
  states, words = found['states'].astype(np.uint32), found['words']
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
    raise ValueError('not a whole video')
  return numbers - _MOST
