"""Frame-Pred: a U-Net that foretells a frame, whose error is the score.

After Liu et al. 2018, "Future frame prediction for anomaly detection - a new
baseline", by the released code: squared error, gradient loss, and, if asked
for, the loss of a discriminator of patches.

Left out is the loss of the optical flow, which needs a frozen network that
others trained. The discriminator is trained by the same optimizer at the same
rate, in the same step; there, in a step before, at a tenth of the rate.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from memae_jax import image_errors, losses
from memae_jax.methods import base, tasks
from memae_jax.models import conv_net, discriminator, unet

_MAKES, _JUDGES = 'generator', 'discriminator'  # Parts of the parameters.


class Shares(NamedTuple):
  """Weights of the losses: of the error, the gradient loss, the adversary."""

  intensity: float = 1.0
  edges: float = 1.0
  adversarial: float = 0.0


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'FramePred':
  """Builds the family.

  Args:
    config: resolved.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: the U-Net does not fit the samples.
  """
  del replicas  # They differ in their seeds and rates alone.
  options, task = config.methods.frame_pred, tasks.of(config, input_shape)
  seen, wanted = task.shapes(input_shape)
  sizes = unet.sizes(seen, options.widths, 'methods.frame_pred.widths')
  wrap = conv_net.remat(config.model.remat)
  dtype, widths = config.model.compute, tuple(options.widths)
  network = unet.UNet(
    encoder=wrap(unet.Encoder)(widths, dtype=dtype),
    decoder=wrap(unet.Decoder)(
      widths,
      sizes,
      channels=wanted[-1],
      bounded=tasks.is_bounded(config),
      dtype=dtype,
    ),
  )
  critic = None
  if options.adversarial:
    critic = discriminator.Discriminator(tuple(options.discriminator), dtype)
  shares = Shares(options.intensity, options.edges, options.adversarial)
  return FramePred(
    network, critic, task, shares, losses.find(config.train.loss)
  )


@dataclasses.dataclass(frozen=True)
class FramePred(base.Method):
  """Frame-Pred, see `base.Method`.

  Attributes:
    network: from what is seen to what is wanted.
    critic: the discriminator; None: there is none.
    task: what the network sees of a sample, and what it has to give.
    shares: weights of the losses.
    rule: that is the error.
  """

  network: unet.UNet
  critic: discriminator.Discriminator | None = None
  task: tasks.Task = tasks.Task(True)
  shares: Shares = Shares()
  rule: losses.Rule = losses.find('mse')

  @property
  def criterion(self):
    """Criterion of the best weights: the error, without the other losses."""
    return self.rule.name, 'reconstruction'

  def init(self, key, samples, hyper):
    """Returns the initial weights of both networks."""
    del hyper
    seen, wanted = self.task.parts(samples)
    params = {_MAKES: self.network.init(key, seen)['params']}
    if self.critic is not None:
      other = jax.random.fold_in(key, 1)
      params[_JUDGES] = self.critic.init(other, wanted)['params']
    return {'params': params}

  def _predicted(self, variables, seen) -> jax.Array:
    params = variables['params'][_MAKES]
    return self.network.apply({'params': params}, seen)

  def loss(self, variables, batch, hyper, across):
    """Returns the losses of a batch, each of which is a mean over samples."""
    del hyper, across
    seen, wanted = self.task.parts(batch.x)
    out = self._predicted(variables, seen)
    terms = {
      'reconstruction': batch.mean(self.rule.score(wanted, out)),
      'edges': batch.mean(image_errors.edges(wanted, out)),
    }
    loss = self.shares.intensity * terms['reconstruction']
    loss += self.shares.edges * terms['edges']
    if self.critic is not None:
      both = self._adversarial(variables['params'][_JUDGES], wanted, out, batch)
      terms |= dict(zip(('adversarial', 'discriminator'), both))
      loss += self.shares.adversarial * both[0] + both[1]
    return base.LossParts(loss, terms)

  def _adversarial(self, judge, wanted, out, batch):
    """Returns the losses of generator and discriminator.

    The gradient of the first reaches the generator alone, that of the second
    the discriminator alone. Adam divides gradients by their size, so neither
    changes how fast the other part learns.

    Args:
      judge: parameters of the discriminator.
      wanted: [B, H, W, C] true frames.
      out: [B, H, W, C] predictions.
      batch: that they belong to.
    """
    real = lambda params, x: self.critic.apply({'params': params}, x)
    far = lambda judged, goal: batch.mean(jnp.square(judged - goal)) / 2
    fixed, made = jax.lax.stop_gradient((judge, out))
    fools = far(real(fixed, out), 1)
    return fools, far(real(judge, wanted), 1) + far(real(judge, made), 0)

  def predict(self, variables, x, hyper, mask, keys):
    """Returns scores and maps of the errors of predictions."""
    del hyper, mask, keys
    seen, wanted = self.task.parts(x)
    out = self._predicted(variables, seen)
    return base.Prediction(**losses.of(wanted, out), output=out, target=wanted)

  def alone(self, replica, variables):
    """Returns the network without the discriminator."""
    del replica
    params = {_MAKES: variables['params'][_MAKES]}
    method = dataclasses.replace(self, critic=None)
    return method, {**variables, 'params': params}
