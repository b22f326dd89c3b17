"""The config of an estimator: a recipe, named parameters, single fields."""

import math
from collections.abc import Mapping
from typing import Any

import ml_collections
import numpy as np

from memae_jax import config as config_lib
from memae_jax.config import presets, table_presets
from memae_jax.methods import registry
from memae_jax.runtime import errors

# Config fields of the parameters that have a name of their own.
NAMED = {
  'epochs': 'train.epochs',
  'batch_size': 'train.batch_size',
  'learning_rate': 'train.learning_rate',
  'slots': 'model.memory.slots',
  'code': 'model.code',
  'widths': 'model.widths',
  'network': 'model.network',
}
# Fields that an estimator sets itself, with what to do instead.
_OWN = {
  'data.name': 'give the samples to fit()',
  'data.path': 'give the samples to fit()',
  'data.protocol': 'all samples of fit() are normals that train',
  'train.seed': 'use random_state',
  'fleet.': 'an estimator is one replica; use memae_jax.train for a fleet',
}
_ELEMENTS = 2**14  # Of a block of samples that is scored at once.
_BLOCK = 512  # Most samples of a block.
_PER_POSITION = 64  # Pixels of a side from which on each position has a query.


def block(shape: tuple[int, ...]) -> int:
  """Returns how many samples of a shape are scored at once.

  It is a power of two, and the same whatever the number of samples: so one
  program scores them all, and a score depends on no other sample.
  """
  fit = max(_ELEMENTS // math.prod(shape), 1)
  return min(1 << (fit.bit_length() - 1), _BLOCK)


def _tables(config: ml_collections.ConfigDict) -> None:
  """Sets the standard recipe of tables, as configs/arrays.py has it."""
  table_presets.own_table(config)


def _images(config: ml_collections.ConfigDict, shape: tuple[int, ...]) -> None:
  """Sets convolutions of stride 2 that leave some four pixels of a side."""
  height, width, _ = shape
  small = min(height, width)
  layers = min(max(round(math.log2(small / 4)), 1), 5)
  widths = tuple(min(16 * 2**i, 128) for i in range(layers))
  presets.conv_network(config, widths)
  presets.sharp_memory(config)
  config.model.memory.init = 'uniform'  # However few samples there are.
  config.model.memory.slots = 100
  config.model.memory.per_position = small >= _PER_POSITION
  config.train.batch_size = 64
  config.train.learning_rate = 1e-3
  config.train.epochs = 50.0


def _dense(config: ml_collections.ConfigDict) -> None:
  """Sets dense layers in place of convolutions, as configs/digits.py has it."""
  config.model.network = 'dense'
  config.model.widths, config.model.code = (64, 32), 16
  config.model.activation = 'leaky_relu'
  config.model.batch_norm = False
  config.model.memory.per_position = False


def config(
  method: str,
  shape: tuple[int, ...],
  dtype: np.dtype,
  named: Mapping[str, Any],
  seed: int,
  fields: Mapping[str, Any] | None,
) -> ml_collections.FrozenConfigDict:
  """Returns the resolved config of an estimator.

  Args:
    method: name in the registry.
    shape: of one sample: (D,), (H, W) or (H, W, C).
    dtype: of the samples.
    named: values of `NAMED`; None: as the recipe has it.
    seed: of split, initial weights and batches.
    fields: further values by dotted names, such as 'train.alpha'.

  Raises:
    UserError: a field is unknown, has a wrong value, is not read by the method,
      or belongs to the estimator.
  """
  out = config_lib.default()
  out.name, out.data.name, out.data.protocol = 'estimator', 'arrays', 'all'
  out.fleet.variants, out.train.seed = (method,), seed
  out.eval.baselines, out.eval.batch_size = (), block(shape)
  if len(shape) == 1:
    _tables(out)
  else:
    _images(out, (*shape, 1)[:3])
    out.data.scaling = 'fixed' if dtype == np.uint8 else 'minmax'
    if named.get('network') == 'dense':
      _dense(out)
  chosen = {
    _field(method, name): value
    for name, value in named.items()
    if value is not None
  }
  given = flat(fields or {})
  for name in given:
    _check_field(name, chosen)
  config_lib.assign(out, chosen | given)
  return config_lib.resolve(out)


def _field(method: str, name: str) -> str:
  """Returns the config field of a named parameter.

  Raises:
    UserError: the method does not read it.
  """
  family, field = registry.find(method).family, NAMED[name]
  if name in registry.SETTINGS.get(family, {}):
    return f'methods.{family}.{name}'
  if not registry.reads(method, field):
    raise errors.UserError(
      f'parameter "{name}" is set, but method "{method}" does not read it;'
      ' leave it out'
    )
  return field


def flat(fields: Any) -> dict[str, Any]:
  """Returns fields by dotted names, whether groups were nested or not.

  Raises:
    UserError: they are no mapping.
  """
  if isinstance(fields, ml_collections.ConfigDict):
    fields = fields.to_dict()
  if not isinstance(fields, Mapping):
    raise errors.UserError(
      f'parameter "config" is {type(fields).__name__}; give a dict such as'
      ' {"train.alpha": 0.001}'
    )
  return config_lib.flatten(fields)


def _check_field(name: str, chosen: Mapping[str, Any]) -> None:
  """Raises UserError for a field that is unknown, taken or the estimator's."""
  config_lib.find(name)
  for own, mend in _OWN.items():
    if name.startswith(own):
      raise errors.UserError(
        f'config field "{name}" belongs to the estimator; {mend}'
      )
  if name in chosen:
    raise errors.UserError(
      f'config field "{name}" is set twice, by a parameter and by "config";'
      ' set it once'
    )
