"""Rules by which errors are reduced, and the catalogue of them."""

import dataclasses
from collections.abc import Callable

import jax

from memae_jax.losses import reductions
from memae_jax.runtime import catalogue

MEMORY = 'memory_distance'  # Name of the rule that only memories have.
_Errors = Callable[[jax.Array, jax.Array], jax.Array]
SUM, PRODUCT = COMBINED = 'sum', 'product'  # Rules of `eval.parts`.


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
  errors: Callable[[jax.Array, jax.Array], jax.Array] | None = (
    reductions.squared
  )
  reduce: Callable[[jax.Array], jax.Array] = reductions.mean
  of_pixels: str = (
    'squared error of each pixel, mean over the channels, in squared units of'
    ' the model input'
  )
  axes: tuple[int, ...] = (
    reductions.TABLE,
    reductions.IMAGE,
    reductions.CLIP,
  )
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


def of(
  target: jax.Array, output: jax.Array, *more: Rule
) -> dict[str, dict[str, jax.Array]]:
  """Returns the `scores` and `maps` of a `Prediction` by every fitting rule.

  One pass over the network serves them all.

  Args:
    target: [B, ...] what the output should be.
    output: [B, ...].
    *more: further rules, such as one that needs the weights of a network.
  """
  scores, maps, errors = {}, {}, {}
  for rule in dict.fromkeys((*fitting(target.ndim), *more)):
    if rule.errors not in errors:
      errors[rule.errors] = rule.errors(target, output)
      maps[rule.name] = reductions.pixels(errors[rule.errors])
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
  if name in maps or rule is None or rule.errors is None:
    return maps.get(name)
  known = [other for other in map(_RULES.get, maps) if other is not None]
  same = [other.name for other in known if other.errors is rule.errors]
  return maps[same[0]] if same else None
