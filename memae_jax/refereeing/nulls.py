"""Scores that look at no sample: what labels and videos alone give away.

- `random`: independent numbers, by several seeds.
- `constant`: one score for all; nothing is flagged.
- `all_positive`: one score for all; everything is flagged.
- `frame_position`: the index of a frame in its video. It sees no picture, but
  anomalies of a test set often come late in its videos.
"""

import numpy as np

from memae_jax.evaluation.scoring import scores
from memae_jax.refereeing import given as given_lib

SEEDS = 5
NOTES = {
  'random': f'independent random numbers, {SEEDS} seeds',
  'constant': 'one score for every sample, so that their order alone decides F1'
  ' at the ratio; nothing is flagged',
  'all_positive': 'everything is flagged',
  'frame_position': 'index of the frame in its video; sees no picture',
}


def replica(
  given: given_lib.Given,
  variant: str,
  score: np.ndarray,
  normal: np.ndarray,
  seed: int = 0,
) -> scores.ReplicaScores:
  """Returns scores in the form that everything else measures.

  Args:
    given: of the samples.
    variant: name of who scored them.
    score: [T], higher is more anomalous.
    normal: [V] scores of validation normals; V = 0: none.
    seed: of a random score.
  """
  frames, of_normals = given.frames, given.normal_frames
  if of_normals is not None:
    same = len(of_normals.score) == len(normal)
    of_normals = of_normals._replace(score=normal) if same else None
  return scores.ReplicaScores(
    name=variant,
    fields={'variant': variant, 'seed': seed},
    score=score,
    anomalous=given.anomalous,
    sample=np.arange(len(score)),
    validation_score=normal,
    frames=None if frames is None else frames._replace(score=score),
    normal_frames=of_normals,
  )


def predictors(given: given_lib.Given) -> list[scores.ReplicaScores]:
  """Returns the scores of all null predictors that the samples can have."""
  count, normals = len(given.anomalous), len(given.normal)
  out = []
  for seed in range(SEEDS):
    rng = np.random.default_rng(seed)
    of_samples, of_normals = rng.random(count), rng.random(normals)
    one = replica(given, 'random', of_samples, of_normals, seed)
    out.append(one._replace(name=f'random/seed={seed}'))
  same = np.ones(count)
  out.append(replica(given, 'constant', same, np.ones(normals)))
  # A threshold of 0 flags everything, with validation normals or without.
  below = np.zeros(max(normals, 1))
  out.append(replica(given, 'all_positive', same, below))
  if given.frames is not None:
    of_normals = np.zeros(0)
    if given.normal_frames is not None:
      of_normals = given.normal_frames.frame.astype(np.float64)
    position = given.frames.frame.astype(np.float64)
    out.append(replica(given, 'frame_position', position, of_normals))
  return out
