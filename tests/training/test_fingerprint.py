"""A fingerprint changes with every bit of a state."""

import numpy as np

from memae_jax.training import fingerprint


def test_every_bit_of_every_leaf_counts():
  tree = {'a': np.zeros((3, 5), np.float32), 'b': np.int32(4)}
  base = int(fingerprint.of(tree))
  for i in range(15):
    for bit in (0, 13, 31):
      changed = tree['a'].copy()
      changed.view(np.uint32).flat[i] ^= np.uint32(1 << bit)
      assert int(fingerprint.of({**tree, 'a': changed})) != base
  assert int(fingerprint.of({**tree, 'b': np.int32(5)})) != base
