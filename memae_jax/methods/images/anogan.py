"""AnoGAN: how near a generator of normal pictures comes to a picture.

After Schlegl et al. 2017, "Unsupervised anomaly detection with generative
adversarial networks to guide marker discovery": a DCGAN learns the normals;
then, for each picture, Adam searches the latent vector whose picture looks the
same to the eye and to the discriminator. What is left is the score.

Scoring is slow: each step of the search runs both networks forward and back,
so 300 of them (`methods.anogan.steps`) are the work of about 110 passes of
training. All pictures of a block are searched at once. The FLOPs of scoring in
the plan of a run (`--mode=plan`) count every step, and results have the
pictures per second. The vector starts at the one of 64 random ones whose
picture is nearest, so scores depend on neither batch nor mesh, and an exported
scorer has the same ones. (That of the paper starts at random.)

A DCGAN is usually trained by two optimizers in turn, Adam with beta1 0.5. Here,
as in all methods, one Adam with beta1 0.9 changes both networks in the same
step; their gradients stop at each other. Steps, first rate and latent width of
the search are those of Bergmann et al. 2019 (MVTec AD), whose map of errors is
the squared difference, too. That the rate then falls to 0 along a cosine is
ours: steps of one size would go to and fro at the end.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from memae_jax import losses
from memae_jax.methods import base, tasks
from memae_jax.models import dcgan
from memae_jax.runtime import errors, jax_settings

RULE, DRAWN = 'anogan', 'generated_distance'
_MAKES, _JUDGES = 'generator', 'discriminator'  # Parts of the parameters.
_DRAWS = 64  # Pictures that the criterion draws.


class Search(NamedTuple):
  """Settings of the search for latent vectors.

  steps: of Adam. rate: of the first one. matching: weight of the difference of
  the discriminator's features; that of the pixels has the rest.
  """

  steps: int
  rate: float
  matching: float


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'AnoGan':
  """Builds the family.

  Args:
    config: resolved; `config.methods.anogan` describes networks and search.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: samples are no pictures of 8 pixels or more in [-1, 1].
  """
  del replicas  # They differ in their seeds and rates alone.
  is_picture = len(input_shape) == losses.IMAGE - 1
  if not is_picture or min(input_shape[:2]) < dcgan.LEAST:
    raise errors.UserError(
      f'"anogan" takes pictures of at least {dcgan.LEAST} pixels a side, but a'
      f' sample has shape {tuple(input_shape)}; leave it out of fleet.variants'
    )
  if not tasks.is_bounded(config):
    raise errors.UserError(
      f'"anogan" makes pictures in [-1, 1], but data.scaling is'
      f' "{config.data.scaling}" and data.input "{config.data.input}"; set them'
      ' to "fixed" and "frames", or leave it out of fleet.variants'
    )
  options, dtype = config.methods.anogan, config.model.compute
  sizes, width = dcgan.sizes(input_shape), options.width
  return AnoGan(
    generator=dcgan.Generator(sizes, input_shape[-1], width, dtype),
    critic=dcgan.Discriminator(sizes, width, dtype),
    latent=options.latent,
    search=Search(options.steps, options.rate, options.matching),
  )


def descended(
  loss: Callable[[jax.Array], jax.Array], z: jax.Array, search: Search
) -> jax.Array:
  """Lowers a loss by Adam, whose rate falls to 0 along a cosine.

  Args:
    loss: [B, L] -> scalar, a sum over independent samples.
    z: [B, L] where it starts.
    search: its steps and rate.

  Returns:
    [B, L] after all steps.
  """
  rate = optax.cosine_decay_schedule(search.rate, search.steps)
  adam = optax.adam(rate)

  def one(carry, _):
    z, state = carry
    updates, state = adam.update(jax.grad(loss)(z), state)
    return (optax.apply_updates(z, updates), state), None

  (z, _), _ = jax.lax.scan(one, (z, adam.init(z)), length=search.steps)
  return z


def generated_distance(x: jax.Array, made: jax.Array) -> jax.Array:
  """Returns the energy score of generated pictures (Gneiting, Raftery 2007).

  Mean distance to them, less half the mean distance between two of them. Its
  mean over real pictures is least where both have the same distribution: blur
  and mode collapse both raise it.

  Args:
    x: [B, H, W, C].
    made: [K, H, W, C], at least two.

  Returns:
    [B] in units of the model input: over the root of the number of elements.
  """
  return _energy(_distances(x, made), made)


def _energy(far: jax.Array, made: jax.Array) -> jax.Array:
  """Returns `generated_distance` of `_distances` [K, B] to pictures made."""
  pairs = len(made) / (len(made) - 1)  # A picture and itself are none.
  return jnp.mean(far, axis=0) - pairs * jnp.mean(_distances(made, made)) / 2


def _distances(x: jax.Array, made: jax.Array) -> jax.Array:
  """Returns the distance [K, B] of each generated picture to each of x."""
  to = lambda one: jnp.sqrt(losses.mean(losses.squared(x, one[None])))
  return jax.lax.map(to, made)


@dataclasses.dataclass(frozen=True)
class AnoGan(base.Method):
  """AnoGAN, see `base.Method`.

  Its criterion is the `generated_distance`, which needs no search: validation
  in the course of training would otherwise take longer than the training. The
  losses of the networks say nothing of their quality, as each depends on the
  other network. Published are the last weights, the default of
  `eval.checkpoint`.

  Attributes:
    generator, critic: the networks.
    latent: width L of the latent vectors.
    search: of these; None: only the criterion is predicted.
  """

  generator: dcgan.Generator
  critic: dcgan.Discriminator
  latent: int
  search: Search | None

  criterion = DRAWN, 'distance'
  score = RULE

  @property
  def validator(self):
    """The method without its search."""
    return dataclasses.replace(self, search=None)

  def on(self, across):
    """Returns what one device runs: norms see the batch of all devices."""
    generator = self.generator.clone(axis=across.data_axis)
    return dataclasses.replace(self, generator=generator)

  def init(self, key, samples, hyper):
    """Returns the initial weights of both networks."""
    del hyper
    made = self.generator.init(key, jnp.zeros((1, self.latent)))
    judge = self.critic.init(jax.random.fold_in(key, 1), samples[:1])
    params = {_MAKES: made['params'], _JUDGES: judge['params']}
    return {'params': params, 'batch_stats': made['batch_stats']}

  def _generate(self, variables, z, *args, **kwargs):
    """Calls the generator; `args` and `kwargs` as its module takes them."""
    made = {**variables, 'params': variables['params'][_MAKES]}
    return self.generator.apply(made, z, *args, **kwargs)

  def loss(self, variables, batch, hyper, across):
    """Returns the cross entropies of both networks.

    That of the generator is the one that does not saturate, -log D(G(z)). Its
    gradient reaches the generator alone, that of the other the discriminator
    alone. Adam divides gradients by their size, so neither changes how fast
    the other network learns.
    """
    del hyper, across
    made, new = self._generate(
      variables,
      batch.normal((self.latent,)),
      True,
      batch.mask,
      mutable=['batch_stats'],
    )
    judge = variables['params'][_JUDGES]
    fixed, shown = jax.lax.stop_gradient((judge, made))
    logit = lambda params, x: self.critic.apply({'params': params}, x)[0]
    wrong = lambda x: batch.mean(jax.nn.softplus(x))  # -log(1 - sigmoid(x))
    fools = wrong(-logit(fixed, made))
    told = wrong(-logit(judge, batch.x)) + wrong(logit(judge, shown))
    terms = {'adversarial': fools, 'discriminator': told}
    return base.LossParts(fools + told, terms, new)

  def _features(self, variables, x) -> jax.Array:
    """Returns what the discriminator sees in pictures, [B, F]."""
    judge = {'params': variables['params'][_JUDGES]}
    return self.critic.apply(judge, x)[1]

  def _difference(self, variables, x, features, made) -> jax.Array:
    """Returns the [B] loss of the search: of residuals and of features.

    In the paper both are sums of absolute differences; here these are divided
    by the number of elements of a picture, so that the unit is that of the
    model input.

    Args:
      variables: of the replica.
      x: [B, H, W, C] pictures.
      features: [B, F] of these.
      made: [B, H, W, C] generated pictures.
    """
    total = lambda a, b: jnp.sum(jnp.abs(a - b).reshape(len(x), -1), axis=1)
    share, count = self.search.matching, math.prod(x.shape[1:])
    seen = (1 - share) * total(x, made)
    felt = share * total(features, self._features(variables, made))
    return (seen + felt) / count

  def predict(self, variables, x, hyper, mask, keys):
    """Returns scores, and maps of squared errors, after the search."""
    del hyper, mask, keys
    generate = functools.partial(self._generate, variables)
    key = jax.random.key(0, impl=jax_settings.PRNG)
    draws = jax.random.normal(key, (_DRAWS, self.latent))
    first = generate(draws)
    to_first = _distances(x, first)
    drawn = {DRAWN: _energy(to_first, first)}
    if self.search is None:
      return base.Prediction(drawn)
    far = functools.partial(
      self._difference, variables, x, self._features(variables, x)
    )
    nearest = draws[jnp.argmin(to_first, axis=0)]
    out = generate(
      descended(lambda z: jnp.sum(far(generate(z))), nearest, self.search)
    )
    found = losses.of(x, out)
    return base.Prediction(
      scores=found['scores'] | {RULE: far(out)} | drawn,
      maps=found['maps'] | {RULE: found['maps']['mse']},
      output=out,
    )
