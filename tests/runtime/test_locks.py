"""Who holds a lock knows whether it is still its own."""

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
