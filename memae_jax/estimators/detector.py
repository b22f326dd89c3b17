"""Estimators of anomaly detection with the verbs of scikit-learn.

from memae_jax import MemAE
detector = MemAE(epochs=50).fit(normals)
detector.anomaly_score(X)    [n] higher is more anomalous
detector.predict(X)          [n] 1 for normal rows, -1 for anomalies
"""

import os
import threading
from typing import Any, Self

import numpy as np
import sklearn.base
import sklearn.utils
from sklearn.utils import validation

from memae_jax.estimators import (
  alarms,
  calls,
  explanation,
  fitted,
  given,
  names,
  parameters,
  recipe,
)
from memae_jax.estimators import folder as folder_lib
from memae_jax.methods import registry
from memae_jax.runtime import errors, paths, strict_json

_LEAST = 3  # Samples: two train and one validates.
_CLASSES: dict[str, type['Detector']] = {}
_LOCK = threading.Lock()


class Detector(
  alarms.Alarms,
  explanation.Explained,
  sklearn.base.OutlierMixin,
  parameters.Parameters,
):
  """Detector of anomalies that learns from normal samples alone.

  Parameters that are None are as the recipe for the kind of samples has them:
  the standard recipe of tables (`configs/arrays.py`), or convolutions for
  images. Samples X are a table [n, D] of numbers (an array, or a frame of
  pandas or polars), or images [n, H, W] or [n, H, W, C]: uint8 is scaled from
  0..255, other numbers by their range in `fit`.

  Attributes:
    method: name of the method in the registry, of the class.
    offset_: what `decision_function` subtracts from `score_samples`.
    validation_scores_: [v] anomaly scores of held-out samples of `fit`, which
      trained nothing; `data.validation_fraction` says how many. Thresholds and
      alarm rates come from these.
    history_: log events of the training, as in metrics.jsonl.
    n_features_in_, feature_names_in_: as scikit-learn has them.
  """

  def fit(self, X: Any, y: Any = None) -> Self:
    """Trains on samples, all of which count as normal.

    Args:
      X: [n, D], [n, H, W] or [n, H, W, C], at least 3 samples.
      y: ignored.

    Raises:
      ValueError: samples or parameters are wrong; one line with the mend.
    """
    del y
    with calls.guarded(self.verbose):
      self.check_parameters()
      array = self._converted(given.stacked(X), reset=True)
      config = self.resolved(array)
      columns = getattr(self, 'feature_names_in_', None)
      given.check_finite(array, columns, config.data.missing)
      given.check_varies(array)
      self.fitted_ = fitted.fit(array, columns, config)
      explanation.find_near(self.fitted_)
      self.fitted_.release()
      self.validation_scores_ = self.fitted_.normal
      self.history_ = list(self.fitted_.events)
      self.offset_ = self._offset(array)
    return self

  def calibrate(self, X: Any) -> Self:
    """Takes other normal samples for thresholds, p-values and alarm rates.

    In place of those that `fit` held out: so they may be as many as an alarm
    rate needs, whatever trained.

    Args:
      X: [v, ...] normal samples, none of which `fit` had.

    Raises:
      ValueError: the samples do not fit, or `fit` had some of them.
    """
    validation.check_is_fitted(self)
    with calls.guarded(self.verbose):
      array = self._checked(X)
      if self.fitted_.samples is not None:
        given.check_new(array, self.fitted_.samples)
      self.fitted_.normal = self._scores(array)
      self.fitted_.check_normal()
      self.validation_scores_ = self.fitted_.normal
      if self.contamination == 'auto':
        self.offset_ = -self.fitted_.threshold
    return self

  def anomaly_score(self, X: Any) -> np.ndarray:
    """Returns the anomaly scores [n] float64; higher is more anomalous.

    Args:
      X: [n, D], [n, H, W] or [n, H, W, C], as `fit` had them.

    Raises:
      ValueError: the samples do not fit.
    """
    validation.check_is_fitted(self)
    with calls.guarded(self.verbose):
      return self._scores(self._checked(X))

  def score_samples(self, X: Any) -> np.ndarray:
    """Returns minus the anomaly scores [n]; higher is more normal."""
    return -self.anomaly_score(X)

  def decision_function(self, X: Any) -> np.ndarray:
    """Returns `score_samples(X) - offset_` [n]; negative for anomalies."""
    return self.score_samples(X) - self.offset_

  def predict(self, X: Any) -> np.ndarray:
    """Returns 1 for normal samples and -1 for anomalies, [n] int."""
    return np.where(self.decision_function(X) < 0, -1, 1)

  def score(self, X: Any, y: Any = None) -> float:
    """Returns the mean of `score_samples` over samples that are normal.

    With it `GridSearchCV` needs no labels: it chooses what rebuilds held-out
    normals best. Only scores of the same rule and scaling compare.
    """
    del y
    return float(np.mean(self.score_samples(X)))

  def save(self, path: str | os.PathLike[str], samples: bool = True) -> None:
    """Writes the folder of a run, which `load` and the commands read.

    Args:
      path: of a folder that does not exist, is empty, or is one that `save`
        wrote, which is replaced.
      samples: whether the samples of `fit` are written, too; export and
        evaluation by command need them. Without, or once it was pickled or
        loaded, only `load` reads the folder.

    Raises:
      ValueError: there is something else at the path, or it cannot be written.
    """
    validation.check_is_fitted(self)
    with calls.guarded(self.verbose):
      folder = paths.local(path, 'path')
      folder_lib.save(folder, self.fitted_, self._described(), samples)

  @classmethod
  def load(cls, path: str | os.PathLike[str]) -> 'Detector':
    """Reads what `save` wrote.

    Args:
      path: of the folder.

    Raises:
      ValueError: it is no such folder, or of another method than this class.
    """
    with calls.guarded():
      folder = paths.local(path, 'path')
      return cls.of_fitted(*folder_lib.load(folder), str(folder))

  @classmethod
  def from_run(
    cls, workdir: str | os.PathLike[str], replica: str = ''
  ) -> 'Detector':
    """Returns a replica of a run that the command or `train` made.

    Its data must be where they were. Samples are arrays as networks of the run
    take them: of a table one number per input, categories one-hot.

    Args:
      workdir: folder of the run.
      replica: its name; '': the first one.

    Raises:
      ValueError: there is no such run or replica, it is of another method than
        this class, or its samples are videos.
    """
    with calls.guarded():
      folder = paths.local(workdir, 'workdir')
      return cls.of_fitted(fitted.of_run(folder, replica), {}, str(folder))

  @classmethod
  def of_fitted(
    cls, found: fitted.Fitted, described: dict[str, Any], where: str
  ) -> 'Detector':
    """Returns an estimator of a fitted network, of the class that fits.

    Args:
      found: the network.
      described: as `save` writes it; {}: default parameters.
      where: it is from, for messages.

    Raises:
      UserError: the network is of another method than this class.
    """
    (method,) = found.config['fleet']['variants']
    known = of_method(method)
    if cls is not Detector and cls.method != method:
      raise errors.UserError(
        f'{where} is of method "{method}", but {cls.__name__} is of'
        f' "{cls.method}"; use {known.__name__}'
      )
    out = known() if cls is Detector else cls()
    out.fitted_ = found
    out._restore(described)
    return out

  def _described(self) -> dict[str, Any]:
    """Returns parameters and fitted values as JSON."""
    chosen = self.get_params(deep=False)
    if not isinstance(self.random_state, int):
      chosen['random_state'] = self.fitted_.config['train']['seed']
    if chosen['config'] is not None:
      chosen['config'] = recipe.flat(chosen['config'])
    columns = getattr(self, 'feature_names_in_', None)
    described = {
      'parameters': chosen,
      'offset': self.offset_,
      'n_features_in': self.n_features_in_,
      'feature_names_in': None if columns is None else columns.tolist(),
    }
    return strict_json.plain(described)

  def _restore(self, described: dict[str, Any]) -> None:
    """Sets parameters and fitted values, as `_described` has them."""
    chosen = described.get('parameters', {})
    if chosen.get('widths') is not None:
      chosen['widths'] = tuple(chosen['widths'])
    self.set_params(**chosen)
    found = self.fitted_
    self.validation_scores_, self.history_ = found.normal, list(found.events)
    self.n_features_in_ = described.get('n_features_in', found.shape[0])
    if described.get('feature_names_in') is not None:
      columns = np.asarray(described['feature_names_in'], object)
      self.feature_names_in_ = columns
    self.offset_ = described.get('offset', -found.threshold)

  def _offset(self, array: np.ndarray) -> float:
    """Returns the score that divides normal samples from anomalies."""
    if self.contamination == 'auto':
      return -self.fitted_.threshold
    of_fit = -self._scores(array)
    return float(np.percentile(of_fit, 100 * float(self.contamination)))

  def _scores(self, array: np.ndarray) -> np.ndarray:
    """Returns the anomaly scores [n] of checked samples."""
    prepared = self.fitted_.prepared(array)
    scored = self.fitted_.predict(prepared)
    return self.fitted_.score(scored, len(prepared))

  def _checked(self, X: Any) -> np.ndarray:
    """Returns samples, like those of `fit`, as an array of numbers."""
    X = given.stacked(X)
    given.check_dimensions(X, self.fitted_.shape)
    array = self._converted(X, reset=False)
    columns = getattr(self, 'feature_names_in_', None)
    missing = self.fitted_.config['data']['missing']
    given.check_finite(array, columns, missing)
    return array

  def _converted(self, X: Any, reset: bool) -> np.ndarray:
    """Returns samples as an array of numbers, some of which may be missing.

    Args:
      X: samples from `given.stacked`.
      reset: whether the number and names of columns are those of X from now on.
    """
    given.check_rows(X)
    options = {
      'dtype': 'numeric',
      'allow_nd': True,
      'ensure_all_finite': False,  # See `given.check_finite`.
      'ensure_min_samples': _LEAST if reset else 1,
      'copy': reset,  # What was fitted stays, whatever happens to X.
    }
    # Names and numbers of columns are of tables.
    if not given.is_images(X):
      return validation.validate_data(self, X, reset=reset, **options)
    array = sklearn.utils.check_array(X, **options)
    if reset:
      if hasattr(self, 'feature_names_in_'):
        del self.feature_names_in_
      self.n_features_in_ = int(np.prod(array.shape[1:]))
    return array

  def _takes_missing(self) -> bool:
    """Returns whether missing numbers become medians."""
    fields = recipe.flat(self.config or {})
    return fields.get('data.missing') == 'median'

  def __sklearn_tags__(self) -> Any:
    """Returns the tags by which scikit-learn knows it."""
    tags = super().__sklearn_tags__()
    tags.input_tags.allow_nan = self._takes_missing()
    return tags


def of_method(method: str) -> type[Detector]:
  """Returns the class of a method, always the same one.

  Args:
    method: name in the registry.
  """
  with _LOCK:
    if method not in _CLASSES:
      entry = registry.find(method)
      text = (
        f'{entry.label} as an estimator; see `Detector` for its parameters.\n'
      )
      _CLASSES[method] = type(
        names.class_name(entry),
        (Detector,),
        # Pickles name it as users do, so that other processes find it.
        {'method': method, '__doc__': text, '__module__': 'memae_jax'},
      )
    return _CLASSES[method]
