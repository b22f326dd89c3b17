"""Differences between output and target: losses, scores, maps of errors.

Everything starts from one map of errors of a sample. Its mean can train a
network (`train.loss`), a reduction of it is an anomaly score (`eval.score`),
and its mean over the channels is the picture of what is wrong.

Published numbers on videos come from several reductions, which rank clips
differently; each has a name here. Reductions of videos take model inputs and
reconstructions [B, T, H, W, C] in [-1, 1].
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from memae_jax import image_errors
from memae_jax.runtime import catalogue

MEMORY = 'memory_distance'  # Name of the rule that only memories have.
SUM, PRODUCT = COMBINED = 'sum', 'product'  # Rules of `eval.parts`.
TABLE, IMAGE, CLIP = 2, 4, 5  # Axes of a batch of samples.
FRAME = -IMAGE  # A batch of images that are frames of videos.
_LEAST = 1e-10  # Least mean squared error in [0, 1], so at most 100 dB.


def scored_frame(clips: jax.Array) -> jax.Array:
  """Returns the frames [B, ...] that the scores of clips [B, T, ...] belong to.

  It is the middle frame: the one of index 8 of 16, as in the released code.
  """
  return clips[:, clips.shape[1] // 2]


def around_scored(clips: jax.Array, count: int) -> jax.Array:
  """Returns the `count` frames of clips [B, T, ...] around the scored ones.

  Among these the scored frame is the one of `scored_frame`, too.
  """
  first = clips.shape[1] // 2 - count // 2
  return clips[:, first : first + count]


def squared(x: jax.Array, output: jax.Array) -> jax.Array:
  """Returns the squared error of each element.

  Args:
    x: [B, ...] the target.
    output: [B, ...].

  Returns:
    [B, ...] float32; float64 if an argument is.
  """
  error = output - x
  return error.astype(jnp.promote_types(jnp.float32, error.dtype)) ** 2


def frame_means(errors: jax.Array) -> jax.Array:
  """Returns the mean error of each frame.

  Args:
    errors: [B, T, ...]; of samples that are no clips, each index of axis 1
      takes the place of a frame.

  Returns:
    [B, T].
  """
  return jnp.mean(errors, axis=range(2, errors.ndim))


def mean(errors: jax.Array) -> jax.Array:
  """Returns the [B] mean over the elements of a sample.

  It is equation 8 of the paper divided by the number of elements.
  """
  return jnp.mean(frame_means(errors), axis=1)


def pixels(errors: jax.Array) -> jax.Array:
  """Returns the mean of the errors over the channels.

  Args:
    errors: [B, H, W, C], or [B, T, H, W, C], or [B, D].

  Returns:
    [B, H, W]; of clips, for the scored frame. Rows of tables, [B, D], stay as
    they are.
  """
  if errors.ndim == TABLE:
    return errors
  return jnp.mean(
    scored_frame(errors) if errors.ndim == CLIP else errors, axis=-1
  )


def _mae_clip(errors: jax.Array) -> jax.Array:
  """Returns the mean length of a pixel's error: released code since April 2021.

  With one channel it is the mean absolute error over all frames of the clip.
  """
  return jnp.mean(jnp.sqrt(jnp.sum(errors, axis=-1)), axis=(1, 2, 3))


def _release2019(errors: jax.Array) -> jax.Array:
  """Returns the mean over pixels of the error's length over time, as in 2019.

  It is in units of [0, 1]. As in the code of 2019, the squares of the frames
  are summed and not averaged: it grows with the root of T.
  """
  return jnp.mean(jnp.sqrt(jnp.sum(errors / 4, axis=1)), axis=(1, 2, 3))


def _mse_centre(errors: jax.Array) -> jax.Array:
  """Returns the mean squared error of the scored frame."""
  return scored_frame(frame_means(errors))


def _psnr_centre(errors: jax.Array) -> jax.Array:
  """Returns minus the peak signal-to-noise ratio of the scored frame, in dB.

  It is the logarithm of `mse_centre`, so it has the same ROC, but not after
  the scores of each video are normalised.
  """
  return decibels(_mse_centre(errors))


def decibels(error: jax.Array) -> jax.Array:
  """Returns minus the PSNR of inputs in [-1, 1], in dB, by their mean error."""
  unit = error / 4  # To units of [0, 1].
  return 10 * jnp.log10(jnp.maximum(unit, _LEAST))


@dataclasses.dataclass(frozen=True)
class Rule:
  """A reduction of a map of errors; higher is more anomalous.

  Attributes:
    name: in configs and results.
    title: in reports.
    definition: a sentence for readers of a report, with the unit.
    errors: (target [B, ...], output) -> [B, ...] the map of errors; None for
      a score that is no error and that only some methods have.
    reduce: map of errors -> [B]; -> [B, T] where `over_clips`.
    of_pixels: a sentence that says what its map of errors shows.
    axes: numbers of axes of the batches it fits: `TABLE`, `IMAGE`, `CLIP`; or
      `FRAME`, which rules of images fit as well.
    trains: whether its mean over a batch can be minimised.
    over_clips: whether the score of a frame is the mean over all clips that
      hold it; this needs whole videos.
    scalings: values of `data.scaling` under which it means what it says;
      empty: under all.
    outputs: values of `model.output_activation` with which it trains; empty:
      all.
    of_map: whether it reduces the map that a method has, whatever that is of,
      see `frame_scores`.
  """

  name: str
  title: str
  definition: str
  errors: Callable[[jax.Array, jax.Array], jax.Array] | None = squared
  reduce: Callable[[jax.Array], jax.Array] = mean
  of_pixels: str = (
    'squared error of each pixel, mean over the channels, in squared units of'
    ' the model input'
  )
  axes: tuple[int, ...] = (TABLE, IMAGE, CLIP)
  trains: bool = False
  over_clips: bool = False
  scalings: tuple[str, ...] = ()
  outputs: tuple[str, ...] = ()
  of_map: bool = False

  def score(self, target: jax.Array, output: jax.Array) -> jax.Array:
    """Returns the scores [B] of outputs; the rule has `errors`."""
    return self.reduce(self.errors(target, output))


_RULES = catalogue.Catalogue[Rule]('score rule')
register, names, find = _RULES.register, _RULES.names, _RULES.find


def fitting(axes: int, scaling: str | None = None) -> tuple[Rule, ...]:
  """Returns the rules for outputs of some form.

  Args:
    axes: how many axes their batches have, or `FRAME`.
    scaling: `data.scaling` of the inputs; None: whatever it is.
  """
  fit = {axes, abs(axes)}
  rules = [r for r in map(find, names('errors')) if fit & set(r.axes)]
  return tuple(
    rule
    for rule in rules
    if scaling is None or not rule.scalings or scaling in rule.scalings
  )


def of(target: jax.Array, output: jax.Array) -> dict[str, dict[str, jax.Array]]:
  """Returns the `scores` and `maps` of a `Prediction` by every fitting rule.

  One pass over the network serves them all.

  Args:
    target: [B, ...] what the output should be.
    output: [B, ...].
  """
  scores, maps, errors = {}, {}, {}
  for rule in fitting(target.ndim):
    if rule.errors not in errors:
      errors[rule.errors] = rule.errors(target, output)
      maps[rule.name] = pixels(errors[rule.errors])
    scores[rule.name] = rule.reduce(errors[rule.errors])
  return {'scores': scores, 'maps': maps}


def map_of(name: str, maps: dict[str, jax.Array]) -> jax.Array | None:
  """Returns the map of a rule: its own, or that of a rule with the same errors.

  Rules of any map have that of squared errors, or else the first.

  Args:
    name: of the rule.
    maps: by name of the rule, from a `Prediction`.

  Returns:
    The map, or None where `maps` has neither.
  """
  rule = _RULES.get(name)
  if rule is not None and rule.of_map:
    return maps.get('mse', next(iter(maps.values()), None))
  if name in maps or rule is None:
    return maps.get(name)
  known = [other for other in map(_RULES.get, maps) if other is not None]
  same = [other.name for other in known if other.errors is rule.errors]
  return maps[same[0]] if same else None


register(
  Rule(
    'mse',
    'Mean squared error',
    'mean over the elements of a sample of the squared reconstruction error,'
    ' in squared units of the model input',
    trains=True,
  ),
  Rule(
    'mae_clip',
    "Mean length of a pixel's error (released code since 2021)",
    'mean over all pixels and frames of a clip of the length of the error over'
    ' the channels, in units of the model input',
    reduce=_mae_clip,
    axes=(CLIP,),
  ),
  Rule(
    'release2019',
    'Mean length of the error over time (released code of 2019)',
    'mean over the pixels of the length of the error over the frames of a'
    ' clip, in units of [0, 1]',
    reduce=_release2019,
    axes=(CLIP,),
  ),
  Rule(
    'mse_centre',
    'Mean squared error of the scored frame',
    'mean squared error of the scored frame, in squared units of the model'
    ' input',
    reduce=_mse_centre,
    axes=(CLIP,),
  ),
  Rule(
    'psnr_centre',
    'Minus its peak signal-to-noise ratio',
    'minus the peak signal-to-noise ratio of the scored frame, in decibels',
    reduce=_psnr_centre,
    axes=(CLIP,),
  ),
  Rule(
    'mse_averaged',
    'Mean squared error of the scored frame in all its clips',
    'mean squared error of the scored frame, mean over all the clips that hold'
    ' it, in squared units of the model input',
    reduce=frame_means,
    axes=(CLIP,),
    over_clips=True,
  ),
)
_PIXELS = 'mean over the channels'
_CELLS = f'squared error of each pixel, {_PIXELS}; of a bank, its distance'
register(
  Rule(
    'psnr',
    'Negative peak signal-to-noise ratio',
    'minus the peak signal-to-noise ratio of a single or predicted frame whose'
    ' values have a range of 2, in dB',
    reduce=lambda errors: decibels(mean(errors)),
    axes=(FRAME,),
  ),
  Rule(
    'max_cell',
    'Largest cell',
    'largest value in the map of the scored frame: of squared errors, mean over'
    ' the channels; of a bank that rebuilds nothing, of distances',
    errors=None,
    of_pixels=_CELLS,
    of_map=True,
  ),
  Rule(
    'largest_cells',
    'Mean of the largest cells',
    'mean of the largest values (eval.largest_cells) in the map of the scored'
    ' frame: of squared errors, mean over the channels; of a bank that rebuilds'
    ' nothing, of distances',
    errors=None,
    of_pixels=_CELLS,
    of_map=True,
  ),
)
register(
  Rule(
    'blur_unit',
    'Distance of blurred, unit-norm images',
    'squared distance between image and reconstruction, both in [0, 1], blurred'
    f' by a Gaussian of {image_errors.SIGMA:g} pixel and divided by their L2'
    ' norms: 0 for the same direction, 2 for nothing in common',
    errors=image_errors.blur_unit,
    of_pixels='share of each pixel in the distance of the blurred, unit-norm'
    f' images, times the number of pixels, {_PIXELS}',
    axes=(IMAGE,),
    trains=True,
    scalings=('fixed',),
  ),
  Rule(
    'contrast_unit',
    'Distance of images of mean 0 and norm 1',
    'squared distance between image and reconstruction, both less their means'
    ' and divided by their L2 norms: 0 for the same direction, 2 for no'
    ' correlation, 4 for the negative',
    errors=image_errors.contrast_unit,
    of_pixels='share of each pixel in the distance of the images of mean 0 and'
    f' norm 1, times the number of pixels, {_PIXELS}',
    axes=(IMAGE,),
    trains=True,
  ),
  Rule(
    'ssim',
    'Structural dissimilarity',
    '1 minus the structural similarity (windows of'
    f' {image_errors.WINDOW} x {image_errors.WINDOW} pixels, values in [0, 1]),'
    ' mean over the pixels: 0 for the same image, at most 2',
    errors=image_errors.ssim,
    of_pixels=f'1 minus the structural similarity of each pixel, {_PIXELS}',
    axes=(IMAGE,),
    trains=True,
    scalings=('fixed',),
  ),
  Rule(
    'gradient',
    'Error of the gradients',
    'mean over the pixels of the squared error of the differences to the next'
    ' pixel below and to the right, in squared units of the model input',
    errors=image_errors.gradient,
    of_pixels='squared error of the differences of each pixel to the next ones,'
    f' {_PIXELS}, in squared units of the model input',
    axes=(IMAGE,),
    trains=True,
  ),
  Rule(
    'bce',
    'Binary cross-entropy',
    'mean over the elements of the binary cross-entropy of input and'
    ' reconstruction, both in [0, 1], less the entropy of the input, in nats: 0'
    ' for the same image',
    errors=image_errors.cross_entropy,
    of_pixels='binary cross-entropy of each pixel less the entropy of the'
    f' input, {_PIXELS}, in nats',
    axes=(IMAGE,),
    trains=True,
    scalings=('minmax',),
    outputs=('sigmoid',),
  ),
)
register(
  Rule(
    'feature_error',
    'Error of the features',
    'mean over the dimensions of the squared error of standardised features, 1'
    ' for their mean on training normals; of positions, that of the worst',
    errors=None,
    of_pixels='error of the features of each position, brought to the size of'
    ' the picture and blurred',
  )
)
register(
  Rule(
    'mahalanobis',
    'Mahalanobis distance',
    'distance of the features to their mean on training normals, in deviations'
    ' along the axes of their covariance; of positions, that of the farthest',
    errors=None,
    of_pixels='Mahalanobis distance of each position, brought to the size of'
    ' the picture and blurred',
  )
)
# Scores of classical methods that are no errors, see `methods.fitted`.
register(
  Rule(
    'kde',
    'Kernel density',
    'negative log of the sum of Gaussian kernels on the leading components, in'
    ' nats',
    errors=None,
  ),
  Rule(
    'ocsvm',
    'Distance to the surface',
    'negative distance to the surface of a one-class support vector machine',
    errors=None,
  ),
  Rule(
    'isolation_forest',
    'Isolation',
    'two to the power of minus the mean path length over that of an'
    ' unsuccessful search',
    errors=None,
  ),
)
register(
  Rule(
    MEMORY,
    'Distance to the memory',
    'distance to the nearest slots: of a bank Euclidean, between features or'
    ' encodings, times the weight of the slot if it has one, mean over the'
    ' neighbours; of several kinds of features the weighted sum, each less its'
    ' mean on training features and over its deviation; of an autoencoder'
    ' between the directions of code and slot; of positions that of the'
    ' farthest one, but of an autoencoder of pixels their mean',
    errors=None,
    of_pixels='distance of each patch to the nearest slots, or the sum over'
    ' several kinds of patches, brought to the size of the picture and blurred',
  )
)
register(
  Rule(
    SUM,
    'Weighted sum of standardised scores',
    'sum of the scores in eval.parts, each less its mean and divided by its'
    ' deviation on validation normals, times its share; parts that a method'
    ' lacks are left out',
    errors=None,
  ),
  Rule(
    PRODUCT,
    'Weighted product of scores',
    'logarithm of the product of the scores in eval.parts, each divided by its'
    ' mean on validation normals, to the power of its share; parts that a'
    ' method lacks are left out',
    errors=None,
  ),
)
