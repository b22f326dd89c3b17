"""Features of pictures by the frozen network: of the whole, or of positions."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from memae_jax import image_errors
from memae_jax.features import lite0
from memae_jax.memory import addressing

# As trials found them: deep outputs tell what is on a picture, shallow ones
# what a surface is like.
WHOLE, MAPS = ('head',), ('b2', 'b4', 'b10')
SIDE = 128  # Pixels to which whole pictures are brought.


def _pictures(x: jax.Array, side: int) -> jax.Array:
  """Brings images in [-1, 1] to 0 .. 255, and to another size if `side` is.

  They are rounded as files are, but have a gradient as if they were not.
  """
  x = image_errors.to_unit(x) * 255
  x += jax.lax.stop_gradient(jnp.round(x) - x)
  return lite0.resized(x, side) if side else x


def whole(
  weights: Mapping[str, jax.Array], names: Sequence[str] = (), side: int = 0
) -> Callable[[jax.Array], jax.Array]:
  """Returns the features of whole pictures: means over positions, of norm 1.

  Args:
    weights: from `weights.load`.
    names: of outputs of the network, joined; none: the head.
    side: pixels to which pictures are brought; 0: `SIDE`.

  Returns:
    A function of [B, H, W, C] images in [-1, 1] to [B, D] unit vectors.
  """
  names = tuple(names) or WHOLE
  weights = lite0.select(weights, names)

  def extract(x):
    outputs = lite0.features(weights, _pictures(x, side or SIDE), names)
    means = [jnp.mean(outputs[name], axis=(1, 2)) for name in names]
    return addressing.normalise(jnp.concatenate(means, axis=1))

  return extract


def maps(
  weights: Mapping[str, jax.Array], names: Sequence[str] = (), side: int = 0
) -> Callable[[jax.Array], jax.Array]:
  """Returns the features of positions, as PatchCore has them.

  Each output is averaged over 3 x 3 positions, brought to the positions of the
  first one, and joined (Roth et al. 2022, "Towards total recall").

  Args:
    weights: from `weights.load`.
    names: of outputs of the network; none: `MAPS`.
    side: pixels to which pictures are brought; 0: as they are.

  Returns:
    A function of [B, H, W, C] images in [-1, 1] to [B, h, w, D].
  """
  names = tuple(names) or MAPS
  weights = lite0.select(weights, names)

  def extract(x):
    outputs = lite0.features(weights, _pictures(x, side), names)
    height, width = outputs[names[0]].shape[1:3]
    joined = []
    for name in names:
      part = image_errors.box(outputs[name], 3)
      size = len(x), height, width, part.shape[-1]
      joined.append(jax.image.resize(part, size, 'linear', antialias=False))
    return jnp.concatenate(joined, axis=-1)

  return extract
