"""A generated table has the form and the counts of the published one."""

import numpy as np
import scipy.stats

from memae_jax.data import prepare
from memae_jax.data.prepare.builders import creditcard_made
from memae_jax.data.sets import creditcard


def test_columns_counts_and_moments():
  table = creditcard_made.table(20_000)
  assert tuple(table) == creditcard.COLUMNS
  assert table['Class'].sum() == 35 and set(table['Class']) == {0, 1}
  parts = np.stack([table[name] for name in creditcard.COMPONENTS])
  correlation = np.corrcoef(parts) - np.eye(28)
  assert np.abs(correlation).max() < 1e-6
  deviations = parts.std(axis=1)
  assert (np.diff(deviations) < 0).all()
  np.testing.assert_allclose(deviations[[0, -1]], [1.96, 0.33])
  assert np.median(scipy.stats.kurtosis(parts, axis=1)) > 3  # Heavy tails.
  seconds, amount = table['Time'], table['Amount']
  assert (np.diff(seconds) >= 0).all() and seconds.max() < 172_800
  by_hour = np.bincount(seconds % 86_400 // 3600, minlength=24)
  assert by_hour[2:5].sum() < by_hour[14:17].sum() / 4
  assert amount.min() >= 0 and amount.mean() > 2 * np.median(amount)
  rows = np.column_stack([*parts, amount])
  assert 60 < len(rows) - len(np.unique(rows, axis=0)) <= 80


def test_the_seed_decides():
  first, again, other = (
    creditcard_made.table(500, seed=seed)['V1'] for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(first, again)
  assert not np.array_equal(first, other)


def test_it_is_written_once_as_kaggle_writes_it(tmp_path, monkeypatch):
  small = creditcard_made.table(50)
  monkeypatch.setattr(creditcard_made, 'table', lambda: small)
  target = prepare.prepare('creditcard_made', tmp_path)
  head, row, *rest = (target / 'creditcard.csv').read_text().splitlines()
  assert head.startswith('"Time","V1","V2",') and head.endswith(
    '"V28","Amount","Class"'
  )
  assert row.startswith(f'{small["Time"][0]},') and row[-4:] in (',"0"', ',"1"')
  assert len(rest) == 49
  before = (target / 'creditcard.csv').stat().st_mtime_ns
  prepare.prepare('creditcard_made', tmp_path)
  assert (target / 'creditcard.csv').stat().st_mtime_ns == before
