"""The values that data flow through: a Source, and a Split of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

FILM_RATE = 10  # Frames a second, of videos that do not say theirs.


class Column(NamedTuple):
  """One column of a table, before encoding.

  `categories` is empty for a numeric column, which takes one input; a
  categorical column takes one input for each category, in this order.
  """

  name: str
  categories: tuple[str, ...] = ()


class Footage(NamedTuple):
  """How a video was filmed.

  rate: frames a second; None: not known, as of a folder of frames.
  seconds: of each frame from the first one on; None: not known.
  shape: (width, height) as it is to be shown; None: that of its frames.
  warnings: what is missing of it or damaged, a line each.
  """

  rate: float | None = None
  seconds: Sequence[float] | None = None
  shape: tuple[int, int] | None = None
  warnings: tuple[str, ...] = ()

  def at(self, number: np.ndarray) -> np.ndarray | None:
    """The seconds [n] of frames [n] of the video; None: not known."""
    if self.seconds is not None:
      return np.asarray(self.seconds, float)[number]
    return (number / self.rate).round(6) if self.rate else None


class Videos(NamedTuple):
  """Which frame of which video the score of a clip belongs to.

  names: of the videos; a training and a test video may share one.
  lengths: [V] int32, frames of each video.
  video: [S] int32, indices into `names`.
  frame: [S] int32, the scored frame, counted from 0 in its video.
  footage: of each video.
  """

  names: tuple[str, ...]
  lengths: np.ndarray
  video: np.ndarray
  frame: np.ndarray
  footage: tuple[Footage, ...] = ()


class HostStage(NamedTuple):
  """What happens to raw numbers in float64: (log1p(x) - centre) * unit.

  See `host_stage`. Each is [D] for a table and [1] for images.

  log1p: bool, the inputs whose logarithm is taken.
  centre: float64, 0 but for offsets that float32 cannot hold.
  unit: float64, 1 but for columns beyond the range of float32.
  """

  log1p: np.ndarray
  centre: np.ndarray
  unit: np.ndarray


class Samples(NamedTuple):
  """What users' files hold, one file after the other.

  inputs: [S, D], or images [S, H, W, C].
  columns: of a table, else empty.
  sizes: samples of each file.
  labels: [n] text of each file, or None where a file has no labels.
  keys: [S] text that names the samples, or None.
  notes, remarks, warnings: as of a Source.
  """

  inputs: np.ndarray
  columns: tuple[Column, ...]
  sizes: list[int]
  labels: list[np.ndarray | None]
  keys: np.ndarray | None = None
  notes: dict[str, Any] = {}
  remarks: tuple[str, ...] = ()
  warnings: tuple[str, ...] = ()


class Source(NamedTuple):
  """All raw samples of a data set.

  inputs: [S, H, W, C] uint8 (images), [S, D] float64 (tables: numeric columns
    as they are, NaN where missing, and one-hot categories; float32 after
    `host`) or `clips.Gathered` [S, T, H, W, C] uint8 (clips of videos).
  labels: [S] int32, an index into `label_names`; of a clip: its scored frame.
  label_names: names of the labels.
  normal_labels: indices of the normal labels; empty where the protocol picks
    a normal class, or where there are no labels.
  is_test: [S] bool for sources with their own test set, else None.
  masks: [S, H, W] bool, True where a pixel is anomalous; None without masks.
    For clips: of the frame that is scored, as `clips.Gathered`.
  has_mask: [S] bool, which samples `masks` is known for (normals are all
    False there), or None.
  columns: of a table, else empty. Inputs of column i follow those of i - 1.
  videos: where each clip comes from; None but for videos.
  places: by what a user finds a row or picture again, such as 'file' or 'row':
    [S] each; empty where nobody would look for it. Of clips see `videos`.
  levels: values of 16-bit pictures that became 0 and 255; else those of all.
  labelled: False when the data have no labels (all samples count as normal).
  dropped: one entry for each reason: {'count': int, 'why': str}.
  host: what `inputs` went through since they were read, None for bytes.
  notes: plain facts for the results, such as counts of duplicates.
  remarks: how the files were read, a line each, such as 'read price as numbers
    with decimal comma'; said before the first step and in the results.
  warnings: what makes the numbers doubtful, a line each that names the thing
    and the mend; said before the first step, in the results, and on the first
    screen of the report.
  """

  name: str
  inputs: Any
  labels: np.ndarray
  label_names: tuple[str, ...]
  normal_labels: tuple[int, ...] = ()
  is_test: np.ndarray | None = None
  masks: Any = None
  has_mask: np.ndarray | None = None
  columns: tuple[Column, ...] = ()
  videos: Videos | None = None
  places: dict[str, np.ndarray] = {}
  levels: tuple[int, int] = (0, 2**16 - 1)
  labelled: bool = True
  dropped: tuple[dict[str, Any], ...] = ()
  host: HostStage | None = None
  notes: dict[str, Any] = {}
  remarks: tuple[str, ...] = ()
  warnings: tuple[str, ...] = ()

  @property
  def has_images(self) -> bool:
    """Whether a sample is an image, not a row of a table."""
    return len(self.inputs.shape) == 4


class Transform(NamedTuple):
  """Turns a raw input x into a model input: clip(fill(x) * scale + shift).

  Each is float32 and broadcasts against one input: [D] for tables, [1] for
  images. `fill` replaces NaN; `limit` [1] clips both sides. With
  `least_contrast` [1], fill(x) of an image is first brought to mean 0 and mean
  absolute value 1; what has less contrast than that is divided by it instead.
  """

  scale: np.ndarray
  shift: np.ndarray
  fill: np.ndarray
  limit: np.ndarray
  least_contrast: np.ndarray | None = None


class Split(NamedTuple):
  """Who trains and who is tested, for one replica.

  train, validation: [n] int32 indices of normal samples.
  test: [T] int32 indices; anomalous: [T] bool.
  transform: fitted on `train` only.
  notes: plain facts, such as counts of unknown categories in the test set.
  warnings: as of a Source, of this split.
  """

  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray
  anomalous: np.ndarray
  transform: Transform
  notes: dict[str, Any] = {}
  warnings: tuple[str, ...] = ()
