"""One replica as it is exported: of a run, or of a saved estimator."""

import contextlib
import logging
import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.estimators import folder
from memae_jax.evaluation.scoring import collect, onnx_file, single
from memae_jax.methods import registry
from memae_jax.runtime import errors
from memae_jax.training import experiment


class Taken(NamedTuple):
  """A replica with the weights that evaluation takes.

  experiment: of its family; without data where `has_data` is False.
  number: of the replica. one: it, alone. calibrated: its threshold.
  at: step of the checkpoint. step: that of the weights in it.
  is_run: whether its scores are those of the evaluation of a run. Else it is a
    saved estimator. rule: of its threshold, in words; '': that of runs.
  has_data: whether the samples that it was fitted on are at hand.
  """

  experiment: experiment.Experiment
  number: int
  one: single.Single
  calibrated: collect.Calibration
  at: int
  step: int
  is_run: bool = True
  rule: str = ''
  has_data: bool = True

  @property
  def samples(self) -> str:
    """Says what samples `compared` gives."""
    return 'validation normals' if self.has_data else 'random samples'


def taken(
  run: pathlib.Path, name: str, check_method: Callable[[str], None]
) -> Taken:
  """Returns a replica of a run.

  Args:
    run: folder of the run; or one that an estimator wrote, whose samples need
      not be there.
    name: of the replica; '': the first one.
    check_method: refuses methods by their names.

  Raises:
    UserError: there is no such run or replica, or its scores need more than
      one sample at a time.
  """
  if folder.is_saved(run):
    with _without_remarks():
      return _of_estimator(run, name, check_method)
  exp, index = experiment.build(config_lib.load(run / 'config.json')).find(name)
  check_method(exp.replicas[index].variant)
  _check_score(exp)
  at, weights, steps = collect.restored(exp, run)
  calibrated = collect.calibrations(exp, weights)[index]
  _check_threshold(exp, index, calibrated)
  one = single.of(exp, weights, index, calibrated.parts)
  return Taken(exp, index, one, calibrated, at, int(steps[index]))


@contextlib.contextmanager
def _without_remarks() -> Iterator[None]:
  """Leaves out what is logged of the few zeros that stand for samples."""
  log = logging.getLogger('memae_jax')
  before = log.level
  log.setLevel(logging.WARNING)
  try:
    yield
  finally:
    log.setLevel(before)


def _of_estimator(
  run: pathlib.Path, name: str, check_method: Callable[[str], None]
) -> Taken:
  """Returns the replica of a saved estimator, see `taken`."""
  found, described = folder.load(run)
  exp, index = found.built()[0].find(name)
  check_method(exp.replicas[index].variant)
  _check_score(exp)
  threshold = -described['offset']
  calibrated = collect.Calibration(threshold, found.parts, found.normal)
  one = single.of(exp, found.weights, index, found.parts)
  steps = collect.select_weights(*found.built(), found.step)[1]
  rule = ''
  if threshold != found.threshold:
    share = described['parameters']['contamination']
    rule = f'what flags {share:.0%} of the samples of fit()'
  out = Taken(
    exp, index, one, calibrated, found.step, int(steps[index]), False, rule
  )
  if not pathlib.Path(found.config['data']['path']).is_file():
    return out._replace(has_data=False)
  with_data = experiment.build(config_lib.resolve(found.config))
  return out._replace(experiment=with_data)


def check(name: str) -> None:
  """Raises UserError if a method cannot be exported."""
  if not registry.find(name).exportable:
    raise errors.UserError(
      f'method "{name}" cannot be exported; give --replica=NAME of another'
    )


def _check_score(exp: experiment.Experiment) -> None:
  """Raises UserError if scores need more than one sample at a time."""
  names = exp.programs.score_names
  if losses.find(exp.rule).over_clips:
    alone = [name for name in names if not losses.find(name).over_clips]
    raise errors.UserError(
      f'config field "eval.score" is "{exp.rule}", which needs all clips of a'
      ' video, but a scorer takes any clips; set it to one of'
      f' {", ".join(alone)} to export'
    )
  if exp.config.eval.smooth and exp.source.videos:
    raise errors.UserError(
      f'config field "eval.smooth" is {exp.config.eval.smooth:g}, which needs'
      ' all frames of a video, but a scorer takes any; set it to 0 to export'
    )


def _check_threshold(
  exp: experiment.Experiment, index: int, calibrated: collect.Calibration
) -> None:
  """Raises UserError if the threshold of a replica is not finite."""
  if calibrated.threshold is None or not np.isfinite(calibrated.threshold):
    raise errors.UserError(
      f'the threshold of replica "{exp.replicas[index].name}" is'
      f' {calibrated.threshold}: its scores of validation normals are not'
      ' finite; train it again with a lower train.learning_rate'
    )


def compared(found: Taken, most: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns samples with their scores, by which a copy can be compared.

  Args:
    found: the replica. Where its data are not at hand, samples are random:
      bytes, or normal numbers after the first stage of scaling.
    most: how many samples, at most.

  Returns:
    [B, ...] raw samples, and their scores [B].
  """
  exp, rng = found.experiment, np.random.default_rng(0)
  if found.has_data:
    rows = exp.splits[found.number].validation[:most]
    x = np.asarray(exp.source.inputs[rows])
  elif np.dtype(found.one.dtype) == np.uint8:
    x = rng.integers(0, 256, (most, *found.one.shape), np.uint8)
  else:
    x = rng.normal(size=(most, *found.one.shape)).astype(np.float32)
  raw = onnx_file.raw(x, exp.source.host)
  if found.is_run:
    return raw, found.calibrated.normal[: len(x)]
  return raw, np.asarray(found.one.outputs(jnp.asarray(x))['score'])
