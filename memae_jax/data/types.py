"""Values that data flow through: a Source of samples, and a Split of it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

FILM_RATE = 10  # Frames per second of videos that do not say their rate.


class Column(NamedTuple):
  """One column of a table, before encoding.

  A numeric column becomes one input. A categorical column becomes one input per
  category, 0 or 1, and a column of dates one number for each of `parts`, such
  as 'days'; both in this order.
  """

  name: str
  categories: tuple[str, ...] = ()
  parts: tuple[str, ...] = ()

  @property
  def width(self) -> int:
    """Number of inputs that it becomes."""
    return len(self.categories) or len(self.parts) or 1

  @property
  def inputs(self) -> list[str]:
    """Names of its inputs: 'age', 'flag=SF', 'sold days', ..."""
    if self.categories:
      return [f'{self.name}={category}' for category in self.categories]
    return [f'{self.name} {part}' for part in self.parts] or [self.name]


def columns_of_json(stored: Sequence[Mapping[str, Any]]) -> list[Column]:
  """Returns columns that were stored as mappings; earlier ones lack `parts`."""
  return [
    Column(c['name'], tuple(c['categories']), tuple(c.get('parts', ())))
    for c in stored
  ]


class Footage(NamedTuple):
  """Times and size of the frames of one video, as its file says.

  rate: frames per second; None: not known, as for a folder of frames.
  seconds: time of each frame after the first one; None: not known.
  shape: (width, height) at which to show it; None: that of its frames.
  warnings: one line for each missing or damaged part.
  """

  rate: float | None = None
  seconds: Sequence[float] | None = None
  shape: tuple[int, int] | None = None
  warnings: tuple[str, ...] = ()

  def at(self, number: np.ndarray) -> np.ndarray | None:
    """Returns the times [n], in seconds, of frames `number` [n], or None."""
    if self.seconds is not None:
      return np.asarray(self.seconds, float)[number]
    return (number / self.rate).round(6) if self.rate else None


class Videos(NamedTuple):
  """Videos of a data set, and the frame that the score of a clip belongs to.

  names: [V] names; a training and a test video may share one.
  lengths: [V] int32, number of frames.
  video: [S] int32, index into `names` for each clip.
  frame: [S] int32, the scored frame of each clip, counted from 0 in its video.
  footage: [V], or empty where nothing is known.
  """

  names: tuple[str, ...]
  lengths: np.ndarray
  video: np.ndarray
  frame: np.ndarray
  footage: tuple[Footage, ...] = ()


class Payments(NamedTuple):
  """Values of rows that are payments, by which alarms are counted in money.

  amount: [S], at least 0, in the currency of the data.
  seconds: [S], time of each payment after any fixed moment.
  """

  amount: np.ndarray
  seconds: np.ndarray

  def at(self, rows: np.ndarray) -> 'Payments':
    """Returns those of some rows [n]."""
    return Payments(self.amount[rows], self.seconds[rows])


class HostStage(NamedTuple):
  """First stage of scaling, in float64: (log1p(x) - centre) * unit.

  Module `host_stage` fits and applies it. Each field is [D] for a table and [1]
  for images.

  log1p: bool, True for inputs whose logarithm is taken.
  centre: float64, 0 except for offsets that float32 cannot hold.
  unit: float64, 1 except for columns beyond the range of float32.
  """

  log1p: np.ndarray
  centre: np.ndarray
  unit: np.ndarray


class Samples(NamedTuple):
  """Content of the files of a user, one file after the other.

  inputs: [S, D], an array or what reads like one; or images [S, H, W, C].
  columns: columns of a table, else empty.
  sizes: number of samples in each file.
  labels: for each file [n] text, or None where the file has no labels.
  keys: [S] text that names the samples, or None.
  notes, remarks, warnings: see `Source`.
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
  """Raw samples of a data set, with all that is known of them.

  inputs: [S, H, W, C] uint8 (images), [S, D] float64 (tables: numeric columns
    as they are, NaN where missing, and one-hot categories; float32 after
    `host`) or `clips.Gathered` [S, T, H, W, C] (clips of videos; [S, H, W, C]
    single frames) uint8, or float32 where networks see motion.
  labels: [S] int32, index into `label_names`; for a clip, the label of its
    scored frame.
  label_names: names of the labels.
  normal_labels: indices of the normal labels; empty where the protocol picks
    a normal class, or where there are no labels.
  is_test: [S] bool for sources with their own test set, else None.
  masks: [S, H, W] bool, True where a pixel is anomalous; None without masks.
    For clips: masks of the scored frames, as `clips.Gathered`.
  has_mask: [S] bool, True where the mask of a sample is known (for normal
    samples it is False everywhere), or None.
  columns: columns of a table, else empty. Inputs of column i follow those of
    column i - 1.
  videos: the video and frame of each clip; None for other samples.
  pictures: [F, H, W, C] uint8, the frames that clips are made of, in the order
    of `inputs.frames`; None where these are the same.
  payments: amounts and times, where samples are payments; else None.
  places: {name such as 'file' or 'row': [S] values} by which a user finds a
    sample again; empty where nobody would look for one. For clips see `videos`.
  levels: values of 16-bit pictures that became 0 and 255; else the full range.
  unknown: [H, W] bool, pixels of all pictures that nobody may look at; or None.
  sizes: [S, 2] int32 height and width of pictures that differ in them; each
    lies at the top left of its input, and the rest is grey. None: all fill it.
  labelled: False when the data have no labels (all samples count as normal).
  dropped: samples that are left out, one entry per reason: {'count': int,
    'why': str}.
  host: first stage of scaling that `inputs` went through, or None.
  notes: plain facts for the results, such as counts of duplicates.
  remarks: lines on how the files were read, such as 'read price as numbers
    with decimal comma'; shown before the first step and in the results.
  warnings: lines on what makes the numbers doubtful, each with the mend; shown
    before the first step, in the results, and on the first screen of the
    report.
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
  pictures: Any = None
  payments: Payments | None = None
  places: dict[str, np.ndarray] = {}
  levels: tuple[int, int] = (0, 2**16 - 1)
  unknown: np.ndarray | None = None
  sizes: np.ndarray | None = None
  labelled: bool = True
  dropped: tuple[dict[str, Any], ...] = ()
  host: HostStage | None = None
  notes: dict[str, Any] = {}
  remarks: tuple[str, ...] = ()
  warnings: tuple[str, ...] = ()

  @property
  def has_images(self) -> bool:
    """True if each sample is one image, and not a frame of a video."""
    return len(self.inputs.shape) == 4 and self.videos is None

  def covered(self, rows: np.ndarray) -> np.ndarray | None:
    """Returns which pixels [M, H, W] of inputs are of pictures; None: all.

    Args:
      rows: [M] samples.
    """
    if self.sizes is None:
      return None
    down, right = (
      np.arange(count)[None] < self.sizes[rows, axis, None]
      for axis, count in enumerate(self.inputs.shape[1:3])
    )
    return down[:, :, None] & right[:, None, :]


class Transform(NamedTuple):
  """Turns a raw input x into a model input: clip(fill(x) * scale + shift).

  Each field is float32 and broadcasts against one input: [D] for tables, [1]
  for images, [C] for frames with channels of motion. `fill` replaces NaN;
  `limit` [1] clips both sides. With `least_contrast` [1], fill(x) of an image
  is first brought to mean 0 and mean absolute value 1; an image of less
  contrast than that is divided by `least_contrast` instead. With `least_norm`
  [1] it is first blurred and divided by its L2 norm, or by `least_norm` if that
  is larger.
  """

  scale: np.ndarray
  shift: np.ndarray
  fill: np.ndarray
  limit: np.ndarray
  least_contrast: np.ndarray | None = None
  least_norm: np.ndarray | None = None


class Split(NamedTuple):
  """Training, validation and test samples of one replica.

  train, validation: [n] int32 indices of normal samples; with anomalies among
    them only under `data.pollution`.
  test: [T] int32 indices; anomalous: [T] bool.
  transform: second stage of scaling, fitted on `train` only.
  notes: plain facts, such as counts of unknown categories in the test set.
  warnings: see `Source`; only those of this split.
  """

  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray
  anomalous: np.ndarray
  transform: Transform
  notes: dict[str, Any] = {}
  warnings: tuple[str, ...] = ()
