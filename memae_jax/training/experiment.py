"""An experiment rebuilt from its config: data, fleet, network, programs.

Training and evaluation both start here, so they cannot disagree.
"""

import dataclasses
import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax import errors, jax_settings, parallel
from memae_jax.data import (
  feed,
  host_stage,
  numbers,
  protocols,
  sources,
  tables,
  types,
)
from memae_jax.models import memae
from memae_jax.training import (
  diagnostics,
  environment,
  fleet,
  programs,
  step,
)

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Experiment:
  """Everything but the weights.

  splits: one for each replica; replicas of the same seed and class share it.
  programs: what runs on the devices; the methods below are theirs.
  started_in: what this process runs on, see `environment.describe`.
  steps: training steps of the run. log_every, validate_every,
    checkpoint_every: resolved intervals, multiples of the first.
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
  log_every: int
  validate_every: int
  checkpoint_every: int
  trained_on: str | None = None

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
      'config': self.config.to_dict(),
      'replicas': [r.name for r in self.replicas],
      'environment': self.environment,
      'inputs': _inputs(self.source),
      'host': host and host_stage.to_json(host),
      'transforms': transforms,
      'steps': self.steps,
      **self.identity,
    }

  @property
  def warnings(self) -> tuple[str, ...]:
    """What makes the numbers doubtful, of the data and of their splits."""
    return _warnings(self.source, self.splits)

  @property
  def environment(self) -> dict[str, Any]:
    """What this process runs on, and its peak memory so far."""
    peak = diagnostics.peak_memory(self.mesh.devices.flat)
    return self.started_in | {'peak_memory': peak}

  @property
  def hyper(self) -> fleet.Hyper:
    """The traced values of the replicas, [R] each, on the devices."""
    return self.programs.hyper

  def init(self) -> step.ReplicaState:
    """See `programs.Programs`."""
    return self.programs.init()

  def run(self, state, start: int, stop: int):
    """See `programs.Programs`."""
    return self.programs.run(state, start, stop)

  def validate(self, state, now: int):
    """See `programs.Programs`."""
    return self.programs.validate(state, now)

  def warm_up(self, weights, rows, with_maps=False) -> None:
    """See `programs.Programs`."""
    self.programs.warm_up(weights, rows, with_maps)

  def score(self, weights, rows, with_maps=False, label='') -> step.Scored:
    """See `programs.Programs`."""
    return self.programs.score(weights, rows, with_maps, label)


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
    'names': tables.input_names(source.columns),
    'levels': list(source.levels),
    'units': {
      name: unit
      for name, fields in source.notes.get('number_formats', {}).items()
      if (unit := numbers.Format(**fields).unit)
    },
  }


def _as_trained(source, splits, stored) -> tuple[types.Split, ...]:
  """The splits of other data, scaled as those of the training were."""
  if 'steps' not in stored:
    raise errors.UserError(
      'the checkpoint is of an earlier version and does not say how its data'
      ' were scaled; other data need one of this version'
    )
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
  return tuple(
    split._replace(transform=numbers(transform))
    for split, transform in zip(splits, stored['transforms'], strict=True)
  )


def _source(config: Any, stored: Mapping[str, Any]) -> types.Source:
  """The samples, if they can be scored as `config.eval` asks.

  They are read as those of the training were: numbers by its host stage,
  pictures of 16 bits by its levels.
  """
  data, host = config.data, stored.get('host')
  levels = stored.get('inputs', {}).get('levels')
  if levels and data.name == 'image_folder' and not data.levels:
    data = config_lib.changed(config, {'data.levels': tuple(levels)}).data
  source = sources.load(data, host and host_stage.from_json(host))
  if config.eval.score != 'mse' and source.videos is None:
    raise errors.UserError(
      f'config field "eval.score" is "{config.eval.score}", which scores clips,'
      f' but data set "{source.name}" has none; use "mse"'
    )
  return source


def _warnings(source, splits) -> tuple[str, ...]:
  """Each warning of the data and of their splits once."""
  of_splits = (line for split in splits for line in split.warnings)
  return tuple(dict.fromkeys([*source.warnings, *of_splits]))


def _check_alike_everywhere(config: Any, identity: Mapping[str, str]) -> None:
  """Raises UserError if the processes of a run have other data or fields."""
  fields = config_lib.chosen(config, lambda name: not config_lib.is_path(name))
  digest = hashlib.sha256(
    json.dumps([identity, fields], sort_keys=True).encode()
  )
  number = int(digest.hexdigest()[:7], 16)
  if parallel.any_process(number != parallel.of_first(number)):
    raise errors.UserError(
      'the processes of this run have different data or config fields; start'
      ' all by the same command, on the same data'
    )


def build(
  config: Any,
  stored: dict[str, Any] | None = None,
  devices: Sequence[jax.Device] | None = None,
) -> Experiment:
  """Loads the data, makes the splits and describes the programs.

  Args:
    config: from `config.resolve`.
    stored: `meta` of a checkpoint that is to be evaluated, maybe on other
      data than it was trained on; then they are scaled as those were.
    devices: that the mesh is made of, see `parallel.mesh`.

  Raises:
    UserError: the data are missing or do not fit the config.
  """
  replicas = fleet.replicas(config)
  devices = jax_settings.devices() if devices is None else devices
  with parallel.together():
    source = _source(config, stored or {})
    identity = {
      'data_sha256': sources.data_sha256(source),
      'label_sha256': sources.label_sha256(source),
    }
    _LOG.info(
      '%s: %d samples of shape %s, %d replicas',
      source.name,
      len(source.inputs),
      source.inputs.shape[1:],
      len(replicas),
    )
    made: dict[Any, types.Split] = {}
    for replica in replicas:
      key = replica.seed, replica.normal_class
      if key not in made:
        made[key] = protocols.split(source, config.data, *key)
    splits = tuple(made[r.seed, r.normal_class] for r in replicas)
  for line in source.remarks:
    _LOG.info('%s', line)
  for line in _warnings(source, splits):
    _LOG.warning('warning: %s', line)
  _check_alike_everywhere(config, identity)
  trained_on = None
  if stored and stored['data_sha256'] != identity['data_sha256']:
    trained_on = stored['data_sha256']
    splits = _as_trained(source, splits, stored)
    _LOG.info('other data than those of the training')

  sizes = [len(s.train) for s in splits]
  slots = None
  if any(r.has_memory for r in replicas):
    slots = max(r.slots for r in replicas)
  batch = config.train.batch_size
  steps = math.ceil(config.train.epochs * max(sizes) / batch)
  if trained_on:
    steps = stored['steps']
  if steps * batch >= 2**32:
    raise errors.UserError(
      f'{steps} steps of {batch} samples pass 2**32; lower train.epochs'
    )
  log, validation, checkpoint = _intervals(config.train, steps)
  trainer = step.Trainer(
    model=memae.build(
      config.model,
      source.inputs.shape[1:],
      slots,
      with_head=any(r.variant == 'vae' for r in replicas),
      dtype=config.model.compute,
    ),
    optimizer=step.optimizer(config.train),
    schedule=step.schedule(config.train, steps),
    batch_size=batch,
    memory_init=config.model.memory.init,
    clip_norm=config.train.clip_norm,
    accumulate=config.train.accumulate,
    noisy=any(r.variant == 'dae' for r in replicas),
    keep_best=config.eval.checkpoint == 'validation',
  )
  if trainer.least_samples > min(sizes) and not trained_on:
    raise errors.UserError(
      f'the {slots} slots start from the encodings of {trainer.least_samples}'
      f' training samples, but a replica has only {min(sizes)}; lower'
      ' model.memory.slots, or set model.memory.init to "uniform"'
    )
  mesh = parallel.mesh(config.mesh, len(replicas), batch, devices)
  kind = programs.KINDS[feed.choose(source.inputs, config.data)]
  return Experiment(
    config=config,
    source=source,
    identity=identity,
    replicas=replicas,
    splits=splits,
    mesh=mesh,
    trainer=trainer,
    programs=kind(
      trainer=trainer,
      mesh=mesh,
      config=config,
      hyper=fleet.hyper(replicas, config.train),
      splits=splits,
      inputs=source.inputs,
      steps=steps,
    ),
    started_in=environment.describe(mesh),
    steps=steps,
    log_every=log,
    validate_every=validation,
    checkpoint_every=checkpoint,
    trained_on=trained_on,
  )
