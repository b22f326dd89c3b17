"""Who holds a lock knows whether it is still its own."""

import fcntl
import threading

import pytest

from memae_jax.runtime import errors, locks


def test_a_lock_that_others_try_stays_held(tmp_path):
  lock = tmp_path / '.lock'
  with locks.exclusive(lock, 'training') as held:
    with pytest.raises(errors.UserError, match='another process is training'):
      with locks.exclusive(lock, 'training'):
        pass
    assert locks.is_there(held)
    lock.unlink()
    assert not locks.is_there(held)
    with locks.exclusive(lock, 'training') as other:
      assert locks.is_there(other) and not locks.is_there(held)


def test_looking_at_a_lock_changes_nothing(tmp_path):
  lock = tmp_path / '.lock'
  assert not locks.is_held(lock) and not lock.exists()
  with locks.exclusive(lock, 'training'):
    before = lock.read_bytes()
    assert locks.is_held(lock) and lock.read_bytes() == before
  assert not locks.is_held(lock)


def test_a_look_ends_no_training(tmp_path):
  """Who looks holds the lock for a moment, which is waited for."""
  lock = tmp_path / '.lock'
  lock.touch()
  with lock.open('rb') as file:
    fcntl.flock(file, fcntl.LOCK_SH)
    threading.Timer(0.01, fcntl.flock, (file, fcntl.LOCK_UN)).start()
    with locks.exclusive(lock, 'training'):
      pass
