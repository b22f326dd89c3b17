"""AE-Conv3D: a clip is reconstructed, and the clip after it foretold.

After Zhao et al. 2017, "Spatio-temporal autoencoder for video anomaly
detection". An encoder of 3-D convolutions, each with batch norm, leaky ReLU and
a pooling that halves time, rows and columns; two decoders of transposed ones.
The layers are those on which public reimplementations agree: widths 32, 48, 64,
64, and back 48, 32, 32.

A sample of 2 T frames serves both. In training the network sees the first half,
which one decoder reconstructs, and the other foretells the second half; errors
of the prediction count by weights that fall linearly with the distance in time.
For a score it sees T frames around the scored one, which it reconstructs.
So the score belongs to the frame in the middle of what is seen, the same frame
as that of other methods, and the second decoder only shapes the code.

The output is tanh where inputs lie in [-1, 1]. The reimplementations have a
sigmoid, for inputs in [0, 1]: the same function of the other scale.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses
from memae_jax.methods import base, tasks
from memae_jax.models import conv_net
from memae_jax.runtime import errors

_KERNEL = 3


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Zhao':
  """Builds the family.

  Args:
    config: resolved; `config.methods.zhao` describes the network.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: samples are no clips of two halves, or widths do not fit.
  """
  del replicas
  if len(input_shape) != losses.CLIP - 1 or input_shape[0] % 2:
    raise errors.UserError(
      '"zhao" sees one half of a clip and foretells the other, but a sample'
      f' has shape {tuple(input_shape)}; set data.clip_frames to an even'
      ' number, or leave it out of fleet.variants'
    )
  options, dtype = config.methods.zhao, config.model.compute
  widths, back = options.widths, options.decoder_widths
  if not widths or len(back) != len(widths) - 1:
    raise errors.UserError(
      f'config field "methods.zhao.decoder_widths" is {back}; give one less'
      f' than methods.zhao.widths has, which is {widths}'
    )
  seen = (input_shape[0] // 2, *input_shape[1:])
  plan = conv_net.plan(widths, (), (), (), 'pool', seen)
  wrap = conv_net.remat(config.model.remat)
  shared = dict(
    plan=plan, activation='leaky_relu', batch_norm=True, dtype=dtype
  )
  encoder = wrap(conv_net.ConvEncoder)(layout='pool', **shared)
  # Each decoder is an object of its own, or they would share their weights.
  decoders = [
    wrap(conv_net.ConvDecoder)(
      channels=input_shape[-1],
      widths=back,
      kernels=(_KERNEL,) * len(widths),
      layout='strided',
      **shared,
    )
    for _ in range(2)
  ]
  network = Network(encoder, *decoders, tasks.is_bounded(config))
  return Zhao(network, options.prediction, losses.find(config.train.loss))


class Network(nn.Module):
  """One encoder and two decoders of clips [B, T, H, W, C].

  Attributes:
    encoder: see `models.conv_net`.
    rebuilder: decoder that gives the clip back.
    foreteller: decoder that gives the clip after it.
    bounded: whether tanh follows the decoders.
  """

  encoder: nn.Module
  rebuilder: nn.Module
  foreteller: nn.Module
  bounded: bool = True

  def _decoded(self, decoder, code, dtype, train, mask) -> jax.Array:
    out = decoder(code, train, mask)
    return (nn.tanh(out) if self.bounded else out).astype(dtype)

  def rebuilt(self, x, train: bool = False, mask=None) -> jax.Array:
    """Returns clips as they are reconstructed; `mask` is False for padding."""
    code = self.encoder(x, train, mask)
    return self._decoded(self.rebuilder, code, x.dtype, train, mask)

  def __call__(self, x, train: bool = False, mask=None):
    """Returns the reconstruction of clips, and the clips after them."""
    code = self.encoder(x, train, mask)
    return tuple(
      self._decoded(decoder, code, x.dtype, train, mask)
      for decoder in (self.rebuilder, self.foreteller)
    )


def weights(frames: int) -> np.ndarray:
  """Returns what the error of each predicted frame counts.

  Args:
    frames: T.

  Returns:
    [T]: (T - t) / T^2 for t = 0 to T - 1.
  """
  return (frames - np.arange(frames, dtype=np.float32)) / frames**2


@dataclasses.dataclass(frozen=True)
class Zhao(base.Method):
  """AE-Conv3D, see `base.Method`.

  Attributes:
    network: of clips of half the length of a sample.
    prediction: weight of the prediction.
    rule: by which it is trained.
  """

  network: Network
  prediction: float = 1.0
  rule: losses.Rule = losses.find('mse')

  @property
  def criterion(self):
    """Criterion of the best weights: the loss of the reconstruction."""
    return self.rule.name, 'reconstruction'

  def on(self, across):
    """Returns what one device runs."""
    axis, net = across.data_axis, self.network
    network = net.clone(
      encoder=net.encoder.clone(axis=axis),
      rebuilder=net.rebuilder.clone(axis=axis),
      foreteller=net.foreteller.clone(axis=axis),
    )
    return dataclasses.replace(self, network=network)

  def init(self, key, samples, hyper):
    """Returns initial weights."""
    del hyper
    seen, _ = _halves(samples[:1])
    return self.network.init(key, seen)

  def loss(self, variables, batch, hyper, across):
    """Returns the errors of both halves of the samples."""
    del hyper, across  # Every term is a mean over samples.
    seen, later = _halves(batch.x)
    (out, foretold), new = self.network.apply(
      variables, seen, True, batch.mask, mutable=['batch_stats']
    )
    error = batch.mean(self.rule.score(seen, out))
    of_frames = losses.frame_means(self.rule.errors(later, foretold))
    ahead = batch.mean(of_frames @ weights(later.shape[1]))
    terms = {'reconstruction': error, 'prediction': ahead}
    return base.LossParts(error + self.prediction * ahead, terms, new)

  def predict(self, variables, x, hyper, mask, keys):
    """Returns scores, maps and reconstructions of frames around the scored."""
    del hyper, mask, keys
    seen = losses.around_scored(x, x.shape[1] // 2)
    out = self.network.apply(variables, seen, method=Network.rebuilt)
    return base.Prediction(**losses.of(seen, out), output=out, target=seen)


def _halves(x: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns the first and the last half of clips."""
  return tuple(jnp.split(x, 2, axis=1))
