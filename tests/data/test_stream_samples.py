"""Samples that are complete by themselves are counted."""

import numpy as np
import pytest

from memae_jax.data import stream_samples
from memae_jax.runtime import errors


def _positive(x):
  if (x < 0).any():
    raise errors.UserError('row 0: input 1 is negative')
  return x.astype(np.float32)


def test_broken_samples_count_in_the_stream_but_not_in_a_file():
  singles = stream_samples.Singles(_positive)
  content, name = singles.read([1.0, 2.0])
  assert content.dtype == np.float32 and name == ''
  (first,) = singles.add(content)
  assert singles.skip() == [] and singles.look_ahead == 0
  (second,) = singles.add(content)
  assert [one[:2] for one in (first, second)] == [(0, 0), (2, 1)]
  with pytest.raises(errors.UserError, match='^row 3: input 1 is negative'):
    singles.read([-1.0, 2.0])
  assert singles.end() == []
  assert singles.add(content)[0][:2] == (0, 0)
