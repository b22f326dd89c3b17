"""The Gaussian of features against scikit-learn."""

import numpy as np
import sklearn.covariance

from memae_jax.data import transforms
from tests.methods import fitting


def test_the_gaussian_is_a_mahalanobis_distance():
  exp, weights = fitting.fitted(
    **{'fleet.variants': ('gaussian',), 'methods.bank.features': 'raw'}
  )
  (split,) = exp.splits
  train, test = (
    transforms.apply(exp.source.inputs[rows], split.transform)
    .reshape(len(rows), -1)
    .astype(np.float64)
    for rows in (split.train, split.test)
  )
  fit = sklearn.covariance.LedoitWolf().fit(train)
  found = fitting.scores(exp, weights).scores['mahalanobis'][0, : len(test)]
  np.testing.assert_allclose(found**2, fit.mahalanobis(test), rtol=1e-3)
