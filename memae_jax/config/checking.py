"""Checks and completes configs, before anything is compiled.

Unknown fields, wrong types and values out of range are errors that name the
field.
"""

import contextlib
import functools
import operator
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

import ml_collections

from memae_jax import plugins
from memae_jax.config import data_fields, fields, schema
from memae_jax.methods import registry
from memae_jax.runtime import errors, paths


def _short(value: Any) -> str:
  """Returns a value as text for a message, cut if it is large or deep."""
  writer = reprlib.Repr()
  writer.maxstring = writer.maxother = 200
  writer.maxtuple = writer.maxlist = writer.maxdict = 20
  return writer.repr(value)


def _resolve(values: Mapping, group: Mapping, prefix: str) -> dict[str, Any]:
  out = schema.walk(group, lambda field: field.default)
  for key, value in values.items():
    name = f'{prefix}{key}'
    if key not in group:
      raise schema.unknown(name, key, group)
    node = group[key]
    if isinstance(node, fields.Field):
      try:
        out[key] = node.convert(value)
      except ValueError as error:
        raise errors.UserError(
          f'config field "{name}" is {_short(value)}, but {error}'
        ) from error
    elif isinstance(value, (Mapping, ml_collections.ConfigDict)):
      out[key] = _resolve(value, node, name + '.')
    else:
      raise errors.UserError(
        f'config field "{name}" is {_short(value)}, but it is a group of'
        f' fields: {", ".join(node)}'
      )
  return out


def _complete(values: Mapping) -> dict[str, Any]:
  """Returns all fields; raises UserError if a plugin is not loaded."""
  convert = schema.SCHEMA['plugins'].convert
  with contextlib.suppress(ValueError):  # `_resolve` raises it with the field.
    plugins.check(convert(values.get('plugins', ())))
  return _resolve(values, schema.SCHEMA, '')


def filled(values: Mapping) -> ml_collections.ConfigDict:
  """Returns a config with `values` and the defaults of all other fields.

  Args:
    values: nested mapping with any part of the schema.

  Raises:
    UserError: an unknown field, a wrong type or a value out of range.
  """
  return ml_collections.ConfigDict(_complete(values))


def resolve(config: Mapping) -> ml_collections.FrozenConfigDict:
  """Returns the complete, checked config.

  Args:
    config: nested mapping with any part of the schema.

  Raises:
    UserError: an unknown field, a wrong type or a value out of range.
  """
  if isinstance(config, ml_collections.ConfigDict):
    config = config.to_dict()
  resolved = _complete(config)
  resolved['plugins'] = tuple(
    dict.fromkeys((*resolved['plugins'], *plugins.loaded()))
  )
  _check_axes(resolved)
  _check_memory(resolved)
  _check_schedule(resolved['train'])
  _check_noise(resolved['train']['noise_range'])
  _check_motion(resolved['data'])
  _check_task(resolved)
  _check_penalty(resolved)
  _refuse_unread(resolved['model'])
  for name in ('baselines', 'parts', 'candidates'):
    _refuse_repeated(f'eval.{name}', resolved['eval'][name])
  for family in ('bank', 'dictionary'):
    outputs = resolved['methods'][family]['outputs']
    _refuse_repeated(f'methods.{family}.outputs', outputs)
  _check_bank(resolved['methods']['bank'])
  if resolved['data']['image_width'] and not resolved['data']['image_size']:
    raise errors.UserError(
      'config field "data.image_width" is set, but data.image_size, the height,'
      ' is 0; set both'
    )
  for name in schema.with_role(fields.PATH):  # A run may move, its data not.
    *groups, key = name.split('.')
    group = functools.reduce(operator.getitem, groups, resolved)
    if group[key]:
      path = paths.local(group[key], f'config field "{name}"')
      group[key] = str(path.absolute())
  return ml_collections.FrozenConfigDict(resolved)


def _refuse_repeated(field: str, values: tuple) -> None:
  """Raises UserError if a value stands in a field twice."""
  if len(set(values)) != len(values):
    raise errors.UserError(
      f'config field "{field}" is {values!r}: a value repeats'
    )


def _check_axes(resolved: Mapping[str, Any]) -> None:
  """Raises UserError if the axes of the fleet are wrong."""
  protocol, axes = resolved['data']['protocol'], resolved['fleet']
  if protocol in data_fields.ONE_CLASS and not axes['normal_classes']:
    raise errors.UserError(
      'config field "fleet.normal_classes" is empty, but data.protocol'
      f' "{protocol}" needs at least one class, for example (0,)'
    )
  if protocol not in data_fields.ONE_CLASS and axes['normal_classes']:
    raise errors.UserError(
      'config field "fleet.normal_classes" is set, but data.protocol'
      f' "{protocol}" has no normal class; use (), or one of'
      f' {", ".join(data_fields.ONE_CLASS)}'
    )
  if protocol == 'alone' and resolved['eval']['checkpoint'] == 'validation':
    raise errors.UserError(
      'config field "eval.checkpoint" is "validation", but data.protocol'
      ' "alone" has no validation normals; set it to "last"'
    )
  for axis in [name for name in axes if name != 'seeds']:
    _refuse_repeated(f'fleet.{axis}', axes[axis])
  if not axes['variants']:
    raise errors.UserError(
      'config field "fleet.variants" is empty; name at least one of '
      + ', '.join(registry.names())
    )


def _check_memory(resolved: Mapping[str, Any]) -> None:
  """Raises UserError if the memory cannot be read as the fields say."""
  axes, memory = resolved['fleet'], resolved['model']['memory']
  threshold = max(axes['thresholds'] or (memory['threshold'],))
  slots = min(axes['slots'] or (memory['slots'],))
  if threshold >= slots:
    raise errors.UserError(
      f'the shrinkage threshold is {threshold:g}/N, but N is {slots}: no weight'
      ' can exceed it; lower model.memory.threshold (fleet.thresholds)'
    )
  spread = resolved['mesh']['memory'] > 1
  if memory['read'] in ('dense', 'top_k') and spread:
    raise errors.UserError(
      f'config field "model.memory.read" is "{memory["read"]}", which reads'
      ' slots of one device; set mesh.memory to 1, or use "streaming"'
    )
  blocks = memory['read'] in ('streaming', 'top_k')
  if memory['shrink_gradient'] == 'published' and (spread or blocks):
    raise errors.UserError(
      'config field "model.memory.shrink_gradient" is "published", which only'
      ' the dense read has; set model.memory.read to "dense" and mesh.memory'
      ' to 1, or use "exact"'
    )


def _check_schedule(train: Mapping[str, Any]) -> None:
  """Raises UserError if the learning rate cannot fall as the fields say."""
  schedule, milestones = train['schedule'], train['milestones']
  if schedule == 'steps' and not milestones:
    raise errors.UserError(
      'config field "train.schedule" is "steps", but train.milestones is empty;'
      ' give shares of the training, for example (0.5,)'
    )
  if schedule != 'steps' and milestones:
    raise errors.UserError(
      f'config field "train.milestones" is {milestones!r}, but train.schedule'
      f' "{schedule}" does not read it; leave it out, or use "steps"'
    )


def _check_noise(limits: tuple[float, ...]) -> None:
  """Raises UserError if noisy inputs cannot be clipped to a range."""
  if limits and (len(limits) != 2 or limits[0] >= limits[1]):
    raise errors.UserError(
      f'config field "train.noise_range" is {limits!r}; give two numbers, the'
      ' lower one first, such as (0, 1), or none'
    )


def _check_bank(options: Mapping[str, Any]) -> None:
  """Raises UserError if the parts of a bank cannot be joined as fields say."""
  parts = (options['features'], *options['also'])
  if len(set(parts)) < len(parts):
    raise errors.UserError(
      f'config field "methods.bank.also" is {options["also"]!r} beside'
      f' features "{options["features"]}": a kind repeats'
    )
  shares = options['shares']
  if shares and (len(shares) != len(parts) or len(parts) == 1):
    raise errors.UserError(
      f'config field "methods.bank.shares" is {shares!r}, but the bank has'
      f' {len(parts)} kind{"s"[: len(parts) > 1]} of features (features, also);'
      ' give one weight for each of several'
    )
  if options['reweight'] == 1:
    raise errors.UserError(
      'config field "methods.bank.reweight" is 1, but the nearest slot alone'
      ' has none around it; use 0, or at least 2'
    )


def _check_motion(data: Mapping[str, Any]) -> None:
  """Raises UserError if fields of motion do not fit each other."""
  kind, seen = data['motion'], data['input']
  if kind == 'none' and seen != 'frames':
    raise errors.UserError(
      f'config field "data.input" is "{seen}", but data.motion is "none"; set'
      ' it to "blocks", "flow" or "difference"'
    )
  if kind != 'none' and seen == 'frames':
    raise errors.UserError(
      f'config field "data.motion" is "{kind}", but data.input "frames" does'
      ' not read it; set that to "motion", "speed" or "both"'
    )
  if len(data['motion_reach']) != 2:
    raise errors.UserError(
      f'config field "data.motion_reach" is {data["motion_reach"]}; give two'
      ' numbers, to the side and up or down'
    )
  unread = [field for field in data_fields.MOTION if kind == 'none']
  if kind != 'blocks':
    unread += data_fields.OF_BLOCKS
  for field in unread:
    if data[field] != data_fields.MOTION[field].default:
      raise errors.UserError(
        f'config field "data.{field}" is {data[field]!r}, but data.motion'
        f' "{kind}" does not read it; leave it out, or use "blocks"'
      )


def _check_task(resolved: Mapping[str, Any]) -> None:
  """Raises UserError if there is nothing to predict, or nobody to do it."""
  variants = resolved['fleet']['variants']
  if resolved['model']['task'] == 'reconstruct':
    for name in variants:
      if not registry.find(name).reconstructs:
        raise errors.UserError(
          f'method "{name}" of fleet.variants predicts; set model.task to'
          ' "predict" and data.clip_frames to 5, the last from four'
        )
    return
  field = 'config field "model.task" is "predict"'
  seen, frames = resolved['data']['input'], resolved['data']['clip_frames']
  if (seen == 'both') != (frames == 1):
    raise errors.UserError(
      f'{field}, but data.input is "{seen}" and data.clip_frames {frames}; set'
      ' them to "both" and 1 for the motion of a frame, or clip_frames to 2 or'
      ' more, and input to another, for the last frame of a clip'
    )
  for name in variants:
    if not registry.find(name).predicts:
      able = [one for one in registry.names() if registry.find(one).predicts]
      raise errors.UserError(
        f'{field}, which method "{name}" of fleet.variants cannot do; use'
        f' {", ".join(able)}'
      )


def data_of(config: Any) -> ml_collections.FrozenConfigDict:
  """Returns `config.data` with `scored`, which the task of the network decides.

  Args:
    config: resolved.

  Returns:
    The fields, and `scored`: the frame of a clip that its score belongs to,
    'last' where a network predicts it, else 'middle'.
  """
  predicts = config.model.task == 'predict'
  scored = 'last' if predicts else 'middle'
  return ml_collections.FrozenConfigDict(
    config.data.to_dict() | {'scored': scored}
  )


def _check_penalty(resolved: Mapping[str, Any]) -> None:
  """Raises UserError if the layer to penalise does not exist."""
  model, place = resolved['model'], resolved['train']['l1_of']
  if place == 'code' or (model['network'] == 'dense' and model['widths']):
    return
  raise errors.UserError(
    f'config field "train.l1_of" is "{place}", which only a dense network with'
    ' model.widths has; use "code"'
  )


def _refuse_unread(model: Mapping) -> None:
  """Raises UserError if a field is set that the network does not read."""
  for field, node in schema.SCHEMA['model'].items():
    network = getattr(node, 'network', '')
    if not network or model['network'] == network:
      continue
    value = model[field]
    if value != node.default:
      raise errors.UserError(
        f'config field "model.{field}" is {value!r}, but model.network'
        f' "{model["network"]}" does not read it; leave it out, or use'
        f' "{network}"'
      )


def flatten(config: Mapping, prefix: str = '') -> dict[str, Any]:
  """Returns the fields of a config by name: {'data.name': 'digits', ...}."""
  out = {}
  for key, value in config.items():
    if isinstance(value, Mapping):
      out |= flatten(value, f'{prefix}{key}.')
    else:
      out[prefix + key] = value
  return out


def chosen(config: Mapping, wanted: Callable[[str], bool]) -> dict[str, Any]:
  """Returns the fields, as `flatten` does, for whose names `wanted` is true."""
  fields = flatten(config.to_dict())
  return {name: value for name, value in fields.items() if wanted(name)}


def assign(
  config: ml_collections.ConfigDict, fields: Mapping[str, Any]
) -> None:
  """Sets fields of a config that is not resolved yet; `resolve` checks them.

  Args:
    config: to change.
    fields: the values by name, as in `flatten`.
  """
  for name, value in fields.items():
    *groups, last = name.split('.')
    group = config
    for key in groups:
      group = group[key]
    with group.ignore_type():
      group[last] = value


def changed(
  config: Mapping, fields: Mapping[str, Any]
) -> ml_collections.FrozenConfigDict:
  """Returns a config in which some fields have other values.

  Args:
    config: resolved.
    fields: the values by name, as in `flatten`.

  Raises:
    UserError: a value does not fit.
  """
  out = ml_collections.ConfigDict(config.to_dict())
  assign(out, fields)
  return resolve(out)


def of_family(config: Any, family: str) -> ml_collections.FrozenConfigDict:
  """Returns a config as a family of methods reads it.

  Settings of the family that have the name of a field of `train` replace it,
  and `slots`, where it is not 0, the memory sizes of the run.

  Args:
    config: resolved.
    family: of methods.
  """
  settings = config.methods.get(family, {})
  shared = {
    name: value for name, value in settings.items() if name in config.train
  }
  slots = settings.get('slots', 0)
  if not shared and not slots:
    return config
  out = ml_collections.ConfigDict(config.to_dict())
  out.train.update(shared)
  if slots:
    out.model.memory.slots, out.fleet.slots = slots, ()
  return ml_collections.FrozenConfigDict(out)
