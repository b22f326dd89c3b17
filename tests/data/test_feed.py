"""The host reads the batches that the device gathers, in order, each once."""

import threading
import types

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.data import feed, order
from memae_jax.data import types as data_types
from memae_jax.runtime import errors
from memae_jax.training import step

_SIZE = 16
_IDENTITY = data_types.Transform(
  *(np.float32([v]) for v in (1, 0, 0, np.finfo(np.float32).max))
)


@jax.jit
def _on_device(train, count, inputs, seed, now):
  data = step.ReplicaData(train, count, _IDENTITY)
  first = now * np.uint32(_SIZE)
  return step.batch_at(data, inputs, seed, first, _SIZE)


@given(
  st.integers(0, 2**32 - 1), st.integers(1, 500), st.integers(0, 2**28 - 1)
)
@settings(max_examples=200, deadline=None)
def test_both_feeds_give_the_same_batch(seed, count, now):
  inputs = np.arange(1000, dtype=np.float32)[:, None] * 3
  train = np.random.default_rng(count).permutation(1000)[:count]
  padded = np.zeros(500, np.int32)
  padded[:count] = train
  resident = _on_device(
    padded, np.int32(count), inputs, np.uint32(seed), np.uint32(now)
  )
  rows = feed.TrainingOrder([train], [seed]).rows(now * _SIZE, _SIZE)
  np.testing.assert_array_equal(feed.gather(inputs, rows)[0], resident)


def test_host_and_device_agree_on_large_counts():
  position = np.arange(64, dtype=np.uint32) + np.uint32(2**31)
  for count in (2**24 + 1, 46340**2 - 1, 46340**2, 46340**2 + 1, 2**31 - 5):
    host = order.sample_at(
      position, np.asarray([[7]], np.uint32), np.asarray([[count]], np.uint32)
    )
    device = order.sample_at(
      jax.numpy.asarray(position), np.uint32(7), np.uint32(count)
    )
    np.testing.assert_array_equal(host[0], device)


class _Clips:
  """Gathers windows of frames; `read` counts those that were read."""

  def __init__(self, frames, length):
    self._frames, self._length = frames, length
    self.shape = (len(frames) - length + 1, length, *frames.shape[1:])
    self.dtype = frames.dtype
    self.read = 0

  def __len__(self):
    return self.shape[0]

  def __getitem__(self, index):
    start = np.arange(len(self))[index]
    self.read += len(start)
    return self._frames[start[:, None] + np.arange(self._length)]


def test_equal_rows_are_read_once_from_anything_that_reads_like_an_array():
  frames = np.arange(20, dtype=np.uint8).reshape(20, 1, 1)
  clips = _Clips(frames, 4)
  index = np.asarray([[3, 9], [0, 1], [3, 9]])
  got = feed.gather(clips, index)
  assert got.shape == (3, 2, 4, 1, 1) and got.dtype == np.uint8
  np.testing.assert_array_equal(got[..., 0, 0][:, :, 0], index)
  assert clips.read == 4
  assert feed.nbytes(clips) == 17 * 4
  np.testing.assert_array_equal(clips[:], clips[np.arange(17)])


def test_replicas_of_one_split_and_seed_share_their_order():
  one, two = np.arange(10), np.arange(50, 90)
  rows = feed.TrainingOrder([one, two, one, one], [0, 0, 0, 1]).rows(5, 8)
  np.testing.assert_array_equal(rows[0], rows[2])
  assert not np.array_equal(rows[0], rows[3])
  assert (rows[1] >= 50).all()


def test_reading_keeps_ahead_and_in_order():
  fourth = threading.Event()

  def read(number):
    if number == 6:
      fourth.set()
    return number * number

  batches = feed.ahead(read, 3, 40)
  assert next(batches) == 9
  assert fourth.wait(10)  # Nobody asked for it yet.
  assert list(batches) == [i * i for i in range(4, 40)]


def test_a_bad_sample_ends_the_run():
  def read(number):
    raise errors.UserError(f'frame {number} is damaged')

  with pytest.raises(errors.UserError, match='frame 3'):
    next(feed.ahead(read, 3, 5))


def test_the_budget_decides(caplog):
  inputs = np.zeros((10, 28, 28, 1), np.uint8)
  config = lambda kind, budget: types.SimpleNamespace(
    feed=kind, resident_bytes=budget
  )
  assert feed.choose(inputs, config('auto', 7840)) == 'resident'
  assert feed.choose(inputs, config('streaming', 7840)) == 'streaming'
  with caplog.at_level('INFO', 'memae_jax'):
    assert feed.choose(inputs, config('auto', 7839)) == 'streaming'
  assert '7,840 bytes' in caplog.text and '7,839' in caplog.text
  with pytest.raises(
    errors.UserError, match='7,840 bytes.*7,839 of data.resident_bytes; raise'
  ):
    feed.choose(inputs, config('resident', 7839))
