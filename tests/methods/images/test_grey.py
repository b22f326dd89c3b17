"""Grey levels, and samples that are no pictures."""

import numpy as np
import pytest

from memae_jax.methods.images import grey
from memae_jax.runtime import errors
from tests import helpers


def test_colours_weigh_as_eyes_see_them_and_other_channels_alike():
  x = np.random.default_rng(0).uniform(-1, 1, (2, 4, 5, 3)).astype(np.float32)
  expected = x @ np.float32([0.299, 0.587, 0.114])
  np.testing.assert_allclose(grey.grey(x), expected, rtol=1e-5, atol=1e-6)
  np.testing.assert_array_equal(grey.grey(x[..., :1]), x[..., 0])
  two = grey.grey(x[..., :2])
  np.testing.assert_allclose(two, x[..., :2].mean(axis=-1), atol=1e-6)


def test_samples_that_are_no_pictures():
  config = helpers.digits()
  grey.check('variation', config, (8, 8, 1))
  for shape in ((12,), (4, 8, 8, 1)):
    with pytest.raises(errors.UserError, match='"variation" .* has shape'):
      grey.check('variation', config, shape)
  moving = helpers.clips(
    **{'data.motion': 'difference', 'data.input': 'motion'}
  )
  with pytest.raises(errors.UserError, match='but data.input is "motion"'):
    grey.check('variation', moving, (8, 8, 1))
