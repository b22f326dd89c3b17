"""A fitted network with all that scoring needs: config, facts and arrays.

It pickles as these; programs and arrays of JAX are built again when they are
needed. No training sample is among them.
"""

import pathlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import flax.serialization
import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax.data import host_stage, in_memory
from memae_jax.data.tables import columns
from memae_jax.estimators import recipe
from memae_jax.evaluation.metrics import detection
from memae_jax.evaluation.scoring import collect, combined
from memae_jax.methods import base
from memae_jax.runtime import errors, parallel
from memae_jax.runtime.metrics_log import Events
from memae_jax.training import (
  experiment,
  fleet,
  loop,
  run_folder,
  samples,
  shared_code,
)

_SHARED = shared_code.SharedCode()  # Of all estimators of this process.
_NOT_STORED = ('_built', '_lock', 'samples')


class Fitted:
  """One trained replica.

  Attributes:
    config: its resolved config, as nested dicts.
    meta: what its checkpoint says of data and scaling, see `Experiment.meta`.
    state: arrays of its `ReplicaState` by name, [1, ...] each, on the host.
    step: of the state.
    parts: of combined scores.
    normal: [V] anomaly scores of the held-out validation normals, float64.
    events: of the log; empty where a run has them.
    samples: [S, ...] what it was fitted on, while it is in this process.
    near: [N, m] rows of those that are nearest to each slot, or None.
  """

  def __init__(
    self,
    config: Mapping[str, Any],
    meta: Mapping[str, Any],
    state: Mapping[str, Any],
    step: int,
  ):
    """Takes what a checkpoint holds; see the class."""
    self.config, self.meta = dict(config), dict(meta)
    self.state, self.step = dict(state), step
    self.parts: tuple[combined.Part, ...] = ()
    self.normal = np.zeros(0)
    self.events = Events()
    self.samples: np.ndarray | None = None
    self.near: np.ndarray | None = None
    self._built: tuple[experiment.Experiment, Any] | None = None
    self._lock = threading.Lock()

  def __getstate__(self) -> dict[str, Any]:
    """Returns plain Python and NumPy values."""
    values = vars(self)
    return {k: v for k, v in values.items() if k not in _NOT_STORED}

  def __setstate__(self, state: Mapping[str, Any]) -> None:
    vars(self).update(state, samples=None, _built=None)
    self._lock = threading.Lock()

  def built(self) -> tuple[experiment.Experiment, Any]:
    """Returns its experiment and its state on the devices."""
    with self._lock:
      if self._built is None:
        exp = without_data(self.config, self.meta)
        self._built = exp, place(exp, self.state)
      return self._built

  def release(self) -> None:
    """Frees the arrays on the devices; they come back when they are needed.

    What was trained on is no longer known then, beside `samples`.
    """
    with self._lock:
      self._built = None

  @property
  def weights(self) -> Any:
    """The weights that score, on the devices."""
    return collect.select_weights(*self.built(), self.step)[0]

  @property
  def shape(self) -> tuple[int, ...]:
    """Shape of one sample."""
    return tuple(self.meta['inputs']['shape'])

  @property
  def threshold(self) -> float:
    """Quantile `eval.normal_quantile` of the scores of validation normals."""
    quantile = self.config['eval']['normal_quantile']
    limit = detection.threshold(self.normal, quantile)
    if limit is None:
      raise errors.UserError(
        'there are no validation normals, so no threshold; raise'
        ' data.validation_fraction'
      )
    return float(limit)

  def prepared(self, array: np.ndarray) -> np.ndarray:
    """Returns samples as a program takes them, after the host stage.

    Args:
      array: see `in_memory.raw`.

    Raises:
      UserError: they are of another shape or type than the training samples,
        or cannot be scaled.
    """
    exp, _ = self.built()
    raw, _ = in_memory.raw(array, exp.config.data)
    wanted, stored = self.shape, np.dtype(self.meta['inputs']['dtype'])
    if raw.shape[1:] != wanted:
      raise errors.UserError(
        f'X has samples of shape {raw.shape[1:]}, but those of fit() have'
        f' {wanted}; give samples of the same shape'
      )
    if (raw.dtype == np.uint8) != (stored == np.uint8):
      raise errors.UserError(
        f'X is {array.dtype}, but fit() had images of {stored}; give the same'
        ' type'
      )
    if exp.source.host is None:
      return raw
    names = columns.input_names(exp.source.columns)
    return host_stage.apply(raw, exp.source.host, names, 'X ')

  def predict(
    self, prepared: np.ndarray, wanted: Sequence[str] = ()
  ) -> base.Prediction:
    """Returns what the method says of samples, [1, n or more, ...] each.

    Args:
      prepared: [n, ...] from `prepared`.
      wanted: large fields, see `step.Trainer.score`.
    """
    exp, _ = self.built()
    return exp.programs.score_raw(self.weights, [prepared], wanted)

  def score(self, scored: base.Prediction, count: int) -> np.ndarray:
    """Returns the anomaly scores [count] float64 of a prediction."""
    exp, _ = self.built()
    by_rule = collect.by_rule(exp, scored, 0, np.arange(count), self.parts)
    return by_rule[exp.rule].astype(np.float64)

  def calibrate(self) -> None:
    """Scores the validation normals, which its experiment still has.

    Raises:
      TrainingDiverged: a score is not finite.
    """
    exp, _ = self.built()
    ((score, self.parts),) = collect.held_out_scores(exp, self.weights)
    self.normal = score.astype(np.float64)
    self.check_normal()

  def check_normal(self) -> None:
    """Raises TrainingDiverged if a score of `normal` is not finite."""
    if not np.isfinite(self.normal).all():
      raise errors.TrainingDiverged(
        'scores of validation normals are not finite; lower learning_rate'
      )


def fit(array: np.ndarray, names: Sequence[str] | None, config: Any) -> Fitted:
  """Trains a network on samples, by the training loop of the command.

  Args:
    array: see `in_memory.raw`.
    names: of the columns of a table, or None.
    config: resolved, of one replica.

  Raises:
    UserError: samples and config do not fit.
    TrainingDiverged: a loss or gradient is not finite.
  """
  source = in_memory.source(array, names, config.data)
  exp = experiment.build(config, source=source, shared=_SHARED)
  events = Events()
  state = loop.in_memory(exp, events)
  arrays = flax.serialization.to_state_dict(exp.programs.to_host(state))
  out = Fitted(config.to_dict(), exp.meta, arrays, exp.steps)
  out.samples, out.events = array, events
  out._built = exp, state
  out.calibrate()
  return out


def of_run(workdir: pathlib.Path, name: str) -> Fitted:
  """Returns a replica of a finished run of the command.

  Args:
    workdir: folder of the run, whose data must be where they were.
    name: of the replica; '': the first one.

  Raises:
    UserError: there is no such run or replica, or its samples are videos.
  """
  run = experiment.build(config_lib.load(workdir / 'config.json'))
  exp, index = run.find(name)
  return next(of_family(exp, workdir, [index]))


def of_family(
  exp: experiment.Experiment, workdir: pathlib.Path, which: Sequence[int]
) -> Iterator[Fitted]:
  """Yields replicas of one family of a finished run.

  Args:
    exp: the experiment of the family.
    workdir: folder of the run.
    which: indices of the replicas.

  Raises:
    UserError: its samples are videos, or it is not trained.
  """
  if exp.source.videos is not None:
    raise errors.UserError(
      f'{workdir} is a run on videos, which estimators do not take; use'
      ' python -m memae_jax.export and memae_jax.scorer'
    )
  with run_folder.opened(exp, workdir) as checkpoints:
    at, state, _ = run_folder.trained(exp, checkpoints, workdir)
  held_out_scores = collect.held_out_scores(
    exp, collect.select_weights(exp, state, at)[0]
  )
  host = flax.serialization.to_state_dict(exp.programs.to_host(state))
  for index in which:
    config, meta = _of_one(exp, index)
    one = without_data(config, meta)
    like = flax.serialization.to_state_dict(one.programs.init_shapes)
    out = Fitted(config, meta, _picked(host, like, index), at)
    out.parts = held_out_scores[index][1]
    held_out = exp.source.inputs[exp.splits[index].validation]
    out.normal = out.score(out.predict(held_out), len(held_out))
    yield out


def _of_one(
  exp: experiment.Experiment, index: int
) -> tuple[dict[str, Any], dict[str, Any]]:
  """Returns config and `meta` of a replica as if it were the only one."""
  replica = exp.replicas[index]
  empty = ('normal_classes', 'slots', 'thresholds', 'alphas', 'learning_rates')
  shape = tuple(exp.source.inputs.shape[1:])
  config = config_lib.changed(
    exp.config,
    {
      'data.name': 'arrays',
      'data.protocol': 'all',
      'data.path': '',
      'data.test_path': '',
      'fleet.variants': (replica.variant,),
      'fleet.seeds': 1,
      **{f'fleet.{name}': () for name in empty},
      'train.seed': replica.seed,
      'train.learning_rate': replica.learning_rate,
      'train.alpha': replica.alpha,
      'model.memory.slots': replica.slots,
      'model.memory.threshold': replica.threshold,
      'eval.batch_size': recipe.block(shape),
      'eval.baselines': (),
    },
  )
  meta = exp.meta | {
    'config': config.to_dict(),
    'replicas': [fleet.replicas(config)[0].name],
    'transforms': exp.meta['transforms'][index : index + 1],
    'steps': exp.steps,
    'lengths': {exp.family: exp.steps},
  }
  source = in_memory.like(meta['inputs'], exp.source.host)
  return config.to_dict(), meta | {'inputs': samples.inputs(source)}


def without_data(
  config: Mapping[str, Any], meta: Mapping[str, Any]
) -> experiment.Experiment:
  """Returns the experiment of a replica, with zeros in place of its data.

  Args:
    config: of the replica, see `Fitted`.
    meta: see `Fitted`.
  """
  host = meta['host'] and host_stage.from_json(meta['host'])
  source = in_memory.like(meta['inputs'], host)
  resolved = config_lib.resolve(config)
  return experiment.build(resolved, dict(meta), source=source, shared=_SHARED)


def _picked(tree: Any, like: Any, index: int) -> Any:
  """Returns a replica [1, ...] of nested arrays [R, ...], as others have it.

  Parts that only other replicas of its family use are left out, and slots
  beyond its own.
  """
  if isinstance(like, Mapping):
    return {key: _picked(tree[key], part, index) for key, part in like.items()}
  if like is None or tree is None:
    return None
  one = np.asarray(tree)[index : index + 1]
  return one[tuple(slice(size) for size in like.shape)]


def place(exp: experiment.Experiment, arrays: Mapping[str, Any]) -> Any:
  """Puts the arrays of a state on the devices of an experiment."""
  shapes = exp.programs.init_shapes
  with jax.transfer_guard('allow'):
    state = flax.serialization.from_state_dict(shapes, dict(arrays))
    return parallel.place_like(state, shapes)
