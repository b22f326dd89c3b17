"""Scores of a fleet and of the baselines, on the same samples."""

import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from memae_jax import losses
from memae_jax.evaluation.metrics import detection, pixels
from memae_jax.evaluation.scoring import (
  baselines,
  clip_scores,
  pseudo_anomalies,
  scores,
)
from memae_jax.memory import usage
from memae_jax.methods import base
from memae_jax.runtime import errors
from memae_jax.training import experiment, run_folder, step

_MOST_PAIRED = 2**14  # Slots that are compared with each other.
_PASSES, _SECONDS = 5, 0.2  # Scoring is timed so often, or for so long.
_MAP_BYTES = 2**28  # Error maps are kept up to this, in the order of the fleet.


def _errors(
  exp, tested: base.Prediction, held_out: base.Prediction
) -> baselines.Errors:
  """The scores by `Experiment.rule`, without padding."""
  of = lambda scored, i, rows: clip_scores.by_rule(exp.source, scored, i, rows)[
    exp.rule
  ]
  return [
    (of(tested, i, s.test), of(held_out, i, s.validation))
    for i, s in enumerate(exp.splits)
  ]


def _tested(exp, weights, wanted) -> tuple[base.Prediction, float]:
  """Scores of the test samples, and the seconds that they take."""
  rows, passes = [s.test for s in exp.splits], []
  exp.programs.warm_up(weights, rows, wanted)  # Compiling is no scoring.
  # What takes milliseconds is timed again, since other work may delay it.
  while not passes or (len(passes) < _PASSES and sum(passes) < _SECONDS):
    begun = time.perf_counter()
    label = '' if passes else 'scoring'
    found = exp.programs.score(weights, rows, wanted, label)
    passes.append(time.perf_counter() - begun)
  return found, float(np.median(passes))


def _held_out(exp, weights) -> base.Prediction:
  return exp.programs.score(weights, [s.validation for s in exp.splits])


def thresholds(exp: experiment.Experiment, weights: Any) -> list[float | None]:
  """Returns the threshold of each replica, as evaluation flags by."""
  rows = [split.validation for split in exp.splits]
  normal = exp.programs.score(weights, rows)
  of = lambda i: clip_scores.by_rule(exp.source, normal, i, rows[i])[exp.rule]
  quantile = exp.config.eval.normal_quantile
  return [
    detection.threshold(of(i), quantile) for i in range(len(exp.replicas))
  ]


def chosen(
  exp: experiment.Experiment, state: step.ReplicaState, at: int
) -> tuple[step.Weights, Any]:
  """The weights that `eval.checkpoint` asks for, and the step [R] of each."""
  if exp.config.eval.checkpoint == 'validation':
    return step.weights(state.best), exp.programs.to_host(state.best.step)
  return step.weights(state), [at] * len(exp.replicas)


def restored(
  exp: experiment.Experiment, run: pathlib.Path, upto: int | None = None
) -> tuple[int, step.Weights, Any]:
  """Step of the newest sound checkpoint of a run, and what `chosen` gives.

  Of those up to a step, if there are any.
  """
  with run_folder.opened(exp, run) as checkpoints:
    at, state, _ = run_folder.trained(exp, checkpoints, run, upto)
  return at, *chosen(exp, state, at)


def untrained(exp: experiment.Experiment) -> baselines.Errors:
  """Scores of the fleet before its first step: test and validation."""
  weights = step.weights(exp.programs.init())
  tested = exp.programs.score(weights, [s.test for s in exp.splits])
  return _errors(exp, tested, _held_out(exp, weights))


def members(
  exp: experiment.Experiment,
  state: step.ReplicaState,
  at: int,
  run: pathlib.Path,
) -> list[tuple[experiment.Experiment, step.Weights, Any]]:
  """The families of a run, with the weights of each and the step of those.

  Args:
    exp: the experiment, of the first family.
    state: of its fleet.
    at: the step of that.
    run: folder of the run; the other families have their checkpoints there, of
      which the newest counts, or for an earlier step of the first family the
      newest up to that step.
  """
  upto = None if at == exp.steps else at
  others = [(other, *restored(other, run, upto)[1:]) for other in exp.others]
  return [(exp, *chosen(exp, state, at)), *others]


def networks(
  exp: experiment.Experiment, weights: step.Weights, steps: Sequence[int]
) -> tuple[list[scores.ReplicaScores], dict[str, Any], dict[str, Any]]:
  """Scores the fleet on its test sets.

  Args:
    exp: the experiment.
    weights: of the fleet.
    steps: [R] of the weights of each replica.

  Returns:
    The scores of each replica, memory statistics by replica name, and the
    throughput of scoring.
  """
  has_masks = exp.source.masks is not None
  tested, seconds = _tested(exp, weights, ('maps',) if has_masks else ())
  _check_top_k(exp, tested.totals)
  pairs = _errors(exp, tested, _held_out(exp, weights))
  samples = sum(len(split.test) for split in exp.splits)
  throughput = {
    'scored_samples': samples,
    'scoring_seconds': seconds,
    'samples_per_second': samples / seconds,
    'note': 'without compilation; all replicas together',
  }
  totals = [
    jax.tree.map(lambda x, i=i: x[i], tested.totals)
    for i in range(len(exp.replicas))
  ]
  memory = {
    replica.name: _memory(exp, weights, i, totals[i])
    for i, replica in enumerate(exp.replicas)
    if replica.has_memory
  }
  out = [
    _of_replica(exp, i, tested, pairs[i], totals[i])._replace(step=int(at))
    for i, at in enumerate(steps)
  ]
  out = _with_mean_errors(exp, _with_changed(exp, weights, pairs, out))
  return _with_maps(exp, tested, out), memory, throughput


def _of_replica(
  exp, index: int, tested: base.Prediction, pair, totals
) -> scores.ReplicaScores:
  """What one replica says of its test set, and of its validation normals."""
  replica, split = exp.replicas[index], exp.splits[index]
  score, validation_score = pair
  fields = replica._asdict()
  del fields['name']
  kept = usage = None
  if replica.has_memory:
    kept = tested.kept[index, : len(split.test)]
    usage = _first(totals).usage[: replica.slots]
  is_error = losses.find(exp.rule).errors is not None
  return scores.ReplicaScores(
    name=replica.name,
    fields={k: v for k, v in fields.items() if v is not None},
    score=score,
    anomalous=split.anomalous,
    sample=split.test,
    validation_score=validation_score,
    kept=kept,
    usage=usage,
    beyond_contrast=baselines.beyond_contrast(exp, index, *pair)
    if is_error
    else None,
    frames=clip_scores.frames(exp.source, split.test, score, split.anomalous),
    rules=clip_scores.by_rule(exp.source, tested, index, split.test)
    if exp.source.videos
    else None,
  )


def _with_changed(exp, weights, pairs, networks) -> list[scores.ReplicaScores]:
  """Adds the AUROCs of changed validation normals, see `pseudo_anomalies`."""
  shape = exp.source.inputs.shape[1:]
  if not exp.config.eval.pseudo or not pseudo_anomalies.kinds(shape):
    return networks
  held_out = [held for _, held in pairs]
  found = pseudo_anomalies.evaluate(exp, weights, held_out, exp.rule)
  return [r._replace(pseudo=own) for r, own in zip(networks, found)]


def _with_mean_errors(exp, networks) -> list[scores.ReplicaScores]:
  """Adds `mean_error`, which replicas of a split share."""
  if losses.find(exp.rule).errors is None:
    return networks
  keys = [(replica.seed, replica.normal_class) for replica in exp.replicas]
  splits = dict(zip(keys, exp.splits))
  found = {
    key: baselines.mean_error(exp, split) for key, split in splits.items()
  }
  return [r._replace(mean_error=found[key]) for r, key in zip(networks, keys)]


def _with_maps(exp, tested, networks) -> list[scores.ReplicaScores]:
  """Adds the maps of samples whose masks are known, and their metrics.

  Nothing is added where there are no masks or the method has no maps.
  """
  maps_of_all = losses.map_of(exp.rule, tested.maps)
  if exp.source.masks is None or maps_of_all is None:
    return networks
  room, out = _MAP_BYTES, []
  for i, (replica, split) in enumerate(zip(networks, exp.splits)):
    known = exp.source.has_mask[split.test]
    maps, rows = maps_of_all[i, : len(known)][known], split.test[known]
    metrics = _pixels(exp.source, rows, maps)
    maps = np.minimum(maps, np.finfo(np.float16).max).astype(np.float16)
    room -= maps.nbytes
    out.append(
      replica._replace(pixels=metrics, maps=maps if room >= 0 else None)
    )
  return out


def _first(totals: Mapping[str, Any]) -> Any:
  """Of several memories, the one that is shown."""
  return next(iter(totals.values()))


def _memory(exp, weights, index: int, totals) -> dict[str, Any]:
  """What the results say of the memory of a replica."""
  found = {k: float(v) for k, v in usage.summary(_first(totals)).items()}
  return {
    'slots': exp.replicas[index].slots,
    'used': found.pop('slots_used'),
    **found,
    'duplicate_slots': _duplicates(exp, weights, index),
  }


def _check_top_k(exp, totals) -> None:
  """Raises UserError if trained reads lost survivors."""
  read = np.asarray([replica.has_memory for replica in exp.replicas])
  share = max(
    (
      np.max(reads.lost / reads.queries, where=read, initial=0)
      for reads in totals.values()
    ),
    default=0,
  )
  if share > 0:
    raise errors.UserError(
      f'up to {share:.1%} of the reads have more survivors than'
      f' model.memory.top_k, {exp.config.model.memory.top_k}; raise it, or use'
      ' model.memory.read "auto"'
    )


def _duplicates(exp, weights, index: int) -> int | None:
  """Slots that another slot repeats; None where there are too many pairs."""
  count = exp.replicas[index].slots
  if count > _MOST_PAIRED or exp.programs.is_large:
    return None
  slots = _first(exp.programs.slots(weights, index))[:count]
  return int(usage.duplicate_slots(slots))


def _pixels(source, rows, maps):
  """Metrics of pixels and of regions, and why the undefined ones are so."""
  values, reasons = pixels.evaluate(maps, source.masks[rows])
  found, why = clip_scores.find_regions(source, rows, maps)
  return values | found, reasons | why
