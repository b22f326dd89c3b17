"""Mixture of Gaussians of texture: how unlikely each patch is, on a pyramid.

After Boettger and Ulrich 2016, "Real-time texture error detection on textured
surfaces with compressed sensing", as far as it is known: grey patches of each
level of a pyramid, less their means, a random projection of these, and a
mixture of Gaussians for each level. The seed of the replica draws the
projections. Principal components would see nothing of a defect in whose
direction no texture varies, such as noise on a soft surface.

Each level has the negative log-likelihoods of its patches, standardised on
training pictures that did not fit its mixture, a fifth of them: upper levels
have few patches, which a mixture may learn by heart. A single picture both fits
and standardises. The map is the maximum over the levels.
"""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.exceptions
import sklearn.mixture
import threadpoolctl

from memae_jax import image_errors
from memae_jax.methods import base, positions
from memae_jax.methods.images import grey
from memae_jax.runtime import errors

RULE = 'texture_energy'
SIDE = 7  # Pixels of a side of a patch, on each level.
DIMENSIONS = 12  # Directions onto which patches are projected.
MOST = 20000  # Patches at most that fit a mixture, and that standardise it.
_HELD_OUT = 5  # One in so many training pictures standardises.
_LEAST = 1e-3  # Deviation, in nats, below which there is none.
_ABSENT = np.finfo(np.float32).min  # Logarithm of the weight of no component.


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'GmmTexture':
  """Builds the family.

  Args:
    config: resolved.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: samples are no pictures, or are smaller than a patch.
  """
  del replicas
  grey.check('gmm_texture', config, input_shape)
  height, width, _ = input_shape
  if min(height, width) < SIDE:
    raise errors.UserError(
      f'method "gmm_texture" of fleet.variants takes patches of {SIDE} x'
      f' {SIDE} pixels, but pictures have {height} x {width}; leave it out'
    )
  options = config.methods.gmm_texture
  return GmmTexture(
    size=(height, width),
    levels=depth(input_shape, options.levels),
    most=options.samples,
    components=options.components,
  )


@dataclasses.dataclass(frozen=True)
class GmmTexture(base.Method):
  """Mixtures of Gaussians of texture, see `base.Method`.

  Attributes:
    size: rows and columns of a picture.
    levels: of the pyramid; all are as large as a patch, see `depth`.
    most: so many training normals give patches at most; 0: all.
    components: Gaussians of each mixture.
  """

  size: tuple[int, int]
  levels: int
  most: int = 10
  components: int = 10

  criterion = RULE, 'energy'

  @property
  def stages(self):
    """Returns the one pass that collects pictures."""
    return (base.Collect(keeps='rows', most=self.most),)

  def init(self, key, samples, hyper):
    """Returns mixtures that are not fitted: all patches are as likely."""
    del key, samples, hyper
    count, width = self.components, DIMENSIONS
    level = lambda: {
      'kernels': jnp.zeros((SIDE, SIDE, 1, width)),
      'means': jnp.zeros((count, width)),
      'whiten': jnp.zeros((count, width, width)),
      'weights': jnp.zeros(count),
      'mean': jnp.zeros(()),
      'deviation': jnp.ones(()),
    }
    return {'texture': {_name(i): level() for i in range(self.levels)}}

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the grey levels of pictures, [B, H, W]."""
    del variables, hyper, mask, stage, round_
    return grey.grey(x)

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Fits the mixture of each level."""
    del variables, hyper, stage, round_
    levels = pyramid(collected.astype(np.float64), self.levels)
    fitted = {
      _name(i): fitted_level(pictures, self.components, rng)
      for i, pictures in enumerate(levels)
    }
    return {'texture': fitted}, True

  def predict(self, variables, x, hyper, mask, keys):
    """Returns maps of standardised energies, and the highest of each."""
    del hyper, mask, keys
    maps = [
      self._enlarged(i, energies(pictures, variables['texture'][_name(i)]))
      for i, pictures in enumerate(pyramid(grey.grey(x), self.levels))
    ]
    highest = jnp.max(jnp.stack(maps), axis=0)
    return base.Prediction(**positions.highest(RULE, highest))

  def _enlarged(self, level: int, energy: jax.Array) -> jax.Array:
    """Brings energies [B, h, w] of a level to the size of pictures."""
    pixel = 2**level  # Of this level, in pixels of the picture.
    centres = positions.of_windows(energy.shape[1:], pixel * SIDE, pixel)
    return image_errors.enlarged(energy, self.size, 0, centres)


def _name(level: int) -> str:
  return f'level{level}'


def depth(size: Sequence[int], most: int) -> int:
  """Returns how many levels of a pyramid are as large as a patch.

  Args:
    size: rows and columns of a picture, at least `SIDE`.
    most: levels at most.
  """
  return sum(min(size[:2]) >> level >= SIDE for level in range(most))


def pyramid(pictures, levels: int) -> list:
  """Returns pictures [B, H, W] and their smaller versions, the largest first.

  Each level has the means of 2 x 2 pixels of the one before; an odd row or
  column at the end is left out.

  Args:
    pictures: in NumPy or in JAX.
    levels: how many.
  """
  found = [pictures]
  for _ in range(levels - 1):
    last = found[-1]
    height, width = (n // 2 for n in last.shape[1:])
    cells = last[:, : 2 * height, : 2 * width]
    cells = cells.reshape(-1, height, 2, width, 2)
    found.append(cells.mean(axis=(2, 4)))
  return found


def windows(pictures: np.ndarray, count: int, rng) -> np.ndarray:
  """Draws patches of pictures, each less its mean.

  Args:
    pictures: [n, H, W].
    count: of patches at most.
    rng: for which ones, and their order.

  Returns:
    [m, SIDE^2].
  """
  views = np.lib.stride_tricks.sliding_window_view(
    pictures, (SIDE, SIDE), axis=(1, 2)
  )
  places = views.shape[:3]
  total = int(np.prod(places))
  chosen = rng.choice(total, min(total, count), replace=False)
  rows = views[np.unravel_index(chosen, places)].reshape(-1, SIDE**2)
  return rows - rows.mean(axis=1, keepdims=True)


def projection(rng: np.random.Generator) -> np.ndarray:
  """Draws [DIMENSIONS, SIDE^2], unit vectors at right angles that sum to 0.

  So patches need not be without their means to be projected.
  """
  drawn = rng.normal(size=(SIDE**2, DIMENSIONS))
  return np.linalg.qr(drawn - drawn.mean(axis=0))[0].T


def fitted_level(
  pictures: np.ndarray, components: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
  """Fits a mixture to patches of the pictures of a level.

  Args:
    pictures: [n, h, w] float64.
    components: Gaussians; where there are fewer patches, as many as these, and
      the others weigh nothing.
    rng: for what is random.

  Returns:
    The variables of a level, see `GmmTexture.init`, float32.
  """
  held = max(1, len(pictures) // _HELD_OUT) if len(pictures) > 1 else 0
  order = rng.permutation(len(pictures))
  fit = windows(pictures[order[held:]], MOST, rng)
  rest = windows(pictures[order[:held]], MOST, rng) if held else fit
  directions = projection(rng)
  codes = fit @ directions.T
  mixture = sklearn.mixture.GaussianMixture(
    min(components, len(codes)),
    random_state=int(rng.integers(2**31)),
  )
  # One thread rounds alike wherever it runs; rows so short hardly need more.
  with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1, 'blas'):
    # Of patches that are alike, and of fits that still gain a little.
    kind = sklearn.exceptions.ConvergenceWarning
    warnings.simplefilter('ignore', kind)
    mixture.fit(codes)
  energy = -mixture.score_samples(rest @ directions.T)
  deviation = energy.std() if energy.std() > _LEAST else 1.0
  fitted = {
    'kernels': directions.T.reshape(SIDE, SIDE, 1, DIMENSIONS),
    **arrays(mixture, components),
    'mean': energy.mean(),
    'deviation': deviation,
  }
  return jax.tree.map(np.float32, fitted)


def arrays(mixture: Any, count: int) -> dict[str, np.ndarray]:
  """Returns what `energies` needs of a mixture of scikit-learn.

  Args:
    mixture: fitted, of `DIMENSIONS` dimensions.
    count: components that there is room for; those beyond weigh nothing.

  Returns:
    means: [count, DIMENSIONS]. whiten: [count, DIMENSIONS, DIMENSIONS] Cholesky
      factors of the precisions. weights: [count] logarithms of the densities at
      the means, times the weights.
  """
  missing = count - len(mixture.weights_)
  whiten = mixture.precisions_cholesky_
  diagonal = np.diagonal(whiten, axis1=1, axis2=2)
  weights = np.log(mixture.weights_) + np.log(diagonal).sum(axis=1)
  weights -= DIMENSIONS * np.log(2 * np.pi) / 2
  return {
    'means': np.pad(mixture.means_, ((0, missing), (0, 0))),
    'whiten': np.pad(whiten, ((0, missing), (0, 0), (0, 0))),
    'weights': np.pad(weights, (0, missing), constant_values=_ABSENT),
  }


def energies(pictures: jax.Array, level: dict[str, jax.Array]) -> jax.Array:
  """Returns the standardised negative log-likelihoods of patches.

  Args:
    pictures: [B, h, w] of a level.
    level: variables of the level.

  Returns:
    [B, h - SIDE + 1, w - SIDE + 1] float32, in deviations.
  """
  exact = jax.lax.Precision.HIGHEST
  # The mean of a picture is no part of its patches, and would be rounded.
  pictures = pictures - jnp.mean(pictures, axis=(1, 2), keepdims=True)
  codes = jax.lax.conv_general_dilated(
    pictures[..., None],
    level['kernels'],
    window_strides=(1, 1),
    padding='VALID',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    precision=exact,
  )

  rows = codes.reshape(-1, DIMENSIONS)

  def of_component(one):
    mean, whiten, weight = one
    white = jnp.matmul(rows - mean[None], whiten, precision=exact)
    return weight - jnp.sum(white**2, axis=1) / 2

  # One at a time: rows are as many as pixels.
  found = jax.lax.map(
    of_component, (level['means'], level['whiten'], level['weights'])
  )
  energy = -jax.nn.logsumexp(found, axis=0).reshape(codes.shape[:-1])
  return (energy - level['mean']) / level['deviation']
