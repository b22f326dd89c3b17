"""Scores of a fleet and of the baselines, on the same samples."""

import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax import losses
from memae_jax.evaluation.metrics import detection
from memae_jax.evaluation.scoring import (
  baselines,
  clip_scores,
  combined,
  error_maps,
  pseudo_anomalies,
  scores,
)
from memae_jax.memory import usage
from memae_jax.methods import base
from memae_jax.runtime import errors
from memae_jax.training import experiment, run_folder, step

_MOST_PAIRED = 2**14  # Slots that are compared with each other.
_PASSES, _SECONDS = 5, 0.2  # Most passes by which scoring is timed; least time.


class Calibration(NamedTuple):
  """Threshold and scales of a replica, by its validation normals.

  threshold: above it samples are flagged; None without validation normals.
  parts: of combined scores, see `combined`; () where none are asked for.
  normal: [V] scores of the validation normals.
  """

  threshold: float | None
  parts: tuple[combined.Part, ...]
  normal: np.ndarray


def by_rule(
  exp: experiment.Experiment,
  scored: base.Prediction,
  index: int,
  rows: np.ndarray,
  parts: tuple[combined.Part, ...] = (),
) -> dict[str, np.ndarray]:
  """Returns the scores [n] of samples by every rule that a replica has.

  Args:
    exp: the experiment.
    scored: prediction of the fleet, [R, n or more, ...], on the host.
    index: of the replica.
    rows: [n] samples, in the order of their scores.
    parts: of combined scores.
  """
  fitting = {
    name: values
    for name, values in clip_scores.by_rule(
      exp.source, scored, index, rows, exp.config.eval.smooth
    ).items()
    # Those of errors may need another scaling.
    if name == exp.rule
    or losses.find(name).errors is None
    or name in exp.fitting_rules
  }
  # Others of its family may have a memory.
  if not exp.replicas[index].has_memory and exp.rule != losses.MEMORY:
    fitting.pop(losses.MEMORY, None)
  return fitting | combined.scores(parts, fitting)


def _scored(
  exp, tested: base.Prediction, held_out: base.Prediction
) -> list[baselines.Scored]:
  """Returns the scores of each replica by `Experiment.rule`, and by all."""
  out = []
  for i, split in enumerate(exp.splits):
    parts = combined.fit(
      exp.config.eval, by_rule(exp, held_out, i, split.validation)
    )
    held = by_rule(exp, held_out, i, split.validation, parts)
    of_test = by_rule(exp, tested, i, split.test, parts)
    scored = of_test[exp.rule], held[exp.rule]
    out.append(baselines.Scored(*scored, of_test, parts=parts, held=held))
  return out


def score_tests(exp, weights, wanted) -> tuple[base.Prediction, float]:
  """Scores the test samples of a fleet.

  Args:
    exp: the experiment.
    weights: of the fleet.
    wanted: large fields of a `Prediction` that are kept.

  Returns:
    The scores, and the seconds that a pass takes once all is compiled.
  """
  rows, passes = [s.test for s in exp.splits], []
  exp.programs.warm_up(weights, rows, wanted)  # Compiles; that is not timed.
  # A pass of milliseconds is repeated, since other work may delay it.
  while not passes or (len(passes) < _PASSES and sum(passes) < _SECONDS):
    begun = time.perf_counter()
    label = '' if passes else 'scoring'
    predicted = exp.programs.score(weights, rows, wanted, label)
    passes.append(time.perf_counter() - begun)
  return predicted, float(np.median(passes))


def _held_out(exp, weights, wanted=()) -> base.Prediction:
  """Scores the validation normals, see `score_tests`."""
  rows = [split.validation for split in exp.splits]
  return _with_shown_map(exp, exp.programs.score(weights, rows, wanted))


def _with_shown_map(exp, scored: base.Prediction) -> base.Prediction:
  """Returns a prediction without the maps of rules that nothing measures."""
  shown = losses.map_of(exp.map_rule, scored.maps)
  return scored._replace(maps={} if shown is None else {exp.map_rule: shown})


def calibrations(exp: experiment.Experiment, weights: Any) -> list[Calibration]:
  """Returns the calibration [R] of each replica.

  Args:
    exp: the experiment.
    weights: of the fleet.
  """
  quantile = exp.config.eval.normal_quantile
  return [
    Calibration(detection.threshold(score, quantile), parts, score)
    for score, parts in held_out_scores(exp, weights)
  ]


def held_out_scores(
  exp: experiment.Experiment, weights: Any
) -> list[tuple[np.ndarray, tuple[combined.Part, ...]]]:
  """Returns scores [V] of validation normals, and parts of combined scores.

  Args:
    exp: the experiment.
    weights: of the fleet.

  Returns:
    Both, for each replica.
  """
  normal, out = _held_out(exp, weights), []
  for i, split in enumerate(exp.splits):
    rows = split.validation
    parts = combined.fit(exp.config.eval, by_rule(exp, normal, i, rows))
    out.append((by_rule(exp, normal, i, rows, parts)[exp.rule], parts))
  return out


def select_weights(
  exp: experiment.Experiment, state: step.ReplicaState, at: int
) -> tuple[step.Weights, Any]:
  """Returns the weights that `eval.checkpoint` asks for.

  Args:
    exp: the experiment.
    state: of the fleet.
    at: its step.

  Returns:
    The weights of the fleet, and the step [R] that each replica's are of.
  """
  if exp.config.eval.checkpoint == 'validation':
    return step.weights(state.best), exp.programs.to_host(state.best.step)
  return step.weights(state), [at] * len(exp.replicas)


def restored(
  exp: experiment.Experiment, run: pathlib.Path, upto: int | None = None
) -> tuple[int, step.Weights, Any]:
  """Restores the newest sound checkpoint of a run.

  Args:
    exp: the experiment.
    run: folder of the run.
    upto: take one of at most this step, if there is any; None: any step.

  Returns:
    Its step, the weights that `select_weights` takes, and their steps [R].
  """
  with run_folder.opened(exp, run) as checkpoints:
    at, state, _ = run_folder.trained(exp, checkpoints, run, upto)
  return at, *select_weights(exp, state, at)


def untrained(exp: experiment.Experiment) -> list[baselines.Scored]:
  """Scores the fleet before its first step, on test and validation samples."""
  weights = step.weights(exp.programs.init())
  tested = exp.programs.score(weights, [s.test for s in exp.splits])
  return _scored(exp, tested, _held_out(exp, weights))


def members(
  exp: experiment.Experiment,
  state: step.ReplicaState,
  at: int,
  run: pathlib.Path,
) -> list[tuple[experiment.Experiment, step.Weights, Any]]:
  """Returns the families of a run with their weights.

  Args:
    exp: the experiment, of the first family.
    state: of its fleet.
    at: the step of the state.
    run: folder of the run, with the checkpoints of the other families. Their
      newest ones are restored; for an earlier step of the first family, the
      newest up to that step.

  Returns:
    Experiment, weights and steps [R] of each family.
  """
  upto = None if at == exp.steps else at
  others = [(other, *restored(other, run, upto)[1:]) for other in exp.others]
  return [(exp, *select_weights(exp, state, at)), *others]


def networks(
  exp: experiment.Experiment, weights: step.Weights, steps: Sequence[int]
) -> tuple[list[scores.ReplicaScores], dict[str, Any], dict[str, Any]]:
  """Scores the fleet on its test sets.

  Args:
    exp: the experiment.
    weights: of the fleet.
    steps: [R] training steps of the weights.

  Returns:
    The scores of each replica, memory statistics by replica name, and the
    throughput of scoring.

  Raises:
    UserError: reads by `top_k` lose slots.
  """
  by_area = error_maps.defect_share(exp.source, exp.config.eval) > 0
  wanted = ('maps',) if by_area or exp.source.masks is not None else ()
  tested, seconds = score_tests(exp, weights, wanted)
  _check_top_k(exp, tested.totals)
  tested = _with_shown_map(exp, tested)
  held_out = _held_out(exp, weights, wanted if by_area else ())
  pairs = _scored(exp, tested, held_out)
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
    _replica_scores(exp, i, tested, pairs[i], totals[i])._replace(step=int(at))
    for i, at in enumerate(steps)
  ]
  out = pseudo_anomalies.added(exp, weights, pairs, out)
  out = _with_mean_errors(exp, out)
  return _with_maps(exp, tested, held_out, out), memory, throughput


def _replica_scores(
  exp, index: int, tested: base.Prediction, pair, totals
) -> scores.ReplicaScores:
  """Returns the scores of one replica.

  Args:
    exp: the experiment.
    index: of the replica.
    tested: prediction of the fleet on the test samples.
    pair: scores of its test samples [T] and validation normals [V].
    totals: sums over the reads of its memories.
  """
  replica, split = exp.replicas[index], exp.splits[index]
  score, validation_score, rules, *_ = pair
  fields = replica._asdict()
  del fields['name']
  kept = usage = None
  if replica.has_memory:
    kept = tested.kept[index, : len(split.test)]
    usage = _first(exp, totals).usage[: replica.slots]
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
    beyond_contrast=baselines.beyond_contrast(exp, index, *pair[:2])
    if is_error
    else None,
    **clip_scores.of_split(
      *(exp.source, split, *pair[:2], exp.config.eval.frame_rate)
    ),
    rules=rules if exp.source.videos or exp.source.has_images else None,
  )


def _with_mean_errors(exp, networks) -> list[scores.ReplicaScores]:
  """Adds `mean_error`, which the replicas of a split share."""
  if losses.find(exp.rule).errors is None:
    return networks
  keys = [(replica.seed, replica.normal_class) for replica in exp.replicas]
  splits = dict(zip(keys, exp.splits))
  errors_by_key = {
    key: baselines.mean_error(exp, split) for key, split in splits.items()
  }
  return [
    replica._replace(mean_error=errors_by_key[key])
    for replica, key in zip(networks, keys)
  ]


def _with_maps(exp, tested, held_out, networks) -> list[scores.ReplicaScores]:
  """Adds the metrics of maps, and those maps that are kept.

  Nothing is added where no maps were wanted or the method has none.
  """
  of_tests, of_normals = (p.maps.get(exp.map_rule) for p in (tested, held_out))
  if of_tests is None:
    return networks
  room, out = error_maps.ROOM, []
  for i, (replica, split) in enumerate(zip(networks, exp.splits)):
    maps = of_tests[i], None if of_normals is None else of_normals[i]
    metrics = error_maps.of_split(
      exp.source, split, *maps, exp.config.eval, replica.name
    )
    known = error_maps.stored(exp.source, split, of_tests[i], room)
    room = 0 if known is None else room - known.nbytes
    out.append(replica._replace(pixels=metrics, maps=known))
  return out


def _first(exp, totals: Mapping[str, Any]) -> Any:
  """Returns the entry of the first memory, which stands for all of them."""
  path, *_ = exp.trainer.method.memories
  return totals[base.memory_name(path)]


def _memory(exp, weights, index: int, totals) -> dict[str, Any]:
  """Returns the statistics of the memory of a replica, as in the results."""
  summary = {k: float(v) for k, v in usage.summary(_first(exp, totals)).items()}
  return {
    'slots': exp.replicas[index].slots,
    'used': summary.pop('slots_used'),
    **summary,
    'duplicate_slots': _duplicates(exp, weights, index),
  }


def _check_top_k(exp, totals) -> None:
  """Raises UserError if reads lost slots that survive the threshold."""
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
  """Counts slots that repeat another; None if there are too many pairs."""
  count = exp.replicas[index].slots
  if count > _MOST_PAIRED or exp.programs.is_large:
    return None
  slots, *_ = exp.programs.slots(weights, index).values()
  return int(usage.duplicate_slots(slots[:count]))
