"""Trivial and classical detectors on the same samples as the network.

A number without them says little: a linear reconstruction often comes close to
a deep one. Each takes the transformed inputs, flattened, and its seed alone
decides what it draws. The untrained network is scored elsewhere.
"""

import functools
import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np
import sklearn.decomposition
import sklearn.ensemble
import sklearn.metrics
import sklearn.svm

from memae_jax.methods import trivial
from memae_jax.runtime import errors

_squared_distance = functools.partial(
  sklearn.metrics.pairwise.euclidean_distances, squared=True
)
# Rows that are scored at once, and the bytes that they may have in float64.
BLOCK, _BLOCK_BYTES = 4096, 2**27
FIT_BYTES = 2**30  # Bytes that the rows of a fit may have in float64.
PCA_VARIANCE = 0.95
PCA_WIDE = 1024  # Above this width, that many rows fit the components.
# A forest changes the warning filters of the process while it works.
_ONE_FOREST = threading.Lock()
FOREST_TREES, FOREST_ROWS = 100, 256  # As published by Liu et al. (2008).
NODES = {  # Arrays of the nodes of a tree, and their types.
  'feature': np.int32,
  'split': np.float32,
  'left': np.int32,
  'right': np.int32,
  'length': np.float32,
}
SVM_NU = 0.1
# Baselines whose score is a reconstruction error.
RECONSTRUCT = ('untrained', 'mean', 'pca')
KERNEL_ROWS = 2000  # At most these have a kernel: one-class SVM and KDE.
KDE_GRID = np.geomspace(0.02, 2, 13)


class Rows(Protocol):
  """Model inputs [n, D], float32: an array, or what reads like one."""

  shape: tuple[int, int]

  def __len__(self) -> int: ...

  def __getitem__(self, index: slice | np.ndarray) -> np.ndarray: ...


def _subset(train: Rows, most: int, rng: np.random.Generator):
  """Returns at most `most` rows, in their order, and a note that says so."""
  most = min(most, max(1, FIT_BYTES // (8 * train.shape[1])))
  if len(train) <= most:
    return train[:], f'fitted on all {len(train):,} training normals'
  rows = np.sort(rng.choice(len(train), most, replace=False))
  note = f'fitted on {most:,} of {len(train):,} training normals'
  return train[rows], note


def _in_blocks(score: Callable, test: Rows) -> np.ndarray:
  rows = max(1, min(BLOCK, _BLOCK_BYTES // (8 * test.shape[1])))
  blocks = range(0, len(test), rows)
  parts = [score(test[i : i + rows].astype(np.float64)) for i in blocks]
  return np.concatenate(parts) if parts else np.zeros(0)


def _random(train, rng, most):
  del train, most
  return {}, 'uniform random scores', lambda x: rng.random(len(x))


def _mean(train, rng, most):
  """Scores as a network does that always gives the mean of the training."""
  rows, note = _subset(train, most, rng)
  mean = rows.mean(axis=0, dtype=np.float64)
  score = lambda x: np.square(x - mean).mean(axis=1)
  return {'mean': mean}, f'squared distance to the mean; {note}', score


def _components(train, rng, most):
  """Returns the rows of a fit, their PCA and a note.

  Constant rows have no PCA: None.
  """
  wide = train.shape[1] > PCA_WIDE
  most = min(most, PCA_WIDE) if wide else most
  rows, note = _subset(train, most, rng)
  rows = rows.astype(np.float64)
  if not np.ptp(rows, axis=0).any():
    return rows, None, f'0 components (constant inputs); {note}'
  pca = sklearn.decomposition.PCA(
    PCA_VARIANCE, svd_solver='full' if wide else 'covariance_eigh'
  ).fit(rows)
  count = int(pca.n_components_)
  return (
    rows,
    pca,
    (
      f'the {count} component{"s" * (count > 1)} that explain'
      f' {PCA_VARIANCE:.0%} of the variance; {note}'
    ),
  )


def _plane(rows, pca) -> dict[str, np.ndarray]:
  """Returns the mean [D] and components [k, D]; constant rows have k = 0."""
  if pca is None:
    return {'mean': rows[0], 'components': np.zeros((0, rows.shape[1]))}
  return {'mean': pca.mean_, 'components': pca.components_}


def _pca(train, rng, most):
  """Scores by the mean squared error of the leading components."""
  rows, pca, note = _components(train, rng, most)
  rebuilt = lambda x: (
    pca.inverse_transform(pca.transform(x)) if pca else rows[0]
  )
  score = lambda x: np.square(x - rebuilt(x)).mean(axis=1)
  return _plane(rows, pca), f'reconstruction error of {note}', score


def _log_density(squared_distance, bandwidth) -> np.ndarray:
  """Returns the [n] log of the sum of m Gaussian kernels.

  Args:
    squared_distance: [n, m]; it is overwritten.
    bandwidth: standard deviation of a kernel.
  """
  kernel = np.multiply(
    squared_distance, -0.5 / bandwidth**2, out=squared_distance
  )
  # The same as scipy.special.logsumexp, which takes several times as long.
  top = kernel.max(axis=1, keepdims=True)
  kernel -= top
  return top[:, 0] + np.log(np.exp(kernel, out=kernel).sum(axis=1))


def _bandwidth(codes: np.ndarray) -> float:
  """Returns the bandwidth under which each row is likeliest given all others.

  The candidates are `KDE_GRID` times the standard deviation of a component.
  No test data enter.

  Args:
    codes: [n, D], at least two rows.
  """
  squared = _squared_distance(codes, codes)
  np.fill_diagonal(squared, np.inf)
  scale = np.sqrt(codes.var(axis=0).mean())

  def likelihood(bandwidth):
    density = _log_density(squared.copy(), bandwidth).mean()
    return density - codes.shape[1] * np.log(bandwidth)

  return max((scale * factor for factor in KDE_GRID), key=likelihood)


def _kde(train, rng, most):
  """Scores by the negative log density of kernels on the leading components."""
  rows, pca, note = _components(train, rng, min(most, KERNEL_ROWS))
  if pca is None or len(rows) < 2:
    flat = _plane(rows, None) | {'codes': np.zeros((1, 0)), 'bandwidth': 1.0}
    note = f'constant density of {note}'
    return flat, note, lambda x: np.zeros(len(x))
  codes = pca.transform(rows)
  bandwidth = _bandwidth(codes)

  def score(x):
    return -_log_density(_squared_distance(pca.transform(x), codes), bandwidth)

  fitted = {'codes': codes, 'bandwidth': bandwidth}
  return (
    _plane(rows, pca) | fitted,
    (
      f'Gaussian kernel of bandwidth {bandwidth:.3g}, the likeliest by leaving'
      f' one training normal out, on {note}'
    ),
    score,
  )


def _isolation_forest(train, rng, most):
  rows, note = _subset(train, most, rng)
  forest = sklearn.ensemble.IsolationForest(
    n_estimators=FOREST_TREES,
    max_samples=min(FOREST_ROWS, len(rows)),
    random_state=int(rng.integers(2**31)),
  )
  with _ONE_FOREST:
    forest.fit(rows)

  def score(x):
    with _ONE_FOREST:
      return -forest.score_samples(x.astype(np.float32))

  note = f'{FOREST_TREES} trees of {min(FOREST_ROWS, len(rows))} rows; {note}'
  return _trees(forest), note, score


def _path_length(rows: np.ndarray) -> np.ndarray:
  """Returns the mean steps of an unsuccessful search among so many rows."""
  rows = np.asarray(rows, np.float64)
  many = np.maximum(rows, 3)
  mean = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
  return np.where(rows <= 1, 0, np.where(rows == 2, 1, mean))


def _trees(forest) -> dict[str, np.ndarray]:
  """Returns the nodes [trees, M] of a forest; a leaf is its own child.

  `length` is the length of the path to a node, divided by the mean length of
  an unsuccessful search among the rows of a tree.
  """
  size = 2 * FOREST_ROWS
  out = {
    name: np.zeros((FOREST_TREES, size), kind) for name, kind in NODES.items()
  }
  for number, tree in enumerate(forest.estimators_):
    nodes, count = tree.tree_, tree.tree_.node_count
    here = np.arange(count)
    leaf = nodes.children_left < 0
    left = np.where(leaf, here, nodes.children_left)
    right = np.where(leaf, here, nodes.children_right)
    depth = np.zeros(count)
    inner = here[~leaf]
    for _ in range(nodes.max_depth):
      depth[left[inner]] = depth[right[inner]] = depth[inner] + 1
    values = {
      'feature': np.where(leaf, 0, nodes.feature),
      'split': np.where(leaf, 0, nodes.threshold),
      'left': left,
      'right': right,
      'length': depth + _path_length(nodes.n_node_samples),
    }
    for name, array in values.items():
      out[name][number, :count] = array
  mean = _path_length(forest.max_samples_)
  return out | {'length': out['length'] / max(float(mean), 1e-9)}


def _ocsvm(train, rng, most):
  """Scores by the negative distance to the surface of a one-class SVM.

  The kernel products are computed here, which is faster than scikit-learn's.
  """
  rows, note = _subset(train, min(most, KERNEL_ROWS), rng)
  rows = rows.astype(np.float64)
  gamma = 1 / (rows.shape[1] * (rows.var() or 1.0))  # 'scale'.
  svm = sklearn.svm.OneClassSVM(nu=SVM_NU, gamma=gamma).fit(rows)
  weights = svm.dual_coef_[0]

  def score(x):
    kernel = sklearn.metrics.pairwise.rbf_kernel(x, svm.support_vectors_, gamma)
    return -(kernel @ weights + svm.intercept_[0])

  fitted = {
    'support': svm.support_vectors_,
    'weights': weights,
    'intercept': svm.intercept_[0],
    'gamma': gamma,
  }
  return fitted, f'RBF kernel, nu {SVM_NU}, gamma "scale"; {note}', score


_DETECTORS = {
  'random': _random,
  'mean': _mean,
  'pca': _pca,
  'kde': _kde,
  'isolation_forest': _isolation_forest,
  'ocsvm': _ocsvm,
  **trivial.DETECTORS,
}


def fit(
  name: str, train: Rows, seed: int, most: int
) -> tuple[dict[str, np.ndarray], str, Callable[[np.ndarray], np.ndarray]]:
  """Fits a detector on training normals.

  Args:
    name: of the detector.
    train: [n, D] training normals.
    seed: of the subset and of the detector.
    most: largest number of rows that fit it.

  Returns:
    The fitted arrays by name; a note for the report on what was fitted; and a
    function that scores float64 rows [n, D] as [n].
  """
  return _DETECTORS[name](train, np.random.default_rng(seed), most)


def run(
  name: str,
  train: Rows,
  test: Rows,
  seed: int = 0,
  max_train: int = 20000,
) -> tuple[np.ndarray, str]:
  """Fits a baseline on training normals and scores the test samples.

  Args:
    name: 'random', 'mean', 'pca', 'kde', 'isolation_forest' or 'ocsvm'.
    train: [n, D] training normals.
    test: [T, D] test samples.
    seed: of the subset and of the detector.
    max_train: largest number of rows that fit it, and no more than 1 GiB;
      kernel density and one-class SVM take at most `KERNEL_ROWS`, PCA of
      inputs wider than `PCA_WIDE` at most that many.

  Returns:
    score: [T] float64, higher is more anomalous. 'mean' and 'pca' in squared
      units of the model input, mean over the elements; 'kde' in nats.
    note: what was fitted on which samples, for the report.

  Raises:
    UserError: the name is unknown, there are no training rows, or the widths
      differ.
  """
  if name not in _DETECTORS:
    raise errors.UserError(
      f'baseline "{name}" is unknown' + errors.did_you_mean(name, _DETECTORS)
    )
  if not len(train):
    raise errors.UserError(
      f'baseline "{name}": there are no training normals; add some, or remove'
      ' it from eval.baselines'
    )
  if train.shape[1:] != test.shape[1:]:
    raise errors.UserError(
      f'baseline "{name}": training samples have {train.shape[1]} values, test'
      f' samples {test.shape[1]}; transform both alike'
    )
  _, note, score = fit(name, train, seed, max_train)
  return _in_blocks(score, test), note
