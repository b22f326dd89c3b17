"""Smoothing is a mean over frames and boxes, of what there is of them."""

import numpy as np

from memae_jax.data.videos import motion_smoother


def test_means_over_frames_and_boxes():
  fields = np.random.default_rng(0).random((5, 6, 8, 2))
  smoother = motion_smoother.Smoother(3, 3, (3, 8))
  found = [smoother.add(field) for field in [*fields, None]]
  assert found[0] is None and all(one is not None for one in found[1:])
  for t, field in enumerate(found[1:]):
    near = fields[max(t - 1, 0) : t + 2].mean(axis=0)
    boxes = np.empty_like(near)
    for i, j in np.ndindex(6, 8):
      box = near[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
      boxes[i, j] = box.mean(axis=(0, 1))
    # Two rows become one.
    want = boxes.reshape(3, 2, 8, 2).mean(axis=1)
    np.testing.assert_allclose(field, want, rtol=1e-6)
