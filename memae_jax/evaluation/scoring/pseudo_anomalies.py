"""Choosing settings without test data: pseudo-anomalies of validation normals.

Held-out normals are changed in fixed ways, and the error of a network should
separate the changed from the unchanged. All kinds of change but one were
written down before the first run: `blend` was a mean then, and had less error
than the normals themselves (AUROC near 0.1 on digits). Pseudo-anomalies are
not the anomalies of any data set: the mean AUROC over the kinds ranks
settings, and says little about the AUROC on the test set. Digits such as 0 and
8 look the same upside down, so the mean need not come near 1.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sklearn.metrics

from memae_jax.evaluation.scoring import combined, scores
from memae_jax.runtime import progress_bar
from memae_jax.training import experiment

METRIC = 'pseudo_auroc'
TOO_FEW = 'a split has fewer than two validation normals to change'


def _other(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Returns for each image [V, H, W, C] another one of the set."""
  count = len(images)
  return images[(np.arange(count) + rng.integers(1, count, count)) % count]


def _rotate(images, rng):
  del rng
  return np.rot90(images, axes=(1, 2))


def _flip(images, rng):
  del rng
  return images[:, ::-1]


def _blend(images, rng):
  # A mean of both would only have less contrast, and so less error.
  return np.maximum(images, _other(images, rng))


def _cutpaste(images, rng):
  """Pastes a patch of another image, of half its height and width."""
  out, others = images.copy(), _other(images, rng)
  height, width = images.shape[1:3]
  high, wide = max(height // 2, 1), max(width // 2, 1)
  for image, other in zip(out, others):
    top, to = rng.integers(0, height - high + 1, 2)
    left, across = rng.integers(0, width - wide + 1, 2)
    patch = other[top : top + high, left : left + wide]
    image[to : to + high, across : across + wide] = patch
  return out


def _shuffle(images, rng):
  """Swaps the quadrants of each image crosswise."""
  del rng
  return np.roll(images, [n // 2 for n in images.shape[1:3]], axis=(1, 2))


KINDS: dict[str, Callable] = {
  'rotate': _rotate,
  'flip': _flip,
  'blend': _blend,
  'cutpaste': _cutpaste,
  'shuffle': _shuffle,
}


def kinds(shape: Sequence[int]) -> list[str]:
  """Returns the kinds of change for samples of a shape.

  Args:
    shape: [H, W, C] of an image; any other shape has no kinds.
  """
  if len(shape) != 3:
    return []
  square = shape[0] == shape[1]
  return [kind for kind in KINDS if kind != 'rotate' or square]


def make(kind: str, images: np.ndarray, seed: Sequence[int]) -> np.ndarray:
  """Returns pseudo-anomalies made of normal images.

  Args:
    kind: of `KINDS`; 'rotate' needs square images.
    images: [V, H, W, C] raw inputs of at least two normals.
    seed: of the random choices; each kind has its own stream.
  """
  rng = np.random.default_rng([*seed, list(KINDS).index(kind)])
  return np.ascontiguousarray(KINDS[kind](images, rng))


def evaluate(
  exp: experiment.Experiment,
  weights: Any,
  held_out: Sequence[Any],
  rules: Sequence[str],
) -> list[dict[str, dict[str, float]]]:
  """Returns how well scores separate changed from unchanged normals.

  Only validation normals are read. The same seed and class give the same
  pseudo-anomalies to every variant.

  Args:
    exp: the experiment.
    weights: of the fleet, with `params` and `collections`.
    held_out: of each replica the `baselines.Scored`.
    rules: names of the scores; a replica has those of them that it can.

  Returns:
    {rule: {kind: AUROC}} of each replica; no kinds where a split has fewer than
    two validation normals.
  """
  aurocs = [
    {rule: {} for rule in rules if rule in scored.held} for scored in held_out
  ]
  if min(len(split.validation) for split in exp.splits) < 2:
    return aurocs
  names = kinds(exp.source.inputs.shape[1:])
  progress = progress_bar.Progress('pseudo-anomalies', len(names))
  for done, kind in enumerate(names, 1):
    images = _make_all(exp, kind)
    scored = exp.programs.score_raw(weights, images).scores
    for i, (by_rule, normal) in enumerate(zip(aurocs, held_out)):
      count = len(images[i])  # The rest is padding.
      changed = {rule: values[i, :count] for rule, values in scored.items()}
      changed |= combined.scores(normal.parts, changed)
      for rule, of_kinds in by_rule.items():
        of_kinds[kind] = _separated(normal.held[rule], changed[rule])
    progress.at(done, kind)
  progress.close()
  return aurocs


def added(
  exp: experiment.Experiment,
  weights: Any,
  held_out: Sequence[Any],
  networks: Sequence[scores.ReplicaScores],
) -> list[scores.ReplicaScores]:
  """Adds the AUROCs of changed validation normals to the scores of replicas.

  Args:
    exp, weights, held_out: see `evaluate`.
    networks: the scores of each replica.
  """
  has_kinds = exp.source.has_images and kinds(exp.source.inputs.shape[1:])
  if not exp.config.eval.pseudo or not has_kinds:
    return list(networks)
  wanted = tuple(dict.fromkeys((exp.rule, *exp.config.eval.candidates)))
  aurocs = evaluate(exp, weights, held_out, wanted)
  return [
    replica._replace(
      pseudo=by_rule[exp.rule],
      pseudo_rules={
        rule: float(np.mean(list(by_kind.values())))
        for rule, by_kind in by_rule.items()
        if by_kind and rule in exp.config.eval.candidates
      },
    )
    for replica, by_rule in zip(networks, aurocs)
  ]


def _separated(normal: np.ndarray, changed: np.ndarray) -> float:
  """Returns the AUROC of changed against unchanged samples."""
  return float(
    sklearn.metrics.roc_auc_score(
      np.repeat([False, True], [len(normal), len(changed)]),
      np.concatenate([normal, changed]),
    )
  )


def _make_all(exp: experiment.Experiment, kind: str) -> list[np.ndarray]:
  """Returns the pseudo-anomalies of each replica; one array for each split."""
  images: dict[Any, np.ndarray] = {}
  keys = [(r.seed, r.normal_class or 0) for r in exp.replicas]
  for key, split in zip(keys, exp.splits):
    if key not in images:
      images[key] = make(kind, exp.source.inputs[split.validation], key)
  return [images[key] for key in keys]
