"""Reasons for a score: errors, reconstruction, slots and training samples."""

import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.utils import validation

from memae_jax import losses
from memae_jax.data.tables import columns
from memae_jax.estimators import bank_reasons, calls, fitted, reasons
from memae_jax.memory import addressing
from memae_jax.methods import registry
from memae_jax.runtime import errors
from memae_jax.training import experiment

FAMILY = 'autoencoder'
_FAMILIES = FAMILY, bank_reasons.FAMILY


class Explained:
  """Estimators that say what their scores are made of.

  Attributes:
    fitted_: the fitted network.
    verbose: see `detector.Detector`.
  """

  fitted_: fitted.Fitted
  verbose: int

  def _checked(self, X: Any) -> np.ndarray:
    """Returns samples as an array of numbers."""
    raise NotImplementedError

  def explain(self, X: Any, slots: int = 3) -> reasons.Explanation:
    """Returns what the scores of samples are made of.

    Args:
      X: [n, D], [n, H, W] or [n, H, W, C], as `fit` had them.
      slots: how many of the nearest slots of a memory are named.

    Raises:
      ValueError: the method is neither an autoencoder of this kind nor a bank,
        or the samples do not fit.
    """
    validation.check_is_fitted(self)
    with calls.guarded(self.verbose):
      found = explain(self.fitted_, self._checked(X), slots)
      return found._replace(columns=_columns(self.fitted_))

  def memory(self) -> reasons.Memory:
    """Returns the slots of the memory, and what they stand for.

    Raises:
      ValueError: the method is neither an autoencoder with a memory nor a bank.
    """
    validation.check_is_fitted(self)
    with calls.guarded(self.verbose):
      return memory(self.fitted_)


def memory(found: fitted.Fitted) -> reasons.Memory:
  """Returns what the memory of a fitted network holds.

  Raises:
    UserError: the method is of another family, or has no memory.
  """
  exp, _ = found.built()
  replica = exp.replicas[0]
  if exp.family not in _FAMILIES or not replica.has_memory:
    raise errors.UserError(
      f'method "{replica.variant}" has no memory that is read here; these have:'
      ' memae, nonspar, bank'
    )
  if exp.family == bank_reasons.FAMILY:
    return bank_reasons.memory(found)
  (slots,) = exp.programs.slots(found.weights, 0).values()
  variables = exp.programs.one(found.weights, 0).variables
  decoded = _decoded(_method(exp), variables, slots)
  if decoded is not None:
    decoded = reasons.in_units(exp, np.asarray(decoded))
  return reasons.Memory(np.asarray(slots), decoded, found.near)


def _check_family(exp: experiment.Experiment) -> None:
  """Raises UserError unless the method is of a family that explains."""
  if exp.family not in _FAMILIES:
    raise errors.UserError(
      f'method "{exp.replicas[0].variant}" has no explanation; these have:'
      f' {", ".join(_explained())}'
    )


def explain(
  found: fitted.Fitted, array: np.ndarray, count: int
) -> reasons.Explanation:
  """Explains the scores of samples.

  Args:
    found: the fitted network.
    array: [n, ...] samples, see `in_memory.raw`.
    count: how many slots are named.

  Raises:
    UserError: the method is of another family, or `count` is no count.
  """
  exp, _ = found.built()
  _check_family(exp)
  if count < 1:
    raise errors.UserError(f'slots is {count}; use 1 or more')
  if exp.family == bank_reasons.FAMILY:
    return bank_reasons.explain(found, array, count)
  prepared = found.prepared(array)
  scored = found.predict(prepared, ('maps', 'output'))
  size = len(prepared)
  maps = np.asarray(losses.map_of(exp.map_rule, scored.maps))
  output = np.asarray(scored.output)
  out = reasons.Explanation(
    score=found.score(scored, size),
    reconstruction=reasons.in_units(exp, output[0, :size]),
    errors=maps[0, :size],
  )
  if not exp.replicas[0].has_memory:
    return out
  slots, weights = _nearest(found, prepared, count)
  samples = None if found.near is None else found.near[slots]
  return out._replace(slots=slots, weights=weights, samples=samples)


def _columns(found: fitted.Fitted) -> list[str] | None:
  """Returns the names of the columns of a table, if they have names."""
  names = columns.input_names(found.built()[0].source.columns)
  unnamed = [f'input {i}' for i in range(len(names))]
  return None if names == unnamed else list(names)


def _explained() -> list[str]:
  """Returns the names of the methods that explain."""
  return [n for n in registry.names() if registry.find(n).family in _FAMILIES]


def find_near(found: fitted.Fitted) -> None:
  """Finds the training samples whose encodings are nearest to each slot.

  Args:
    found: its `near` is set, if it has a memory; its samples are at hand.
  """
  exp, _ = found.built()
  if exp.family == bank_reasons.FAMILY:
    found.near = bank_reasons.nearest_samples(found)
  if exp.family != FAMILY or not exp.replicas[0].has_memory:
    return
  train = exp.splits[0].train
  # Of a sample with positions the most similar of these counts.
  parts = (
    (train[place], -similar.max(axis=1).T)
    for place, similar in _blocks(found, exp.source.inputs[train])
  )
  found.near = reasons.nearest_rows(parts, exp.replicas[0].slots)


def _nearest(
  found: fitted.Fitted, prepared: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the most similar slots of samples, and their weights."""
  exp, _ = found.built()
  replica = exp.replicas[0]
  options = _method(exp).model.bank.options
  threshold = replica.threshold / replica.slots
  slots, weights = [], []
  for _, similar in _blocks(found, prepared):
    order = np.argsort(-similar, axis=-1, kind='stable')[..., :count]
    flat = similar.reshape(-1, similar.shape[-1])
    shrunk = addressing.address(
      jnp.asarray(flat), threshold, options.on_empty, options.shrink_gradient
    )
    all_weights = np.asarray(shrunk.weights).reshape(similar.shape)
    slots.append(order)
    weights.append(np.take_along_axis(all_weights, order, axis=-1))
  both = np.concatenate(slots), np.concatenate(weights)
  if both[0].shape[1] == 1:  # One query per sample.
    return both[0][:, 0], both[1][:, 0]
  return both


def _method(exp: experiment.Experiment) -> Any:
  """Returns the method, which is an `Autoencoder`."""
  return exp.trainer.method


def _blocks(
  found: fitted.Fitted, prepared: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
  """Yields places and similarities [B, P, N] of blocks of samples."""
  exp, _ = found.built()
  method = _method(exp)
  variables = exp.programs.one(found.weights, 0).variables
  transform, size = exp.splits[0].transform, exp.config.eval.batch_size
  for place, x in reasons.batches(prepared, transform, size):
    similar = np.asarray(_similar(method, variables, x))
    yield place, similar[: place.stop - place.start]


def _similarities(method: Any, variables: Any, x: jax.Array) -> jax.Array:
  """Returns similarities [B, P, N] of queries and slots, over temperature."""
  queries, slots = method.embed(variables, x)
  options = method.model.bank.options
  flat = queries.reshape(-1, queries.shape[-1])
  similar = addressing.similarities(
    flat, slots, options.similarity, options.temperature
  )
  return similar.reshape(len(x), math.prod(queries.shape[1:-1]), -1)


def _decode(method: Any, variables: Any, slots: jax.Array) -> Any:
  """Returns slots through the decoder, or None, see `decode_slots`."""
  return method.decode_slots(variables, slots)


_similar = jax.jit(_similarities, static_argnums=0)
_decoded = jax.jit(_decode, static_argnums=0)
