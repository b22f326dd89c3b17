"""Scores of the frames of videos over time."""

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from memae_jax.evaluation import frames as frames_lib
from memae_jax.evaluation import words
from memae_jax.evaluation.plots import style

_COLUMNS = 4


def score_curves(
  frames: frames_lib.FrameScores,
  threshold: float | None = None,
  most: int = 24,
) -> matplotlib.figure.Figure:
  """Score of each frame, a panel a video with its AUROC, anomalies shaded.

  All panels have one scale, as one threshold for all videos has to cope with;
  it ends at the highest 0.5 % of the scores, so that no outlier flattens it.

  Args:
    frames: of all test videos.
    threshold: drawn as a line if given.
    most: panels; of more videos the first ones are shown.
  """
  frames = frames_lib.checked(frames)
  rows = frames_lib.videos(frames)[:most]
  columns = min(len(rows), _COLUMNS)
  lines = -(-len(rows) // columns)
  figure, axes = style.axes(lines, columns, 0.5 + 1.3 * lines, sharey=True)
  low, high = np.quantile(frames.score, (0, 0.995))
  room = 0.06 * (high - low) or 1.0
  for i, (ax, row) in enumerate(zip(axes.flat, rows)):
    mine = frames.video == i
    at, score = frames.frame[mine], frames.score[mine]
    for first, last in frames_lib.spans(at[frames.anomalous[mine]]):
      ax.axvspan(
        first - 0.5,
        last + 0.5,
        color=style.ANOMALOUS,
        alpha=0.18,
        linewidth=0,
        label='anomalous frames',
      )
    curve = np.full(row['frames'], np.nan)  # No line where there is no score.
    curve[at] = score
    ax.plot(curve, color=style.INK, linewidth=1, label='score')
    if threshold is not None:
      ax.axhline(
        threshold,
        color=style.NORMAL,
        linewidth=1,
        linestyle='--',
        label='threshold',
      )
    ax.set(xlim=(0, row['frames']), ylim=(low - room, high + room))
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3, integer=True))
    ax.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3))
    title = style.literal(row['name'])
    if row['auroc'] is not None:
      title += f'  AUROC {words.number(row["auroc"], 2)}'
    style.titles(ax, title)
  for ax in axes.flat[len(rows) :]:
    ax.set_axis_off()
  known = {}
  for ax in axes.flat:
    known |= dict(zip(*ax.get_legend_handles_labels()[::-1]))
  style.legend(
    figure,
    loc='outside lower center',
    ncols=3,
    handles=known.values(),
    labels=known.keys(),
  )
  figure.supylabel('anomaly score', fontsize=9, color=style.MUTED)
  return figure
