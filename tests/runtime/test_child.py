"""A child process that may die, of its reader or of idleness."""

import ctypes
import os
import time

import numpy as np
import pytest

from memae_jax.runtime import child, errors, foreign


@pytest.mark.parametrize(
  ('function', 'argument', 'match'),
  [
    (ctypes.string_at, 0, 'a.mat is no readable file .reading it kills the'),
    (time.sleep, 60, 'takes more than 1 seconds'),
    (foreign.file, 'b.npy', '^b.npy does not exist'),
    (np.ones, 2 * child.MEMORY, 'more memory than there is'),
  ],
)
def test_a_reader_may_die(function, argument, match):
  seconds = 1 if function is time.sleep else 600
  with pytest.raises(errors.UserError, match=match):
    child.read('a.mat', 'file', function, argument, timeout=seconds)
  assert child.read('a.mat', 'file', os.getpid) != os.getpid()


def test_a_child_that_ended_is_replaced(monkeypatch):
  first = child.read('a.mat', 'file', os.getpid)
  assert child.read('a.mat', 'file', os.getpid) == first
  with pytest.raises(errors.UserError, match='kills the reader'):
    child.read('a.mat', 'file', os.abort)
  monkeypatch.setattr(child, 'IDLE', 0.2)
  second = child.read('a.mat', 'file', os.getpid)
  assert second != first
  os.waitid(os.P_PID, second, os.WEXITED | os.WNOWAIT)  # It was idle.
  assert child.read('a.mat', 'file', os.getpid) not in (first, second)
