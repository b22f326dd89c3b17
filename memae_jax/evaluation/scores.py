"""What one replica gives to the evaluation."""

from typing import Any, NamedTuple

import numpy as np


class Gallery(NamedTuple):
  """Samples of an image data set with their reconstructions.

  Images are [K, H, W, C] float32 in [0, 1]; `score` and `anomalous` are [K];
  `title` says of each why it is shown, for example 'normal, worst'.
  """

  inputs: np.ndarray
  reconstructions: np.ndarray
  score: np.ndarray
  anomalous: np.ndarray
  title: tuple[str, ...]


class ReplicaScores(NamedTuple):
  """Anomaly scores of one replica; higher is more anomalous.

  name: for example 'memae/class=3/seed=0'.
  fields: what distinguishes it: variant, seed, normal_class, slots, ...
  score: [T] float32; anomalous: [T] bool; sample: [T] index into the source.
  validation_score: [V] of the held-out training normals.
  kept: [T] slots kept a read (0: dead read), None without a memory.
  usage: [N] total addressing weight of each slot over the test set, or None.
  decoded_slots: [N, ...] each slot through the decoder, in input units
    (images in [0, 1]), or None.
  gallery: for images, else None.
  step: training step of the weights.
  """

  name: str
  fields: dict[str, Any]
  score: np.ndarray
  anomalous: np.ndarray
  sample: np.ndarray
  validation_score: np.ndarray
  kept: np.ndarray | None
  usage: np.ndarray | None
  decoded_slots: np.ndarray | None
  gallery: Gallery | None
  step: int
