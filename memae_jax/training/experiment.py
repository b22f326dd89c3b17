"""An experiment rebuilt from its config: data, fleet, network, programs.

Training and evaluation both start here, so they cannot disagree.
"""

import dataclasses
import functools
import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.data import feed, host_stage, protocols, sources, types
from memae_jax.data.tables import columns, numbers
from memae_jax.methods import base, registry
from memae_jax.runtime import environment, errors, jax_settings, parallel
from memae_jax.training import checkpoint, diagnostics, fleet, programs, step

Splits = tuple[types.Split, ...]
_EARLIER = (
  'the checkpoint is of an earlier version and does not say how its data were'
  ' scaled; other data need one of this version'
)
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Experiment:
  """Everything but the weights.

  splits: one for each replica; replicas of the same seed and class share it.
  programs: what runs on the devices.
  started_in: what this process runs on, see `environment.describe`.
  family: of its methods; the run may have `others`, each an experiment of its
    own with the same samples.
  steps: of the run: of gradient descent, train_steps for each such stage, and
    passes over the samples. log_every, validate_every, checkpoint_every:
    resolved intervals, multiples of the first.
  trained_on: data_sha256 of the training, where these data are others.
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
  trained_on: str | None = None
  others: tuple['Experiment', ...] = ()

  @property
  def members(self) -> tuple['Experiment', ...]:
    """Those of all families, this one first."""
    return (self, *self.others)

  def find(self, name: str) -> tuple['Experiment', int]:
    """Returns the family of a replica and its index there; '' is the first.

    Raises:
      UserError: there is none of that name.
    """
    everyone = [(m, i) for m in self.members for i in range(len(m.replicas))]
    replicas = [member.replicas[i] for member, i in everyone]
    return everyone[fleet.find(replicas, name)]

  @property
  def place(self) -> str:
    """The folder of its checkpoints within those of the run; '' for the first.

    A run of one family has its checkpoints where it always had them.
    """
    first = next(iter(fleet.families(self.config)))
    return '' if self.family == first else self.family

  def folder(self, at: int) -> str:
    """Name of the folder for what is evaluated at a step."""
    other = self.identity['data_sha256'][:8] if self.trained_on else ''
    return f'{at}-{other}' if other else str(at)

  @property
  def meta(self) -> dict[str, Any]:
    """What a checkpoint says of its origin, as JSON."""
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
      'inputs': _inputs(self.source),
      'host': host and host_stage.to_json(host),
      'transforms': transforms,
      'steps': self.steps,
      'lengths': {member.family: member.steps for member in self.members},
      **self.identity,
    }

  def stage(self, now: int) -> tuple[int, int, int]:
    """First step, end and number of the stage that a step belongs to."""
    end = 0
    for number, stage in enumerate(self.trainer.method.stages):
      is_pass = isinstance(stage, base.Collect)
      first, end = end, end + (stage.rounds if is_pass else self.train_steps)
      if now < end:
        return first, end, number
    raise ValueError(f'step {now} is beyond the last stage')

  @functools.cached_property
  def rule(self) -> str:
    """Name of the anomaly score: `eval.score`, or one of the method's own."""
    names, wanted = self.programs.score_names, self.config.eval.score
    return wanted if wanted in names else names[0]

  @property
  def warnings(self) -> tuple[str, ...]:
    """What makes the numbers doubtful, of the data and of their splits."""
    return _warnings(self.source, self.splits)

  @property
  def environment(self) -> dict[str, Any]:
    """What this process runs on, and its peak memory so far."""
    peak = diagnostics.peak_memory(self.mesh.devices.flat)
    return self.started_in | {'peak_memory': peak}


def _intervals(config: Any, steps: int) -> tuple[int, int, int]:
  """log, validation and checkpoint intervals; multiples of the first."""
  log = config.log_every or max(1, steps // 100)
  multiple = lambda wanted, parts: (
    log * max(1, round((wanted or steps / parts) / log))
  )
  return (
    log,
    multiple(config.validate_every, 20),
    multiple(config.checkpoint_every, 10),
  )


def _inputs(source: types.Source) -> dict[str, Any]:
  """What a network must know of the samples that it takes."""
  return {
    'shape': list(source.inputs.shape[1:]),
    'dtype': str(source.inputs.dtype),
    'names': columns.input_names(source.columns),
    'levels': list(source.levels),
    'units': {
      name: unit
      for name, fields in source.notes.get('number_formats', {}).items()
      if (unit := numbers.Format(**fields).unit)
    },
  }


def _as_trained(
  config: Any, source: types.Source, splits: dict, stored: Mapping[str, Any]
) -> dict:
  """The splits of other data, scaled as those of the training were."""
  if 'steps' not in stored:
    raise errors.UserError(_EARLIER)
  found = _inputs(source)
  for key, value in stored['inputs'].items():
    if found[key] != value:
      shown = [v if len(str(v)) < 200 else f'{len(v)} names' for v in
               (found[key], value)]  # fmt: skip
      mend = 'set data.levels to these' if key == 'levels' else (
        'give data of the same kind'
      )  # fmt: skip
      raise errors.UserError(
        f'data set "{source.name}" has inputs of {key} {shown[0]}, but the'
        f' network was trained on {key} {shown[1]}; {mend}'
      )
  numbers = lambda fields: types.Transform(
    **{k: v and np.asarray(v, np.float32) for k, v in fields.items()}
  )
  first, *_ = fleet.families(config).values()
  made = {
    (replica.seed, replica.normal_class): numbers(transform)
    for replica, transform in zip(first, stored['transforms'], strict=True)
  }
  return {
    key: split._replace(transform=made[key]) for key, split in splits.items()
  }


def _source(config: Any, stored: Mapping[str, Any]) -> types.Source:
  """The samples, read as those of the training were.

  Numbers by its host stage, pictures of 16 bits by its levels.
  """
  data, host = config.data, stored.get('host')
  levels = stored.get('inputs', {}).get('levels')
  if levels and data.name == 'image_folder' and not data.levels:
    data = config_lib.changed(config, {'data.levels': tuple(levels)}).data
  return sources.load(data, host and host_stage.from_json(host))


def _warnings(source, splits) -> tuple[str, ...]:
  """Each warning of the data and of their splits once."""
  of_splits = (line for split in splits for line in split.warnings)
  return tuple(dict.fromkeys([*source.warnings, *of_splits]))


def _check_alike_everywhere(config: Any, identity: Mapping[str, str]) -> None:
  """Raises UserError if the processes of a run have other data or fields."""
  fields = config_lib.chosen(
    config, lambda name: not config_lib.has_role(name, config_lib.fields.PATH)
  )
  digest = hashlib.sha256(
    json.dumps([identity, fields], sort_keys=True).encode()
  )
  number = int(digest.hexdigest()[:7], 16)
  if parallel.any_process(number != parallel.of_first(number)):
    raise errors.UserError(
      'the processes of this run have different data or config fields; start'
      ' all by the same command, on the same data'
    )


class Loaded(NamedTuple):
  """What all families of a run share.

  splits: by seed and normal class. trained_on: see `Experiment`.
  """

  source: types.Source
  identity: dict[str, str]
  splits: dict[tuple[int, int | None], types.Split]
  trained_on: str | None


class Lengths(NamedTuple):
  """Steps of a run, and the intervals at which it looks at itself.

  train_steps: of a stage of gradient descent.
  """

  steps: int
  train_steps: int
  log_every: int
  validate_every: int
  checkpoint_every: int


def _samples(
  config: Any, stored: Mapping[str, Any], source: types.Source | None
) -> tuple[types.Source, dict[str, str]]:
  """The samples of a run, and what tells them from others."""
  source = source or _source(config, stored)
  _check_rules(config, source)
  return source, {
    'data_sha256': sources.data_sha256(source),
    'label_sha256': sources.label_sha256(source),
  }


def _check_rules(config: Any, source: types.Source) -> None:
  """Raises UserError if the samples have no such score, or no such loss."""
  fitting = [rule.name for rule in losses.fitting(len(source.inputs.shape))]
  quoted = ' or '.join(f'"{name}"' for name in fitting)
  for field in ('eval.score', 'train.loss'):
    group, key = field.split('.')
    name = config[group][key]
    if losses.find(name).errors is not None and name not in fitting:
      raise errors.UserError(
        f'config field "{field}" is "{name}", which samples such as those of'
        f' data set "{source.name}" do not have; use {quoted}'
      )


def _splits(config: Any, source: types.Source, replicas) -> dict:
  """The split of each seed and normal class, which replicas share."""
  keys = dict.fromkeys((r.seed, r.normal_class) for r in replicas)
  return {key: protocols.split(source, config.data, *key) for key in keys}


def _lengths(
  config: Any, splits: Splits, method: base.Method, steps: int | None
) -> Lengths:
  """How long the run is.

  Args:
    config: `config.train`.
    splits: of the replicas.
    method: of their family.
    steps: of a training that is only evaluated, else None.
  """
  stages, batch = method.stages, config.batch_size
  passes = sum(s.rounds for s in stages if isinstance(s, base.Collect))
  trained = sum(isinstance(stage, base.Train) for stage in stages)
  most = max(len(s.train) for s in splits)
  each = math.ceil(config.epochs * most / batch)
  if steps is not None and trained:
    each = (steps - passes) // trained
  steps = trained * each + passes
  if steps * batch >= 2**32:
    raise errors.UserError(
      f'{steps} steps of {batch} samples pass 2**32; lower train.epochs'
    )
  return Lengths(steps, each, *_intervals(config, steps))


def _method(config: Any, source: types.Source, replicas) -> base.Method:
  """The method of a family."""
  entry = registry.find(replicas[0].variant)
  if entry.couples_batch and config.train.accumulate > 1:
    raise errors.UserError(
      f'config field "train.accumulate" is {config.train.accumulate}, but the'
      f' loss of "{entry.name}" is of a batch as a whole; set it to 1'
    )
  return entry.build(config, source.inputs.shape[1:], replicas)


def _trainer(config: Any, method: base.Method, steps: int) -> step.Trainer:
  """What stays the same over the run of a family."""
  return step.Trainer(
    method=method,
    optimizer=step.optimizer(config.train),
    schedule=step.schedule(config.train, steps),
    batch_size=config.train.batch_size,
    clip_norm=config.train.clip_norm,
    accumulate=config.train.accumulate,
    keep_best=config.eval.checkpoint == 'validation',
  )


def _check_samples(method: base.Method, splits: Splits) -> None:
  """Raises UserError if a method cannot start from so few samples."""
  fewest, slots = min(len(s.train) for s in splits), method.memories.values()
  if method.least_samples > fewest:
    raise errors.UserError(
      f'the {max(slots)} slots start from the encodings of'
      f' {method.least_samples} training samples, but a replica has only'
      f' {fewest}; lower model.memory.slots, or set model.memory.init to'
      ' "uniform"'
    )


def _programs(config, source, mesh, trainer, replicas, splits, steps):
  """The compiled programs of a family, by how its samples are fed."""
  kind = programs.KINDS[feed.choose(source.inputs, config.data)]
  return kind(
    trainer=trainer,
    mesh=mesh,
    config=config,
    hyper=fleet.hyper(replicas, config, trainer.method),
    splits=splits,
    inputs=source.inputs,
    steps=steps,
  )


def build(
  config: Any,
  stored: dict[str, Any] | None = None,
  devices: Sequence[jax.Device] | None = None,
  source: types.Source | None = None,
) -> Experiment:
  """Loads the data, makes the splits and describes the programs.

  Args:
    config: from `config.resolve`.
    stored: `meta` of a checkpoint that is to be evaluated, maybe on other
      data than it was trained on; then they are scaled as those were.
    devices: that the mesh is made of, see `parallel.mesh`.
    source: the samples, where they are at hand; else `config.data` has them
      read.

  Raises:
    UserError: the data are missing or do not fit the config.
  """
  devices = jax_settings.devices() if devices is None else devices
  families = fleet.families(config)
  everyone = [replica for group in families.values() for replica in group]
  with parallel.together():
    source, identity = _samples(config, stored or {}, source)
    _LOG.info(
      '%s: %d samples of shape %s, %d replicas',
      source.name,
      len(source.inputs),
      source.inputs.shape[1:],
      len(everyone),
    )
    splits = _splits(config, source, everyone)
  for line in source.remarks:
    _LOG.info('%s', line)
  for line in _warnings(source, splits.values()):
    _LOG.warning('warning: %s', line)
  _check_alike_everywhere(config, identity)
  trained_on, lengths = None, {}
  if stored and stored['data_sha256'] != identity['data_sha256']:
    trained_on = stored['data_sha256']
    splits = _as_trained(config, source, splits, stored)
    lengths = stored.get('lengths') or dict.fromkeys(families, stored['steps'])
    _LOG.info('other data than those of the training')
  loaded = Loaded(source, identity, splits, trained_on)
  first, *others = [
    _family(config, name, loaded, devices, lengths.get(name))
    for name in families
  ]
  return dataclasses.replace(first, others=tuple(others))


def _family(
  config: Any,
  name: str,
  loaded: Loaded,
  devices: Sequence[jax.Device],
  steps: int | None,
) -> Experiment:
  """The experiment of one family, whose training had so many steps if it had.

  Args:
    config: of the run.
    name: of the family.
    loaded: what all families share.
    devices: for the mesh.
    steps: of a training that is only evaluated, else None.
  """
  source, replicas = loaded.source, fleet.families(config)[name]
  splits = tuple(loaded.splits[r.seed, r.normal_class] for r in replicas)
  own = config_lib.of_family(config, name)
  method = _method(own, source, replicas)
  lengths = _lengths(own.train, splits, method, steps)
  trainer = _trainer(own, method, lengths.train_steps)
  if not loaded.trained_on:
    _check_samples(method, splits)
  mesh = parallel.mesh(own.mesh, len(replicas), own.train.batch_size, devices)
  return Experiment(
    config=config,
    family=name,
    source=source,
    identity=loaded.identity,
    replicas=replicas,
    splits=splits,
    mesh=mesh,
    trainer=trainer,
    programs=_programs(
      own, source, mesh, trainer, replicas, splits, lengths.steps
    ),
    started_in=environment.describe(mesh),
    trained_on=loaded.trained_on,
    **lengths._asdict(),
  )
