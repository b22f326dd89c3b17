"""Differences between output and target: losses, scores, maps of errors.

Everything starts from one map of errors of a sample. Its mean can train a
network (`train.loss`), a reduction of it is an anomaly score (`eval.score`),
and its mean over the channels is the picture of what is wrong.
"""

from memae_jax.losses import known  # Registers the rules.
from memae_jax.losses.reductions import (
  CLIP,
  FRAME,
  IMAGE,
  TABLE,
  around_scored,
  decibels,
  frame_means,
  mean,
  pixels,
  scored_frame,
  squared,
)
from memae_jax.losses.rules import (
  COMBINED,
  MEMORY,
  PRODUCT,
  SUM,
  Rule,
  find,
  fitting,
  map_of,
  names,
  of,
  register,
)

__all__ = [
  'CLIP',
  'COMBINED',
  'FRAME',
  'IMAGE',
  'MEMORY',
  'PRODUCT',
  'SUM',
  'TABLE',
  'Rule',
  'around_scored',
  'decibels',
  'find',
  'fitting',
  'frame_means',
  'known',
  'map_of',
  'mean',
  'names',
  'of',
  'pixels',
  'register',
  'scored_frame',
  'squared',
]
