"""Autoencoders of pictures of defects that differ from `ae` in one respect.

ae_ssim            trained and scored by structural dissimilarity
                   (Bergmann et al. 2019)
fm_ae              by squared errors and the distance of features of a frozen
                   network (feature matching)
memae_positions    MemAE without the last layer of the encoder, with a query at
                   each position of what is left
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections

from memae_jax import image_errors, losses
from memae_jax.memory import addressing
from memae_jax.methods import autoencoder, tasks
from memae_jax.runtime import errors

_OF_LAYERS = 'widths', 'kernels', 'strides', 'paddings'


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> autoencoder.Autoencoder:
  """Builds the method of one of the families above.

  Args:
    config: resolved.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: samples are no pictures in [-1, 1], fields of the network do not
      fit each other or the samples, or weights are missing.
  """
  name = replicas[0].variant
  if name == 'memae_positions':
    return autoencoder.build(_shortened(config), input_shape, replicas)
  if len(input_shape) != 3 or not tasks.is_bounded(config):
    raise errors.UserError(
      f'method "{name}" needs pictures in [-1, 1], but a sample has shape'
      f' {tuple(input_shape)}, data.scaling is "{config.data.scaling}" and'
      f' data.input "{config.data.input}"; set these to "fixed" and "frames",'
      ' or leave it out'
    )
  network = autoencoder.build(config, input_shape, replicas)
  rule = losses.find('ssim')
  if name == 'fm_ae':
    from memae_jax.features import weights  # Large; only where needed.

    options = config.methods.fm_ae
    loaded = weights.load(config.methods.bank.weights)
    rule = matching(loaded, options.outputs, options.weight)
  return dataclasses.replace(network, rule=rule, score=rule.name)


def matching(
  weights: Mapping[str, jax.Array], outputs: Sequence[str], share: float
) -> losses.Rule:
  """Returns the rule that adds the distance of features to squared errors.

  Args:
    weights: of the frozen network, from `features.weights.load`.
    outputs: of that network, joined.
    share: weight of the squared distance of the features, which have norm 1 at
      each position.
  """
  from memae_jax.features import frozen

  extract = frozen.maps(weights, outputs)

  def errors_of(x, output):
    x, output = x.astype(jnp.float32), output.astype(jnp.float32)
    one, other = (addressing.normalise(extract(of)) for of in (x, output))
    far = jnp.sum((one - other) ** 2, axis=-1)
    large = image_errors.enlarged(far, x.shape[1:3], 0)
    return losses.squared(x, output) + share * large[..., None]

  return dataclasses.replace(losses.find('feature'), errors=errors_of)


def _shortened(config: Any) -> ml_collections.FrozenConfigDict:
  """Returns a config whose encoder lacks its last layer."""
  out = config.to_dict()
  model = out['model']
  if model['network'] != 'conv' or len(model['widths']) < 2:
    raise errors.UserError(
      'method "memae_positions" needs a network of convolutions with two layers'
      ' or more; set model.network and model.widths, or use "memae" with'
      ' model.memory.per_position'
    )
  for name in _OF_LAYERS:
    model[name] = model[name][:-1]
  for name in ('decoder_widths', 'decoder_kernels'):
    model[name] = model[name][1:]
  model['linear_code'] = False
  model['memory']['per_position'] = True
  return ml_collections.FrozenConfigDict(out)
