"""Classical detectors against scikit-learn and their definitions."""

import numpy as np
import pytest
import sklearn.decomposition
import sklearn.metrics
import sklearn.neighbors
import sklearn.svm

from memae_jax.methods import classical
from memae_jax.runtime import errors

# The caller scores the others.
NAMES = ['random', 'mean', 'pca', 'kde', 'isolation_forest', 'ocsvm']


def _data(size=12, n=400, seed=0, spread=2):
  rng = np.random.default_rng(seed)
  base = rng.normal(size=(3, size))
  normal = rng.normal(size=(n + 100, 3)) @ base
  normal += 0.05 * rng.normal(size=normal.shape)
  bad = spread * rng.normal(size=(50, size))
  test = np.concatenate([normal[n:], bad]).astype(np.float32)
  return normal[:n].astype(np.float32), test, np.arange(150) >= 100


@pytest.mark.parametrize('name', NAMES)
def test_scores_are_sensible_and_deterministic(name):
  # The density sees only the components in which the normals vary.
  train, test, anomalous = _data(spread=8 if name == 'kde' else 2)
  score, note = classical.run(name, train, test, seed=3, max_train=300)
  again, _ = classical.run(name, train, test, seed=3, max_train=300)
  np.testing.assert_array_equal(score, again)
  assert score.shape == (150,) and np.isfinite(score).all()
  value = sklearn.metrics.roc_auc_score(anomalous, score)
  if name == 'random':
    assert 0.3 < value < 0.7
    assert (score != classical.run(name, train, test, seed=4)[0]).any()
  else:
    assert value > 0.8, value
    assert '300 of 400 training normals' in note


def test_blocks_and_the_kernel_products_change_nothing(monkeypatch):
  train, test, _ = _data()
  score, note = classical.run('ocsvm', train, test)
  svm = sklearn.svm.OneClassSVM(nu=classical.SVM_NU, gamma='scale').fit(train)
  np.testing.assert_allclose(score, -svm.decision_function(test), atol=1e-5)
  assert 'nu 0.1' in note
  for name in NAMES:
    whole = classical.run(name, train, test)[0]
    monkeypatch.setattr(classical, 'BLOCK', 7)
    np.testing.assert_allclose(
      classical.run(name, train, test)[0], whole, atol=1e-12
    )
    monkeypatch.undo()


def test_pca_keeps_the_stated_variance():
  train, test, _ = _data()
  score, note = classical.run('pca', train, test)
  assert 'of the 3 components that explain 95%' in note
  mean = train.mean(axis=0)
  base = np.linalg.svd(train - mean, full_matrices=False)[2][:3]
  rebuilt = (test - mean) @ base.T @ base + mean
  np.testing.assert_allclose(
    score, np.square(test - rebuilt).mean(axis=1), rtol=1e-3, atol=1e-5
  )


def test_the_mean_is_that_of_the_training_normals():
  train, test, _ = _data()
  score, _ = classical.run('mean', train, test)
  expected = np.square(test - train.mean(axis=0)).mean(axis=1)
  np.testing.assert_allclose(score, expected, rtol=1e-5)


def test_constant_and_wide_inputs():
  flat = np.full((50, 4), 2, np.float32)
  for name in NAMES:
    score, _ = classical.run(name, flat, flat)
    assert np.isfinite(score).all(), name
  assert classical.run('pca', flat, flat)[0].max() == 0
  train, test, anomalous = _data(1100, n=60)
  score, _ = classical.run('pca', train, test)
  assert sklearn.metrics.roc_auc_score(anomalous, score) == 1


@pytest.mark.parametrize('name', ['kde', 'ocsvm'])
def test_kernels_are_capped(name, monkeypatch):
  monkeypatch.setattr(classical, 'KERNEL_ROWS', 100)
  train, test, _ = _data()
  note = classical.run(name, train, test)[1]
  assert 'fitted on 100 of 400 training normals' in note


def test_rows_that_fit_are_bounded_in_bytes(monkeypatch):
  monkeypatch.setattr(classical, 'FIT_BYTES', 8 * 12 * 50)
  train, test, _ = _data()
  for name in ('pca', 'isolation_forest'):
    note = classical.run(name, train, test)[1]
    assert 'fitted on 50 of 400 training normals' in note


def test_kde_is_that_of_scikit_learn_with_the_likeliest_bandwidth():
  train, test, _ = _data()
  score, note = classical.run('kde', train, test)
  pca = sklearn.decomposition.PCA(0.95).fit(train.astype(np.float64))
  codes = pca.transform(train)
  scale = np.sqrt(codes.var(axis=0).mean())
  density = lambda h: sklearn.neighbors.KernelDensity(bandwidth=h)
  search = {h: [] for h in scale * classical.KDE_GRID}
  for i in range(0, 400, 4):  # Leaves one out, of every fourth.
    rest = np.delete(codes, i, axis=0)
    for h, likelihoods in search.items():
      likelihoods.append(density(h).fit(rest).score(codes[i : i + 1]))
  best = max(search, key=lambda h: sum(search[h]))
  assert f'bandwidth {best:.3g}' in note
  expected = -density(best).fit(codes).score_samples(pca.transform(test))
  # Up to the constant of the kernel.
  np.testing.assert_allclose(np.ptp(score - expected), 0, atol=1e-6)


@pytest.mark.parametrize(
  'name,train,test,words',
  [
    ('pcaa', (5, 2), (3, 2), 'baseline "pcaa" is unknown .*"pca"'),
    ('untrained', (5, 2), (3, 2), 'unknown'),
    ('pca', (0, 2), (3, 2), 'no training normals'),
    ('pca', (5, 2), (3, 4), 'have 2 values, test samples 4'),
  ],
)
def test_bad_input_is_one_clear_line(name, train, test, words):
  with pytest.raises(errors.UserError, match=words):
    classical.run(name, np.ones(train), np.ones(test))
