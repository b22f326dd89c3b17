"""Groups of devices, in all the ways that HLO writes them."""

import jax
import numpy as np
import pytest

from memae_jax.planning import device_groups
from memae_jax.runtime import errors


@pytest.mark.parametrize(
  ('written', 'groups'),
  [
    ("mesh['a'=2,'b'=4] {'b'}", [[0, 1, 2, 3], [4, 5, 6, 7]]),
    ("mesh['a'=2,'b'=4] {'a'}", [[0, 4], [1, 5], [2, 6], [3, 7]]),
    ("mesh['a'=2,'b'=2,'c'=2] {'c','a'}", [[0, 1, 4, 5], [2, 3, 6, 7]]),
    ("mesh['a'=8] {'a':(2)2}", [[0, 2], [1, 3], [4, 6], [5, 7]]),
    ("mesh['a'=2,'b'=4] {'b':(1)2}", [[0, 2], [1, 3], [4, 6], [5, 7]]),
    ('{{0,2},{1,3},{4,6},{5,7}}', [[0, 2], [1, 3], [4, 6], [5, 7]]),
    ('[4,2]<=[2,2,2]T(0,2,1)', [[0, 2], [1, 3], [4, 6], [5, 7]]),
    ('{}', [list(range(8))]),
  ],
)
def test_ways_to_write_groups(written, groups):
  text = f', channel_id=1, replica_groups={written}, to_apply=%add'
  np.testing.assert_array_equal(device_groups.read(text, 8), groups)


@pytest.mark.parametrize(
  'written', ["mesh['a'=8, device_ids=(7,6)] {'a'}", '<4x2>', '@mesh {"a"}']
)
def test_an_unknown_way_is_refused(written):
  with pytest.raises(errors.UserError, match=jax.__version__) as refused:
    device_groups.read(f', replica_groups={written}, to_apply=%add', 8)
  assert '\n' not in str(refused.value)
