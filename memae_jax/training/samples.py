"""The samples of a run and their splits, which all its families share."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.data import host_stage, protocols, sources, types
from memae_jax.data.tables import columns, numbers
from memae_jax.methods import base, frame_scores, registry, tasks
from memae_jax.runtime import errors, parallel
from memae_jax.training import fleet

_EARLIER = (
  'an earlier version wrote the checkpoint, which does not say how its data'
  ' were scaled; to evaluate other data, train with this version'
)
_LOG = logging.getLogger(__name__)


class Loaded(NamedTuple):
  """Samples and splits of a run, which all its families share.

  identity: hashes of samples and labels. splits: by seed and normal class.
  trained_on: see `Experiment`. shared: see `experiment.build`.
  """

  source: types.Source
  identity: dict[str, str]
  splits: dict[tuple[int, int | None], types.Split]
  trained_on: str | None
  shared: Any = None


def inputs(source: types.Source) -> dict[str, Any]:
  """Returns shape, type, names, levels and units of samples, as JSON.

  A network takes only samples for which they are the same.
  """
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
  """Returns splits of other data with the transforms of the training.

  Raises:
    UserError: the data are of another kind, or the checkpoint is too old.
  """
  if config.data.protocol == 'alone':
    raise errors.UserError(
      f'data set "{source.name}" has other pictures or labels than those of the'
      ' training, but a run of pictures that stand alone knows only its own;'
      ' start another run, with another --workdir'
    )
  if 'steps' not in stored:
    raise errors.UserError(_EARLIER)
  text = lambda value: value if len(str(value)) < 200 else f'{len(value)} names'
  facts = inputs(source)
  for key, value in stored['inputs'].items():
    if facts[key] != value:
      mend = 'give data of the same kind'
      if key == 'levels':
        mend = 'set data.levels to these'
      raise errors.UserError(
        f'data set "{source.name}" has inputs of {key} {text(facts[key])}, but'
        f' the network was trained on {key} {text(value)}; {mend}'
      )
  as_arrays = lambda fields: types.Transform(
    **{k: v and np.asarray(v, np.float32) for k, v in fields.items()}
  )
  first, *_ = fleet.families(config).values()
  transforms = {
    (replica.seed, replica.normal_class): as_arrays(transform)
    for replica, transform in zip(first, stored['transforms'], strict=True)
  }
  return {
    key: split._replace(transform=transforms[key])
    for key, split in splits.items()
  }


def _source(config: Any, stored: Mapping[str, Any]) -> types.Source:
  """Returns the samples, read as those of the training were.

  Numbers take the host stage of the training, pictures of 16 bits its levels.
  """
  data, host = config.data, stored.get('host')
  levels = stored.get('inputs', {}).get('levels')
  if levels and data.name == 'image_folder' and not data.levels:
    config = config_lib.changed(config, {'data.levels': tuple(levels)})
  data = config_lib.data_of(config)
  return sources.load(data, host and host_stage.from_json(host))


def _check_rules(config: Any, source: types.Source) -> None:
  """Raises UserError if score or loss of the config do not fit the samples."""
  shape = source.inputs.shape[1:]
  wanted = tasks.wanted(config, shape)
  form = frame_scores.form(source.videos is not None, wanted)
  rules = losses.fitting(form, config.data.scaling)
  fitting = [rule.name for rule in rules]
  quoted = ' or '.join(f'"{name}"' for name in fitting)
  named = {
    'eval.score': (config.eval.score,),
    'train.loss': (config.train.loss,),
    'eval.parts': config.eval.parts,
  }
  for field, name in (
    (f, name) for f, names in named.items() for name in names
  ):
    if losses.find(name).errors is not None and name not in fitting:
      raise errors.UserError(
        f'config field "{field}" is "{name}", which samples such as those of'
        f' data set "{source.name}" do not have under data.scaling'
        f' "{config.data.scaling}"; use {quoted}'
      )
  outputs = losses.find(config.train.loss).outputs
  if outputs and config.model.output_activation not in outputs:
    raise errors.UserError(
      f'config field "train.loss" is "{config.train.loss}", which needs outputs'
      ' between 0 and 1; set model.output_activation to '
      + ' or '.join(f'"{name}"' for name in outputs)
    )
  _check_parts(config.eval)


def _check_protocol(config: Any, names: Iterable[str]) -> None:
  """Raises UserError if methods need samples that the protocol lacks."""
  protocol = config.data.protocol
  for name in names:
    if registry.find(name).alone and protocol != 'alone':
      raise errors.UserError(
        f'method "{name}" fits each test picture by itself, but data.protocol'
        f' is "{protocol}"; use "alone"'
      )
    if protocol == 'alone' and not registry.find(name).alone:
      raise errors.UserError(
        f'method "{name}" learns from training samples, but data.protocol is'
        ' "alone", which has none; use another protocol, or a method made for'
        ' it, such as "nkn"'
      )


def _check_parts(options: Any) -> None:
  """Raises UserError if `eval.parts` cannot be combined."""
  parts, shares = options.parts, options.shares
  if options.score in losses.COMBINED and not parts:
    raise errors.UserError(
      f'config field "eval.score" is "{options.score}", but eval.parts is'
      ' empty; name the scores, such as mse,memory_distance'
    )
  if set(parts) & set(losses.COMBINED):
    raise errors.UserError(
      'config field "eval.parts" holds a combination of scores; name scores'
      ' themselves'
    )
  if shares and len(shares) != len(parts):
    raise errors.UserError(
      f'config field "eval.shares" has {len(shares)} weights for {len(parts)}'
      ' eval.parts; give one for each, or none'
    )


def _samples(
  config: Any, stored: Mapping[str, Any], source: types.Source | None
) -> tuple[types.Source, dict[str, str]]:
  """Returns the samples of a run, and hashes of samples and labels."""
  source = source or _source(config, stored)
  _check_rules(config, source)
  return source, {
    'data_sha256': sources.data_sha256(source),
    'label_sha256': sources.label_sha256(source),
  }


def _splits(config: Any, source: types.Source, replicas) -> dict:
  """Returns the splits by seed and normal class; replicas share them."""
  keys = dict.fromkeys((r.seed, r.normal_class) for r in replicas)
  return {key: protocols.split(source, config.data, *key) for key in keys}


def warnings(source, splits) -> tuple[str, ...]:
  """Returns the warnings of the data and of their splits, each one once."""
  of_splits = (line for split in splits for line in split.warnings)
  return tuple(dict.fromkeys([*source.warnings, *of_splits]))


def check_enough(method: base.Method, splits: Sequence[types.Split]) -> None:
  """Raises UserError if a method cannot start from so few samples."""
  fewest, slots = min(len(s.train) for s in splits), method.memories.values()
  if method.least_samples > fewest:
    raise errors.UserError(
      f'the {max(slots)} slots start from the encodings of'
      f' {method.least_samples} training samples, but a replica has only'
      f' {fewest}; lower model.memory.slots, or set model.memory.init to'
      ' "uniform"'
    )


def check_alike_everywhere(config: Any, identity: Mapping[str, str]) -> None:
  """Raises UserError if the processes of a run differ in data or config."""
  fields = config_lib.chosen(
    config, lambda name: not config_lib.has_role(name, config_lib.fields.PATH)
  )
  digest = hashlib.sha256(
    json.dumps([identity, fields], sort_keys=True).encode()
  )
  number = int(digest.hexdigest()[:7], 16)
  if parallel.any_process(number != parallel.broadcast_from_first(number)):
    raise errors.UserError(
      'the processes of this run have different data or config fields; start'
      ' all by the same command, on the same data'
    )


def load(
  config: Any,
  stored: Mapping[str, Any] | None,
  source: types.Source | None,
  families: Mapping[str, Sequence[fleet.Replica]],
) -> tuple[Loaded, dict[str, int]]:
  """Loads the data and makes the splits of all replicas.

  Args:
    config: resolved.
    stored, source: see `experiment.build`.
    families: the replicas by family.

  Returns:
    Samples and splits; and, where the data are not those of the training, the
    steps of the training by family, else {}.

  Raises:
    UserError: the data are missing or do not fit the config.
  """
  everyone = [replica for group in families.values() for replica in group]
  _check_protocol(config, dict.fromkeys(r.variant for r in everyone))
  with parallel.all_or_none():
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
  if config.data.disjoint:
    counts = [
      s.notes.get('removed_as_equal_to_test', 0) for s in splits.values()
    ]
    _LOG.info(
      'left out, as they equal a test sample: %s samples to train or validate',
      ' or '.join(f'{count:,}' for count in dict.fromkeys(counts)),
    )
  for line in warnings(source, splits.values()):
    _LOG.warning('warning: %s', line)
  check_alike_everywhere(config, identity)
  trained_on, lengths = None, {}
  if stored and stored['data_sha256'] != identity['data_sha256']:
    trained_on = stored['data_sha256']
    splits = _as_trained(config, source, splits, stored)
    lengths = stored.get('lengths') or dict.fromkeys(families, stored['steps'])
    _LOG.info('other data than those of the training')
  return Loaded(source, identity, splits, trained_on), lengths
