"""Reasons for the scores of a bank: its nearest slots, and whose they are.

Of a bank of several kinds of features the slots are those of the first kind.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses
from memae_jax.estimators import fitted, reasons
from memae_jax.methods import base

FAMILY = 'bank'
_ROOM = 2**24  # Distances at a time.
_MOST = 2**38  # Products of a search: seconds of a core or two.


def explain(
  found: fitted.Fitted, array: np.ndarray, count: int
) -> reasons.Explanation:
  """Explains the scores of samples.

  Args:
    found: the fitted bank.
    array: [n, ...] samples, see `in_memory.raw`.
    count: how many slots are named, at most all of them.
  """
  exp, _ = found.built()
  prepared = found.prepared(array)
  scored = found.predict(prepared, ('maps',))
  size, known = len(prepared), losses.map_of(exp.map_rule, scored.maps)
  method, variables, slots = _parts(found)
  most, named = min(count, len(slots)), []
  transform, block = exp.splits[0].transform, exp.config.eval.batch_size
  for _, x in reasons.batches(prepared, transform, block):
    named.append(np.asarray(_nearest(method, variables, x, most)))
  index = np.concatenate(named)[:size]
  first = index[:, 0, 0]
  if index.shape[1] == 1:  # One query per sample.
    index = index[:, 0]
  whole = _as_samples(exp, slots)
  return reasons.Explanation(
    score=found.score(scored, size),
    reconstruction=None if whole is None else whole[first],
    errors=None if known is None else np.asarray(known)[0, :size],
    slots=index,
    samples=None if found.near is None else found.near[index],
  )


def memory(found: fitted.Fitted) -> reasons.Memory:
  """Returns the slots of a bank, and the samples that they stand for."""
  exp, _ = found.built()
  _, _, slots = _parts(found)
  return reasons.Memory(slots, _as_samples(exp, slots), found.near)


def nearest_samples(
  found: fitted.Fitted, most: int = _MOST
) -> np.ndarray | None:
  """Returns [N, m] rows of the training samples nearest to each slot.

  Of samples with positions the nearest of these counts. None where the search
  would take more than the fit.

  Args:
    found: the fitted bank; its samples are at hand.
    most: products of numbers that the search may take.
  """
  exp, _ = found.built()
  method, variables, slots = _parts(found)
  train = exp.splits[0].train
  positions = math.prod(method.forms[0][:-1])
  if slots.size * len(train) * positions > most:
    return None
  centre = slots.mean(axis=0)[None, None]
  room = _ROOM // (positions * len(slots))
  size = min(exp.config.eval.batch_size, max(room, 1))
  transform, inputs = exp.splits[0].transform, exp.source.inputs[train]
  parts = (
    (train[place], np.asarray(_distances(method, x, slots, centre)).T)
    for place, x in reasons.batches(inputs, transform, size)
  )
  parts = ((at, far[:, : len(at)]) for at, far in parts)
  return reasons.nearest_rows(parts, len(slots))


def _parts(found: fitted.Fitted) -> tuple[Any, base.Variables, np.ndarray]:
  """Returns the bank, its variables, and the slots [N, C] that it has."""
  exp, _ = found.built()
  method: Any = exp.trainer.method
  variables = exp.programs.one(found.weights, 0).variables
  own = base.leaf(variables, method.parts[0].slots.path)
  return method, variables, np.asarray(own['slots'])[: int(own['count'])]


def _as_samples(exp: Any, slots: np.ndarray) -> np.ndarray | None:
  """Returns slots as samples in the units of X; None of other features."""
  options, shape = exp.config.methods.bank, exp.source.inputs.shape[1:]
  if options.features != 'raw' or options.also:
    return None
  return reasons.in_units(exp, slots.reshape(-1, *shape))


def _named(method: Any, variables: Any, x: jax.Array, count: int) -> jax.Array:
  """Returns the nearest slots [B, P, count] of samples."""
  part = method.parts[0]
  features = part.extract(x)
  queries = features.reshape(-1, features.shape[-1])
  own = base.leaf(variables, part.slots.path)
  index = part.slots.near(own, queries, count).index
  return index.reshape(len(x), -1, count)


def _far(method: Any, x: jax.Array, slots: Any, centre: Any) -> jax.Array:
  """Returns squared distances [B, N] of samples, by their nearest positions.

  All is around a centre [1, 1, C], so that offsets of features cost no digits.
  """
  features = method.parts[0].extract(x)
  queries = features.reshape(len(x), -1, features.shape[-1]) - centre
  near = slots - centre[0]
  product = jnp.matmul(queries, near.T, precision=jax.lax.Precision.HIGHEST)
  lengths = jnp.sum(queries**2, axis=-1, keepdims=True)
  squared = lengths + jnp.sum(near**2, axis=-1)[None, None] - 2 * product
  return jnp.min(squared, axis=1)


_nearest = jax.jit(_named, static_argnums=(0, 3))
_distances = jax.jit(_far, static_argnums=0)
