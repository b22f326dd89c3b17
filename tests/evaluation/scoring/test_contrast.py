"""The second score removes what contrast alone explains, and nothing else."""

import numpy as np
import sklearn.metrics

from memae_jax.evaluation.scoring import contrast


def _images(rng, count, low, high):
  """Noise of a random amplitude."""
  amplitude = rng.uniform(low, high, (count, 1, 1, 1))
  noise = rng.uniform(-1, 1, (count, 8, 8, 1))
  return (128 + amplitude * noise).astype(np.uint8)


def test_the_slope_is_that_of_the_line():
  rng = np.random.default_rng(0)
  x = rng.normal(size=100)
  noise = 0.01 * rng.normal(size=100)
  error = np.exp(0.3 * x + 2 + noise)
  expected = np.polyfit(x, np.log(error), 1)[0]
  np.testing.assert_allclose(contrast.slope(error, x), expected, rtol=1e-5)


def test_anomalies_of_little_contrast_are_found():
  rng = np.random.default_rng(0)
  held, normal = (_images(rng, 200, 40, 120) for _ in range(2))
  odd = _images(rng, 200, 5, 20)
  error = lambda images, factor: factor * np.exp(contrast.contrast(images))
  scored = np.concatenate([error(normal, 1.0), error(odd, 1.5)])
  labels = np.repeat([False, True], 200)
  slope = contrast.slope(error(held, 1.0), contrast.contrast(held))
  beyond = contrast.residual(
    scored, contrast.contrast(np.concatenate([normal, odd])), slope
  )
  assert sklearn.metrics.roc_auc_score(labels, scored) < 0.1
  assert sklearn.metrics.roc_auc_score(labels, beyond) > 0.95


def test_constant_images_and_errors_of_zero_stay_finite():
  images = np.zeros((3, 4, 4, 1), np.uint8)
  log = contrast.contrast(images)
  assert contrast.slope(np.zeros(3), log) == 0
  assert np.isfinite(contrast.residual(np.zeros(3), log, 0.0)).all()
