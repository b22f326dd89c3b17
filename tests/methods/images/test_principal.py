"""Principal components against the singular values of NumPy."""

import numpy as np
import pytest

from memae_jax.methods.images import principal


@pytest.mark.parametrize('keep', [0.5, 0.95, 1, 3, 99])
def test_they_are_those_of_the_singular_value_decomposition(keep):
  rng = np.random.default_rng(0)
  rows = rng.normal(size=(40, 6)) * [5, 3, 2, 1, 0.5, 0.1] + 7
  rows = rows @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
  _, values, vectors = np.linalg.svd(rows - rows.mean(axis=0))
  share = np.cumsum(values**2) / np.sum(values**2)
  count = min(keep, 6) if keep >= 1 else np.argmax(share >= keep) + 1
  found = principal.components(rows.astype(np.float32), keep)
  assert found.shape == (count, 6) and found.dtype == np.float64
  cosine = np.abs(found @ vectors[:count].T)
  np.testing.assert_allclose(cosine, np.eye(count), atol=1e-3)


def test_rows_that_are_alike_have_none_and_few_rows_few():
  assert principal.components(np.full((9, 4), 0.3), 2).shape == (0, 4)
  assert principal.components(np.ones((1, 4)), 0.95).shape == (0, 4)
  rows = np.random.default_rng(0).normal(size=(3, 8))
  assert principal.components(rows, 5).shape == (3, 8)


def test_padding_is_zero():
  padded = principal.padded(np.ones((2, 3)), 4)
  np.testing.assert_array_equal(padded, [[1] * 3] * 2 + [[0] * 3] * 2)
