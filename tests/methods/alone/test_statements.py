"""Statements of pictures of several sizes."""

import numpy as np

from memae_jax.methods.alone import statements


def test_a_picture_is_cut_to_its_own_size():
  rng = np.random.default_rng(0)
  shapes = {
    **dict.fromkeys(('picture', 'mean'), (2, 5, 4, 3)),
    **dict.fromkeys(('sigma', 'z', 'hidden'), (2, 5, 4)),
    **{'rows': (2, 5), 'columns': (2, 4), 'block': (2,)},
    **dict.fromkeys(('r2', 'z2', 'log_likelihood'), (2,)),
  }
  arrays = {name: rng.random(shape) for name, shape in shapes.items()}
  size = np.array([[5, 4], [3, 2]])
  one = statements.Statements(**arrays, size=size).of(1)
  assert one.picture.shape == one.mean.shape == (3, 2, 3)
  np.testing.assert_array_equal(one.z, arrays['z'][1, :3, :2])
  assert one.sigma.shape == one.hidden.shape == (3, 2)
  assert len(one.rows) == 3 and len(one.columns) == 2
  assert one.r2 == arrays['r2'][1] and one.size.tolist() == [3, 2]
