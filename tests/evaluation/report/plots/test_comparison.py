"""Plots of methods side by side."""

import numpy as np
import pytest

from memae_jax.evaluation.report.plots import comparison


def test_each_replica_is_a_dot_and_what_is_undefined_a_word():
  summary = {'auroc': {'mean': 0.8, 'ci95': [0.6, 1.2]}}
  figure = comparison.metric_dots(
    {'memae': {'auroc': [0.7, 0.9]}},
    {'memae': summary, 'ae': {'auroc': {'mean': None}}},
    {'auroc': 'AUROC'},
  )
  figure.canvas.draw()
  (axis,) = figure.axes
  assert [text.get_text() for text in axis.get_yticklabels()] == ['MemAE', 'AE']
  dots, interval = axis.lines[:2]
  np.testing.assert_array_equal(dots.get_xdata(), [0.7, 0.9])
  np.testing.assert_array_equal(interval.get_xdata(), [0.6, 1.0])
  assert len(axis.texts) == 1


def test_classes_have_a_row_each():
  figure = comparison.class_dots(
    {'memae': {'cat': [0.7], '$5': [0.9, 0.8]}, 'ae': {'cat': [0.6]}}, 'AUROC'
  )
  figure.canvas.draw()
  (axis,) = figure.axes
  labels = [text.get_text() for text in axis.get_yticklabels()]
  assert labels == ['cat', r'\$5']
  assert [len(line.get_xdata()) for line in axis.lines] == [3, 1]


@pytest.mark.parametrize(
  ('values', 'scale'),
  [((5, 50), 'log'), ((5, 10), 'linear'), ((0.0, 50), 'linear')],
)
def test_wide_sweeps_have_a_logarithmic_axis(values, scale):
  points = {'memae': [(x, y) for x in values for y in (0.8, 0.6)]}
  (axis,) = comparison.sweep(points, 'slots', 'AUROC').axes
  assert axis.get_xscale() == scale
  np.testing.assert_allclose(axis.lines[-1].get_ydata(), 0.7)
  assert list(axis.get_xticks()) == list(values)
