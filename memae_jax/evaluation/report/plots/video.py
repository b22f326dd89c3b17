"""Curves of the scores of frames over time."""

import textwrap
from collections.abc import Sequence

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import style

_COLUMNS = 4
_LINE = 95  # Letters.


def score_curves(
  frames: frames_lib.FrameScores,
  threshold: float | None = None,
  most: int = 24,
) -> matplotlib.figure.Figure:
  """Draws the score of each frame: a panel for each video, anomalies shaded.

  All panels have one scale, since one threshold serves all videos. It leaves
  out the highest 0.5 % of the scores, so that no outlier flattens the rest.

  Args:
    frames: of all test videos.
    threshold: drawn as a line; None: there is none.
    most: panels; of more videos the first ones are drawn.
  """
  frames = frames_lib.checked(frames)
  rows = frames_lib.videos(frames)[:most]
  columns = min(len(rows), _COLUMNS)
  lines = -(-len(rows) // columns)
  figure, axes = style.axes(lines, columns, 0.5 + 1.3 * lines, sharey=True)
  low, high = np.quantile(frames.score, (0, 0.995))
  room = 0.06 * (high - low) or 1.0
  for i, (ax, row) in enumerate(zip(axes.flat, rows)):
    at = np.arange(row['frames'], dtype=float)
    _curve(ax, frames, i, at, threshold)
    ax.set(xlim=(0, row['frames']), ylim=(low - room, high + room))
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3, integer=True))
    ax.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3))
    title = style.literal(row['name'])
    if row['auroc'] is not None:
      title += f'  AUROC {wording.number(row["auroc"], 2)}'
    style.titles(ax, title)
  for ax in axes.flat[len(rows) :]:
    ax.set_axis_off()
  _legend(figure, axes)
  figure.supylabel('anomaly score', fontsize=9, color=style.MUTED)
  return figure


def new_video(
  frames: frames_lib.FrameScores,
  threshold: float,
  seconds: np.ndarray | None,
  warnings: Sequence[str] = (),
) -> matplotlib.figure.Figure:
  """Draws the score of each frame of one video over time.

  Args:
    frames: of the video.
    threshold: drawn as a line; it and all scores are within the picture.
    seconds: [n] times of the frames of the video; None: draw over their
      numbers.
    warnings: sentences that stand above.
  """
  frames = frames_lib.checked(frames)
  lines = [part for w in warnings for part in textwrap.wrap(w, _LINE)]
  figure, axes = style.axes(1, 1, 2.6 + 0.16 * len(lines))
  (ax,) = axes.flat
  at = np.arange(frames.lengths[0], dtype=float) if seconds is None else seconds
  _curve(ax, frames, 0, at, threshold)
  values = np.append(frames.score[np.isfinite(frames.score)], threshold)
  values = values[np.isfinite(values)]
  room = 0.06 * float(np.ptp(values)) or 1.0
  ax.set(
    xlim=(at[0], max(at[-1], at[0] + 1e-3)),
    ylim=(values.min() - room, values.max() + room),
  )
  title = style.literal('\n'.join([frames.names[0], *lines]))
  unit = 'frame' if seconds is None else 'seconds'
  style.titles(ax, title, unit, 'anomaly score')
  _legend(figure, axes)
  return figure


def _curve(ax, frames, video: int, at: np.ndarray, threshold) -> None:
  """Draws the scores of one video.

  Args:
    ax: where to.
    frames: of all videos.
    video: its index.
    at: [n] times or numbers of its frames.
    threshold: drawn as a line; None: there is none.
  """
  inside = frames.video == video
  number, score = frames.frame[inside], frames.score[inside]
  half = float(np.median(np.diff(at))) / 2 if len(at) > 1 else 0.5
  for first, last in frames_lib.spans(number[frames.anomalous[inside]]):
    ax.axvspan(
      at[first] - half,
      at[last] + half,
      color=style.ANOMALOUS,
      alpha=0.18,
      linewidth=0,
      label='anomalous frames',
    )
  curve = np.full(len(at), np.nan)  # No line where there is no score.
  curve[number] = score
  ax.plot(at, curve, color=style.INK, linewidth=1, label='score')
  beside = np.isnan(np.pad(curve, 1, constant_values=np.nan))
  alone = ~beside[1:-1] & beside[:-2] & beside[2:]
  if alone.any():  # A line of one frame is none.
    ax.plot(at[alone], curve[alone], '.', color=style.INK, markersize=3)
  if threshold is not None:
    ax.axhline(
      threshold,
      color=style.NORMAL,
      linewidth=1,
      linestyle='--',
      label='threshold',
    )


def _legend(figure, axes) -> None:
  """Puts one legend for all axes below them."""
  by_label = {}
  for ax in axes.flat:
    by_label |= dict(zip(*ax.get_legend_handles_labels()[::-1]))
  style.legend(
    figure,
    loc='outside lower center',
    ncols=3,
    handles=by_label.values(),
    labels=by_label.keys(),
  )
