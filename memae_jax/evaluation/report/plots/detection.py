"""Plots of how well normal and anomalous scores separate."""

from collections.abc import Mapping, Sequence

import matplotlib.figure
import matplotlib.ticker
import numpy as np
import sklearn.metrics

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import style
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import scores


def score_distributions(
  replicas: Sequence[scores.ReplicaScores], normal_quantile: float
) -> matplotlib.figure.Figure:
  """Draws histograms of normal and anomalous test scores: a row per replica.

  Args:
    replicas: their scores.
    normal_quantile: of the validation normals, marked as the threshold.
  """
  figure, axes = style.axes(len(replicas), height=0.5 + 1.75 * len(replicas))
  for ax, replica in zip(axes[:, 0], replicas):
    values = np.asarray(replica.score, np.float64)
    bins, log = _bins(values)
    values = np.maximum(values, bins[0])
    if log:
      ax.set_xscale('log')
    for mask, name, colour in (
      (~replica.anomalous, 'normal', style.NORMAL),
      (replica.anomalous, 'anomalous', style.ANOMALOUS),
    ):
      if not mask.any():
        continue
      share = np.histogram(values[mask], bins)[0] / mask.sum()
      kind = f'{name} ({mask.sum():,})'
      ax.stairs(share, bins, fill=True, color=colour, alpha=0.35)
      ax.stairs(share, bins, color=colour, linewidth=1.2, label=kind)
    threshold = replica.threshold(normal_quantile)
    if threshold is not None:
      below = describe.percent(normal_quantile)
      ax.axvline(
        threshold,
        color=style.INK,
        linewidth=1,
        linestyle='--',
        label=f'{below} of validation normals lie below',
      )
    ax.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1, 0))
    ax.set_ylim(0)
    style.titles(ax, _replica_title(replica), y='share of its kind')
    style.legend(ax, loc='lower right', bbox_to_anchor=(1, 0.98), ncols=3)
  axis = 'anomaly score' + (' (logarithmic)' if log else '')
  ax.set_xlabel(axis, fontsize=9, color=style.MUTED)
  return figure


def _bins(values: np.ndarray) -> tuple[np.ndarray, bool]:
  """Returns the edges of 60 bins, and whether they are logarithmic.

  They are, if the values [T] span a wide range.
  """
  low, high = values.min(), values.max()
  positive = values[values > 0]
  if low >= 0 and positive.size:
    head, middle, tail = np.quantile(positive, (0.005, 0.5, 0.995))
    # Linear bins would put all but a few outliers into one or two.
    if tail > 20 * head or high > 10 * middle:
      # The first bin takes exact zeros.
      return np.geomspace(max(positive.min(), head / 100), high, 61), True
  return np.linspace(low, high if high > low else low + 1, 61), False


def _replica_title(replica: scores.ReplicaScores) -> str:
  rest = replica.name.partition('/')[2].replace('/', ', ')
  name = wording.label(replica.fields.get('variant', replica.name))
  return f'{name}  ({rest})' if rest else name


def _mean_curves(replicas, grid):
  """Averages ROC and precision-recall curves over replicas.

  Args:
    replicas: their scores.
    grid: [G] false positive rates, and recalls.

  Returns:
    [G] mean true positive rates and [G] mean precisions.
  """
  roc, precision_at = [], []
  for replica in replicas:
    fpr, tpr, _ = sklearn.metrics.roc_curve(replica.anomalous, replica.score)
    roc.append(np.interp(grid, fpr, tpr))
    precision, recall, _ = sklearn.metrics.precision_recall_curve(
      replica.anomalous, replica.score
    )
    # As average precision sums steps, take the first point to reach a recall.
    at = np.searchsorted(recall[::-1], grid, side='left')
    precision_at.append(precision[::-1][np.minimum(at, len(recall) - 1)])
  return np.mean(roc, axis=0), np.mean(precision_at, axis=0)


def detection_curves(
  groups: Mapping[str, Sequence[scores.ReplicaScores]], base_rate: float
) -> matplotlib.figure.Figure:
  """Draws ROC and precision-recall curves, mean over the replicas of a group.

  ROC curves are averaged at equal false positive rate, the others at equal
  recall.

  Args:
    groups: scores of replicas by variant or baseline; every replica must have
      normal and anomalous samples.
    base_rate: share of anomalous samples, drawn as the precision of guessing.
  """
  figure, axes = style.axes(1, 2, 4.7)
  grid = np.unique(np.r_[np.linspace(0, 1, 201), np.geomspace(1e-4, 0.01, 20)])
  for name, replicas in groups.items():
    colour, line, _ = style.of(name)
    is_method = not wording.is_reference(name)
    look = {
      'color': colour,
      'linestyle': line,
      'linewidth': 1.8 if is_method else 1.3,
      'label': wording.label(name),
    }
    roc, precision = _mean_curves(replicas, grid)
    axes[0, 0].plot(np.r_[0, grid], np.r_[0, roc], **look)
    axes[0, 1].plot(grid[1:], precision[1:], **look)
  axes[0, 0].plot(
    [0, 1], [0, 1], color='#cccccc', linewidth=1, zorder=1, label='guessing'
  )
  axes[0, 1].axhline(base_rate, color='#cccccc', linewidth=1, zorder=1)
  style.titles(axes[0, 0], 'ROC', 'false positive rate', 'true positive rate')
  style.titles(axes[0, 1], 'Precision and recall', 'recall', 'precision')
  for ax in axes.flat:
    low, high = -style.MARGIN, 1 + style.MARGIN
    ax.set(xlim=(low, high), ylim=(low, high))
  style.legend(
    figure,
    loc='outside lower center',
    ncols=5,
    handles=axes[0, 0].get_legend_handles_labels()[0],
  )
  return figure
