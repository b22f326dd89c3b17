"""Scores of one replica, with its samples and slots for the report."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from memae_jax.data.tables import contributions
from memae_jax.evaluation.metrics import detection
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.methods.alone import statements


class Gallery(NamedTuple):
  """Samples of images or clips beside what a replica makes of them.

  Images are [K, H, W, C] float32 in [0, 1]; `score` and `anomalous` are [K];
  `title` says why each sample is shown, for example 'normal, lowest score'.
  `masks` are [K, H, W] bool, True where a pixel is anomalous, or None. `sample`
  is [K], indices into the source. `reconstructions` are None for a method that
  reconstructs nothing; `maps`, [K, H, W] float32, then say how much each pixel
  adds to the score. There are maps, too, where those above `limit` are flagged.
  """

  inputs: np.ndarray
  reconstructions: np.ndarray | None
  score: np.ndarray
  anomalous: np.ndarray
  title: tuple[str, ...]
  masks: np.ndarray | None = None
  sample: np.ndarray | None = None
  maps: np.ndarray | None = None
  limit: float | None = None

  @property
  def errors(self) -> np.ndarray:
    """`maps`, or else squared errors of the reconstructions: [K, H, W]."""
    if self.maps is not None:
      return self.maps
    return np.square(self.inputs - self.reconstructions).mean(axis=-1)


class OtherClasses(NamedTuple):
  """Samples of other classes through the variants trained on one class.

  normal: name of that one class.
  labels: [K] names of the classes of the samples.
  inputs: [K, H, W, C] float32 in [0, 1].
  reconstructions: the same shape, by variant.
  score: [K] mean squared errors in model units, by variant.
  """

  normal: str
  labels: tuple[str, ...]
  inputs: np.ndarray
  reconstructions: dict[str, np.ndarray]
  score: dict[str, np.ndarray]


class Embedding(NamedTuple):
  """Queries and slots of one replica, by their first two components.

  variant: of the replica. queries: [Q, 2] of test samples; anomalous: [Q] bool,
  whether the sample is. slots: [K, 2], those that are read most; usage: [K]
  addressing weight of each over the test set. shares: of the spread of queries
  and slots that the two components are. width: values of a query. of: slots
  that there are.
  """

  variant: str
  queries: np.ndarray
  anomalous: np.ndarray
  slots: np.ndarray
  usage: np.ndarray
  shares: tuple[float, ...]
  width: int
  of: int


class Column(NamedTuple):
  """Maps and scores of K pictures by one method or baseline.

  name: of the variant or baseline. maps: [K, H, W] of its errors. score: [K] of
  the pictures. limit: above it a pixel is flagged; None: there is none. scale:
  lowest and highest value of a colour, the same for all pictures.
  """

  name: str
  maps: np.ndarray
  score: np.ndarray
  limit: float | None
  scale: tuple[float, float]


class SideBySide(NamedTuple):
  """Test pictures beside their maps by all methods and baselines that have any.

  inputs: [K, H, W, C] as the source has them. levels: values of black and of
  white. masks: [K, H, W] bool, True where a pixel is anomalous, or None.
  anomalous: [K] bool. sample: [K], indices into the source. title: [K], the
  kind of each picture.
  """

  inputs: np.ndarray
  levels: tuple[float, float]
  masks: np.ndarray | None
  anomalous: np.ndarray
  sample: np.ndarray
  title: tuple[str, ...]
  columns: tuple[Column, ...]

  def at(self, places) -> 'SideBySide':
    """Returns those of some places, [k] integers."""
    return SideBySide(
      self.inputs[places],
      self.levels,
      None if self.masks is None else self.masks[places],
      self.anomalous[places],
      self.sample[places],
      tuple(self.title[k] for k in places),
      tuple(
        c._replace(maps=c.maps[places], score=c.score[places])
        for c in self.columns
      ),
    )


class ReplicaScores(NamedTuple):
  """Anomaly scores of one replica; higher is more anomalous.

  name: for example 'memae/class=3/seed=0'.
  fields: settings that tell replicas apart: variant, seed, normal_class, ...
  score: [T] float32; anomalous: [T] bool; sample: [T] index into the source.
  validation_score: [V] scores of the held-out training normals.
  kept: [T] slots kept by the reads of a sample, summed over its positions (0:
    all reads are dead); None without a memory.
  usage: [N] total addressing weight of each slot over the test set, or None.
  decoded_slots: [N, ...] each slot through the decoder, in input units
    (images in [0, 1]), or None.
  gallery: of images or clips, else None.
  odd: gallery of images of no class, see `media.odd_inputs`; None for other
    samples, and for a method without an output.
  step: training step of the weights.
  pseudo: AUROC of each kind of pseudo-anomaly, empty where there can be none;
    None where they were not asked for.
  pseudo_rules: mean of those AUROCs by each rule of `eval.candidates`.
  pixels: metrics of the maps, see `error_maps`, and the reasons of undefined
    ones; None without.
  mean_error: mean score of the validation normals, if each were reconstructed
    as the mean training sample, in the units of `validation_score`; None for
    clips and for scores that are no reconstruction error.
  beyond_contrast: [T] scores of `scoring.contrast`; None for tables and
    for scores that are no reconstruction error.
  maps: [M, H, W] float16 error maps of the test samples with a known mask, or
    of all where no masks but areas of defects are known; None: not kept.
  frames: the scores of frames of videos, else None.
  normal_frames: the same of the held-out training normals.
  rules: scores [T] of clips and images by every rule of `losses` that fits;
    `score` is one of them.
  columns: of rows of a table, those that add most to the scores; None: not
    looked at, or there are none.
  no_columns: why there are none, or ''.
  """

  name: str
  fields: dict[str, Any]
  score: np.ndarray
  anomalous: np.ndarray
  sample: np.ndarray
  validation_score: np.ndarray
  kept: np.ndarray | None = None
  usage: np.ndarray | None = None
  decoded_slots: np.ndarray | None = None
  gallery: Gallery | None = None
  odd: Gallery | None = None
  step: int = 0
  pseudo: dict[str, float] | None = None
  pseudo_rules: dict[str, float] | None = None
  pixels: tuple[dict[str, float | None], dict[str, str]] | None = None
  mean_error: float | None = None
  beyond_contrast: np.ndarray | None = None
  maps: np.ndarray | None = None
  frames: frames_lib.FrameScores | None = None
  normal_frames: frames_lib.FrameScores | None = None
  rules: dict[str, np.ndarray] | None = None
  columns: contributions.Strongest | None = None
  no_columns: str = ''

  def threshold(self, quantile: float) -> float | None:
    """Returns the score above which a sample is flagged.

    Args:
      quantile: of the scores of the validation normals.

    Returns:
      None without validation normals.
    """
    return detection.threshold(self.validation_score, quantile)


class Foretold(NamedTuple):
  """Pictures that stand alone, M of them, and what each says of itself.

  name: of the replica. title: [M] of each picture. says: NumPy arrays. levels:
  least and greatest value of a model input.
  """

  name: str
  title: Sequence[str]
  says: statements.Statements
  levels: tuple[float, float]

  def loudest(self, most: int) -> list[int]:
    """Returns which pictures, so many at most, have the largest errors."""
    largest = self.says.z.max(axis=(1, 2))
    return np.argsort(-largest, kind='stable')[:most].tolist()


class Pictures(NamedTuple):
  """Pictures of several replicas.

  other_classes: samples of classes that the networks never saw. strips: frames
  of one video, by name of the replica. side_by_side: some test pictures.
  embeddings: of the memories. foretold: pictures that stand alone.
  """

  other_classes: Sequence[OtherClasses] = ()
  strips: Mapping[str, Gallery] = {}
  side_by_side: SideBySide | None = None
  embeddings: Sequence[Embedding] = ()
  foretold: Sequence[Foretold] = ()


def firsts(replicas: Iterable[ReplicaScores]) -> dict[str, ReplicaScores]:
  """Returns the first replica by name of each variant, by variant."""
  by_name = {replica.name: replica for replica in replicas}
  pairs = ((r.fields['variant'], r.name) for r in by_name.values())
  names = first_names(pairs)
  return {by_name[name].fields['variant']: by_name[name] for name in names}


def first_names(pairs: Iterable[tuple[str, str]]) -> list[str]:
  """Returns the first name of each variant, from (variant, name) of all."""
  names: dict[str, str] = {}
  for variant, name in pairs:
    names[variant] = min(name, names.get(variant, name))
  return list(names.values())
