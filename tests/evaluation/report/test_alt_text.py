"""Words on figures, for those who do not see them."""

import matplotlib.figure
import numpy as np

from memae_jax.evaluation.report import alt_text
from memae_jax.evaluation.report.plots import style


def test_charts_have_axes_curves_and_rows():
  figure, axes = style.axes(1, 2)
  axes[0, 0].plot([0, 1], label='MemAE')
  axes[0, 0].plot([1, 0], label='AE')
  style.legend(axes[0, 0])
  style.titles(axes[0, 0], 'ROC', 'false positives', 'true positives')
  axes[0, 1].set_yticks([0, 1], ['PCA', 'AE'])
  style.titles(axes[0, 1], 'AUROC')
  assert alt_text.of(figure) == (
    'Chart “ROC”, true positives against false positives, showing MemAE, AE.'
    ' Chart “AUROC”, for PCA, AE.'
  )


def test_pictures_have_rows_and_columns():
  figure = matplotlib.figure.Figure()
  axes = figure.subplots(2, 3)
  for ax in axes.flat:
    drawn = ax.imshow(np.eye(2))
  figure.colorbar(drawn)
  for ax, name in zip(axes[:, 0], ('input', 'recon-\nstruction')):
    ax.set_ylabel(name)
  for ax in axes[0]:
    ax.set_title('normal,\nlow')
  assert alt_text.of(figure) == (
    '6 pictures, in rows: input, reconstruction; above them: normal, low.'
  )


def test_long_lists_are_cut():
  figure, axes = style.axes()
  axes[0, 0].set_yticks(range(15), [f'run {i}' for i in range(15)])
  assert alt_text.of(figure).endswith('run 11, and 3 more.')


def test_nothing_to_say():
  assert alt_text.of(matplotlib.figure.Figure()) == ''
  assert alt_text.of(style.axes()[0]) == ''
