"""An experiment rebuilt from its config: data, fleet, network, programs.

Training and evaluation both start here, so they cannot disagree.
"""

import dataclasses
import functools
import itertools
import logging
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.data import feed, host_stage, types
from memae_jax.methods import base, frame_scores, registry, tasks
from memae_jax.methods.images import patches
from memae_jax.runtime import environment, errors, jax_settings, parallel
from memae_jax.training import (
  checkpoint,
  diagnostics,
  feeds,
  fleet,
  optimization,
  programs,
  samples,
  shared_code,
  step,
)

Splits = tuple[types.Split, ...]
_LOG = logging.getLogger(__name__)
_LONG = 2**16  # Elements of a batch, see `_long_steps`.


@dataclasses.dataclass(frozen=True)
class Experiment:
  """Config, data, fleet and programs of one family; not the weights.

  identity: hashes of samples and labels. replicas: of the family. splits: one
    per replica; replicas of the same seed and class share it. mesh: the
    devices. trainer: code of one replica. programs: of the fleet, on those.
  started_in: machine and versions of this process, see `environment.describe`.
  steps: of the run: train_steps per stage of gradient descent, and passes over
    the samples. log_every, validate_every, checkpoint_every: intervals in
    steps, multiples of the first.
  family: of its methods. place: of its checkpoints in the run; '' of the first.
  others: experiments of further families of the run, on the same samples.
  trained_on: data_sha256 of the data it was trained on, if these are others;
    else None.
  """

  config: Any
  source: types.Source
  identity: dict[str, str]
  replicas: tuple[fleet.Replica, ...]
  splits: tuple[types.Split, ...]
  mesh: jax.sharding.Mesh
  trainer: step.Trainer
  programs: programs.Programs
  started_in: dict[str, Any]
  steps: int
  train_steps: int
  log_every: int
  validate_every: int
  checkpoint_every: int
  family: str
  place: str
  trained_on: str | None = None
  others: tuple['Experiment', ...] = ()

  @property
  def members(self) -> tuple['Experiment', ...]:
    """Experiments of all families of the run, this one first."""
    return (self, *self.others)

  def find(self, name: str) -> tuple['Experiment', int]:
    """Returns the experiment of a replica, and its index there.

    Args:
      name: of the replica; '' is the first one.

    Raises:
      UserError: there is no replica of that name.
    """
    everyone = [(m, i) for m in self.members for i in range(len(m.replicas))]
    replicas = [member.replicas[i] for member, i in everyone]
    return everyone[fleet.find(replicas, name)]

  def folder(self, at: int) -> str:
    """Returns the name of the folder for an evaluation at a step."""
    other = self.identity['data_sha256'][:8] if self.trained_on else ''
    return f'{at}-{other}' if other else str(at)

  @property
  def meta(self) -> dict[str, Any]:
    """Origin of a checkpoint, stored as JSON beside its state."""
    host = self.source.host
    transforms = [
      jax.tree.map(np.ndarray.tolist, split.transform._asdict())
      for split in self.splits
    ]
    return {
      'layout': checkpoint.LAYOUT,
      'config': self.config.to_dict(),
      'replicas': [r.name for r in self.replicas],
      'environment': self.environment,
      'inputs': samples.inputs(self.source),
      'host': host and host_stage.to_json(host),
      'transforms': transforms,
      'steps': self.steps,
      'lengths': {member.family: member.steps for member in self.members},
      **self.identity,
    }

  def stage(self, now: int) -> tuple[int, int, int]:
    """Returns first step, end and index of the stage that a step belongs to.

    Raises:
      ValueError: the step is beyond the last stage.
    """
    end = 0
    for number, stage in enumerate(self.trainer.method.stages):
      is_pass = isinstance(stage, base.Collect)
      first, end = end, end + (stage.rounds if is_pass else self.train_steps)
      if now < end:
        return first, end, number
    raise ValueError(f'step {now} is beyond the last stage')

  @property
  def gradient_steps(self) -> int:
    """Steps of gradient descent of all its stages; 0: it takes passes only."""
    stages = self.trainer.method.stages
    return self.train_steps * sum(isinstance(s, base.Train) for s in stages)

  @functools.cached_property
  def rule(self) -> str:
    """Name of the anomaly score: `eval.score`, or the method's own."""
    method, wanted = self.trainer.method, self.config.eval.score
    parts = self.parts if wanted in losses.COMBINED else {wanted}
    known = parts & set(self.programs.score_names)
    # Rules of maps fit every method that has one.
    if known and (not method.score or losses.find(wanted).of_map):
      return wanted
    return method.score or method.criterion[0]

  @property
  def parts(self) -> set[str]:
    """Rules of `eval.parts` that the method has."""
    return set(self.config.eval.parts) & set(self.programs.score_names)

  @property
  def map_rule(self) -> str:
    """Name of the rule whose map of errors is shown beside the score.

    A combination has that of its first part.
    """
    if self.rule not in losses.COMBINED:
      return self.rule
    return next(part for part in self.config.eval.parts if part in self.parts)

  @property
  def fitting_rules(self) -> tuple[str, ...]:
    """Rules of errors that fit the samples and their scaling."""
    source = self.source
    _, wanted = self.task.shapes(source.inputs.shape[1:])
    form = frame_scores.form(source.videos is not None, wanted)
    rules = losses.fitting(form, self.config.data.scaling)
    return tuple(rule.name for rule in rules)

  @property
  def task(self) -> tasks.Task:
    """Parts of a sample that networks are given, and that they have to give."""
    return tasks.of(self.config, self.source.inputs.shape[1:])

  @property
  def warnings(self) -> tuple[str, ...]:
    """Sentences on the data and their splits that make results doubtful."""
    return samples.warnings(self.source, self.splits)

  @property
  def environment(self) -> dict[str, Any]:
    """Machine and versions of this process, and its peak memory so far."""
    peak = diagnostics.peak_memory(self.mesh.devices.flat)
    return self.started_in | {'peak_memory': peak}


def _intervals(config: Any, steps: int) -> tuple[int, int, int]:
  """Returns the intervals of logs, validations and checkpoints, in steps.

  All are multiples of the first.
  """
  log = config.log_every or max(1, steps // 100)
  multiple = lambda wanted, parts: (
    log * max(1, round((wanted or steps / parts) / log))
  )
  return (
    log,
    multiple(config.validate_every, 20),
    multiple(config.checkpoint_every, 10),
  )


class Lengths(NamedTuple):
  """Steps of a run, and its intervals in steps.

  train_steps: steps per stage of gradient descent.
  """

  steps: int
  train_steps: int
  log_every: int
  validate_every: int
  checkpoint_every: int


def _lengths(
  config: Any, splits: Splits, method: base.Method, steps: int | None
) -> Lengths:
  """Returns the length of a run and its intervals.

  Args:
    config: `config.train`.
    splits: of the replicas.
    method: of their family.
    steps: of a finished training that is only evaluated; else None.

  Raises:
    UserError: there are more samples to draw than random keys.
  """
  stages, batch = method.stages, config.batch_size
  passes = sum(s.rounds for s in stages if isinstance(s, base.Collect))
  trained = sum(isinstance(stage, base.Train) for stage in stages)
  most = max(len(s.train) for s in splits)
  train_steps = math.ceil(config.epochs * most / batch)
  if steps is not None and trained:
    train_steps = (steps - passes) // trained
  steps = trained * train_steps + passes
  if steps * batch >= 2**32:
    raise errors.UserError(
      f'{steps} steps of {batch} samples exceed 2**32; lower train.epochs'
    )
  return Lengths(steps, train_steps, *_intervals(config, steps))


def method_of(config: Any, source: types.Source, replicas) -> base.Method:
  """Returns the method of a family.

  Raises:
    UserError: the config does not fit the method.
  """
  entry = registry.find(replicas[0].variant)
  if entry.couples_batch and config.train.accumulate > 1:
    raise errors.UserError(
      f'config field "train.accumulate" is {config.train.accumulate}, but the'
      f' loss of "{entry.name}" is of a batch as a whole; set it to 1'
    )
  of_shape = lambda shape: entry.build(config, shape, replicas)
  return patches.build(config, source.inputs.shape[1:], of_shape)


def _long_steps(config: Any, shape: tuple[int, ...]) -> bool:
  """Returns whether devices of a CPU may wait for each other within a step.

  By `benchmarks/spread.py`: on two cores that pays for speeds of 64 x 96 cells
  (16 of them) and clips, not for digits (64) or rows of a table.
  """
  elements = config.train.batch_size * math.prod(shape)
  return config.model.network == 'conv' and elements >= _LONG


def trainer_of(
  config: Any, method: base.Method, source: types.Source, steps: int
) -> step.Trainer:
  """Returns the code of one replica of a family."""
  is_pass = lambda stage: isinstance(stage, base.Collect)
  before = sum(s.rounds for s in itertools.takewhile(is_pass, method.stages))
  wanted = tasks.wanted(config, source.inputs.shape[1:])
  is_video = source.videos is not None
  return step.Trainer(
    method=method,
    optimizer=optimization.optimizer(config.train),
    schedule=optimization.schedule(config.train, steps, before),
    batch_size=config.train.batch_size,
    clip_norm=config.train.clip_norm,
    accumulate=config.train.accumulate,
    keep_best=config.eval.checkpoint == 'validation',
    frames=frame_scores.rules(config.eval, is_video, wanted, method.score),
  )


def _programs(config, loaded, mesh, trainer, replicas, splits, steps):
  """Returns the programs of a family, for the feed of its samples."""
  inputs, shared = loaded.source.inputs, loaded.shared
  kinds = feeds.KINDS if shared is None else feeds.ROUNDED
  kind = kinds[feed.choose(inputs, config.data)]
  fields = {
    'trainer': trainer,
    'mesh': mesh,
    'config': config,
    'hyper': fleet.hyper(replicas, config, trainer.method),
    'steps': steps,
  }
  programs = kind(**fields, splits=splits, inputs=inputs)
  if shared is not None:
    shared.lend(programs, kind, fields, splits, inputs)
  return programs


def build(
  config: Any,
  stored: dict[str, Any] | None = None,
  devices: Sequence[jax.Device] | None = None,
  source: types.Source | None = None,
  shared: shared_code.SharedCode | None = None,
) -> Experiment:
  """Loads the data, makes the splits and describes the programs.

  Args:
    config: from `config.resolve`.
    stored: `meta` of a checkpoint that is to be evaluated. If the data are
      others than it was trained on, they are scaled as those were.
    devices: of the mesh, see `parallel.mesh`.
    source: the samples; None: they are read as `config.data` says.
    shared: compiled code of other experiments; None: it compiles its own.

  Raises:
    UserError: the data are missing or do not fit the config.
  """
  devices = jax_settings.devices() if devices is None else devices
  families = fleet.families(config)
  loaded, lengths = samples.load(config, stored, source, families)
  loaded = loaded._replace(shared=shared)
  first, *others = [
    _family(config, name, replicas, loaded, devices, lengths.get(name))
    for name, replicas in families.items()
  ]
  others = [dataclasses.replace(other, place=other.family) for other in others]
  return dataclasses.replace(first, others=tuple(others))


def _family(
  config: Any,
  name: str,
  replicas: tuple[fleet.Replica, ...],
  loaded: samples.Loaded,
  devices: Sequence[jax.Device],
  steps: int | None,
) -> Experiment:
  """Returns the experiment of one family, as if it were the first.

  Args:
    config: of the run.
    name: of the family.
    replicas: of the family.
    loaded: samples and splits, which all families share.
    devices: of the mesh.
    steps: of a finished training that is only evaluated; else None.
  """
  source = loaded.source
  splits = tuple(loaded.splits[r.seed, r.normal_class] for r in replicas)
  family = config_lib.of_family(config, name)
  most = max((split.train for split in splits), key=len)
  method = method_of(family, source, replicas).for_samples(most, source)
  lengths = _lengths(family.train, splits, method, steps)
  trainer = trainer_of(family, method, source, lengths.train_steps)
  if not loaded.trained_on:
    samples.check_enough(method, splits)
  mesh = parallel.mesh(
    family.mesh,
    len(replicas),
    family.train.batch_size,
    devices,
    long_steps=_long_steps(family, source.inputs.shape[1:]),
  )
  return Experiment(
    config=config,
    family=name,
    place='',
    source=source,
    identity=loaded.identity,
    replicas=replicas,
    splits=splits,
    mesh=mesh,
    trainer=trainer,
    programs=_programs(
      family, loaded, mesh, trainer, replicas, splits, lengths.steps
    ),
    started_in=environment.describe(mesh),
    trained_on=loaded.trained_on,
    **lengths._asdict(),
  )
