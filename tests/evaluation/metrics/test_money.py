"""What alarms catch, against numbers counted by hand."""

import numpy as np
import pytest

from memae_jax.data import types
from memae_jax.evaluation.metrics import money

DAY = 86_400
# Ten payments of two days; the second, fourth and last are frauds.
SCORE = np.array([1, 9, 3, 8, 2, 7, 0, 5, 4, 6], float)
FRAUD = np.array([0, 1, 0, 1, 0, 0, 0, 0, 0, 1], bool)
AMOUNT = np.array([10, 100, 10, 50, 10, 10, 10, 10, 10, 250.0])
TEST = money.Tested(AMOUNT, 2.0)


def test_alarms_by_their_number_per_day():
  numbers = [0.5, 1, 1.5, 2, 5, 99]
  found = money.at_budgets(SCORE, FRAUD, TEST, numbers)
  assert [c.alarms_per_day for c in found] == numbers
  assert [c.precision for c in found] == [1, 1, 2 / 3, 3 / 4, 0.3, 0.3]
  recalls = [c.recall for c in found]
  assert recalls == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1, 1, 1])
  assert [c.amount for c in found] == [100, 150, 150, 400, 400, 400]
  assert [c.amount_share for c in found] == [0.25, 0.375, 0.375, 1, 1, 1]


def test_ties_are_taken_in_the_order_of_the_rows():
  flat = np.zeros(10)
  (found,) = money.at_budgets(flat, FRAUD, TEST, [1])
  assert found.precision == 0.5 and found.amount == 100


def test_a_part_of_the_payments_is_as_much_of_the_days():
  seconds = np.linspace(0, 2 * DAY - 1, 10)
  payments = types.Payments(AMOUNT, seconds)
  test = money.tested(payments, np.array([1, 9]))
  assert test.days == pytest.approx(0.4) and test.amount.tolist() == [100, 250]
  assert money.tested(payments, np.arange(5, 10)).days == 1
  at_once = types.Payments(AMOUNT, np.zeros(10))
  assert money.tested(at_once, np.arange(10)).days == 1 / DAY


def test_numbers_of_alarms_for_a_curve():
  budgets = money.budgets(money.Tested(np.ones(300), 2.0), [100, 4])
  assert budgets == [1, 2, 3, 4, 5, 7, 10, 20, 30, 50, 70, 100]
  assert money.budgets(TEST, [100]) == [1, 2, 3, 5, 100]


def test_metrics_at_a_number_and_at_a_quantile():
  normals = np.linspace(0, 7.5, 16)
  values, reasons = money.evaluate(SCORE, FRAUD, normals, TEST, 1, 1.0)
  assert set(values) == set(money.METRICS) and not reasons
  assert values['recall_at_alarms'] == pytest.approx(2 / 3)
  assert values['precision_at_alarms'] == 1
  assert values['amount_at_alarms'] == 0.375
  assert values['amount_at_normal_quantile'] == 0.375  # Above 7.5: 9 and 8.
  assert values['alarms_per_day_at_normal_quantile'] == 1


def test_the_order_of_rows_and_the_unit_of_scores_do_not_matter():
  order = np.random.default_rng(0).permutation(10)
  args = np.linspace(0, 5, 9), 1, 0.9
  once = money.evaluate(SCORE, FRAUD, args[0], TEST, *args[1:])
  again = money.evaluate(
    2 * SCORE[order],
    FRAUD[order],
    2 * args[0],
    TEST._replace(amount=AMOUNT[order]),
    *args[1:],
  )
  assert again == once


def test_what_is_undefined_has_a_reason():
  none = np.zeros(10, bool)
  values, reasons = money.evaluate(SCORE, none, SCORE, TEST, 1, 0.9)
  assert set(values.values()) == {None} and set(reasons) == set(money.METRICS)
  free = TEST._replace(amount=np.where(FRAUD, 0, AMOUNT))
  values, reasons = money.evaluate(SCORE, FRAUD, SCORE, free, 1, 0.9)
  assert values['amount_at_alarms'] is None and values['recall_at_alarms']
  assert 'have no amount' in reasons['amount_at_alarms']
  values, reasons = money.evaluate(SCORE, FRAUD, SCORE[:0], TEST, 1, 0.9)
  assert values['amount_at_normal_quantile'] is None
  assert 'no validation normals' in reasons['amount_at_normal_quantile']
  assert money.caught(none, FRAUD, TEST).precision is None
