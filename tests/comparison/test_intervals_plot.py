"""Estimates with intervals, as they are drawn."""

import numpy as np
import pytest

from memae_jax.comparison import intervals_plot


@pytest.mark.parametrize('summary', [None, {}, {'mean': None, 'ci95': [0, 1]}])
def test_what_is_undefined_has_no_estimate(summary):
  assert intervals_plot.estimate(summary) is None


def test_a_row_for_each_name_and_a_panel_for_each_title():
  estimate = intervals_plot.estimate({'mean': 0.9, 'ci95': [0.7, 1.1]})
  alone = intervals_plot.estimate({'mean': 0.4})
  figure = intervals_plot.rows(
    {'AUROC': {'cost $x': estimate, 'b': alone}, 'F1': {'c': alone}}
  )
  first, second = figure.axes
  labels = [label.get_text() for label in first.get_yticklabels()]
  assert labels == [r'cost \$x', 'b', 'c']
  interval, *points = (line.get_xdata() for line in first.lines)
  np.testing.assert_array_equal(interval, [0.7, 1.0])  # A share.
  assert len(points) == 2 and len(second.lines) == 1
  figure.canvas.draw()


def test_differences_are_not_cut_and_have_a_line_at_0():
  estimate = intervals_plot.Estimate(-0.5, (-1.2, 0.1))
  (axis,) = intervals_plot.rows({'x': {'a': estimate}}, zero=True).axes
  np.testing.assert_array_equal(axis.lines[0].get_xdata(), [-1.2, 0.1])
  assert list(axis.lines[-1].get_xdata()) == [0, 0]


def test_looks_repeat_after_the_last_colour():
  looks = [intervals_plot.look(number) for number in range(8)]
  assert len(set(looks)) == 7 and looks[7] == looks[0]
