"""Weighted sums and products of several scores of a sample.

Scores have units of their own, so each is standardised first, by validation
normals: neither test samples nor labels play a role. A row that lacks a score,
such as an autoencoder the distance to a memory, is given by those that it has.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses
from memae_jax.runtime import errors

_LEAST = 1e-12  # Least deviation or mean that a score is divided by.


class Part(NamedTuple):
  """One of the scores that are combined.

  rule: its name. share: its weight. mean, deviation: of validation normals.
  lowest: of these, the lowest score.
  """

  rule: str
  share: float
  mean: float
  deviation: float
  lowest: float


def fit(options: Any, normals: Mapping[str, np.ndarray]) -> tuple[Part, ...]:
  """Returns the standardised parts of `eval.parts` that a row has.

  Args:
    options: `config.eval`.
    normals: [V] scores of validation normals, by rule.

  Raises:
    UserError: there are fewer than two validation normals, or a product is
      asked for and a score of one is negative.
  """
  shares = options.shares or (1.0,) * len(options.parts)
  wanted = dict(zip(options.parts, shares))
  parts = []
  for rule, share in wanted.items():
    if rule not in normals:
      continue
    values = np.asarray(normals[rule], np.float64)
    if len(values) < 2:
      raise errors.UserError(
        'config field "eval.parts" is set, but a split has fewer than two'
        ' validation normals to standardise scores by; raise'
        ' data.validation_fraction'
      )
    deviation = max(float(values.std()), _LEAST)
    lowest = float(values.min())
    if lowest < 0 and options.score == losses.PRODUCT:
      raise errors.UserError(
        f'config field "eval.score" is "product", but score "{rule}" of a'
        ' validation normal is negative; use "sum"'
      )
    parts.append(Part(rule, share, float(values.mean()), deviation, lowest))
  return tuple(parts)


def scores(
  parts: tuple[Part, ...], by_rule: Mapping[str, jax.Array]
) -> dict[str, jax.Array]:
  """Returns the sum and, where no normal has a negative score, the product.

  Args:
    parts: from `fit`.
    by_rule: [B] scores by rule, NumPy or JAX.

  Returns:
    [B] each: the sum of share * (score - mean) / deviation, and the logarithm
    of the product of (score / mean) ** share. {} without parts.
  """
  if not parts:
    return {}
  standard = [p.share / p.deviation * (by_rule[p.rule] - p.mean) for p in parts]
  out = {losses.SUM: sum(standard[1:], standard[0])}
  if min(p.lowest for p in parts) >= 0:
    # In logarithms, so that many small factors do not become 0.
    logs = [
      p.share * _log(by_rule[p.rule] / max(p.mean, _LEAST)) for p in parts
    ]
    out[losses.PRODUCT] = sum(logs[1:], logs[0])
  return out


def _log(ratio):
  lib = jnp if isinstance(ratio, jax.Array) else np
  return lib.log(lib.maximum(ratio, _LEAST))
