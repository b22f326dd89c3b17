import io

import numpy as np
import pytest

from memae_jax.evaluation.report import money_table
from memae_jax.evaluation.report.plots import money


def _facts(share):
  numbers = [1.0, 10.0, 100.0]
  curve = [
    {'recall': n / 100, 'amount_share': share and share * n} for n in numbers
  ]
  return {
    'test': {'amount': 500.0 if share else 0.0},
    'alarms_per_day': numbers,
    'methods': {'memae': {'curve': curve}, 'random': {'curve': curve}},
    'references': {name: curve for name in money_table.REFERENCES},
  }


@pytest.mark.parametrize('share', [0.008, None])
def test_a_line_for_each_method_and_reference(share):
  figure = money.cost_curves(_facts(share), 10)
  amount, frauds = figure.axes[:2]
  for ax in (amount, frauds):
    *lines, fixed = ax.get_lines()
    assert len(lines) == 5 and list(fixed.get_xdata()) == [10, 10]
    assert ax.get_xscale() == 'log'
  y = np.asarray(amount.get_lines()[3].get_ydata(), float)
  if share:
    np.testing.assert_allclose(y, [0.008, 0.08, 0.8])
  else:  # Frauds of no amount.
    assert np.isnan(y).all()
  labels = [text.get_text() for text in figure.legends[0].get_texts()]
  assert labels[:3] == ['all frauds first', 'largest amounts first', 'guessing']
  assert 'MemAE' in labels
  figure.savefig(io.BytesIO(), format='png', dpi=60)
  assert len(amount.child_axes) == (1 if share else 0)  # The sums.
