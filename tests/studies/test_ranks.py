"""Ranks of methods over data sets."""

import pytest

from memae_jax.studies import ranks


def _rows(values):
  return [
    {
      'fields': {'data.path': path, 'variant': variant},
      'metrics': {} if mean is None else {'auroc': {'mean': mean}},
    }
    for path, of_path in values.items()
    for variant, mean in of_path.items()
  ]


def test_the_best_of_each_set_is_first_and_equals_share_their_ranks():
  rows = _rows(
    {
      'a': {'memae': 0.9, 'ae': 0.8},
      'b': {'memae': 0.7, 'ae': 0.7},
      'c': {'memae': 0.6, 'ae': 0.5},
      'd': {'memae': 0.6, 'ae': None},  # Failed.
    }
  )
  rivals = [{'pca': {'auroc': {'mean': 0.85}}, 'random': {}}] * len(rows)
  found = ranks.collect(rows, rivals, 'auroc', 'data.path')
  assert found['sets'] == 3 and found['left_out'] == {'d': ['AE']}
  by_name = {one['name']: one for one in found['methods']}
  assert by_name['MemAE']['rank'] == pytest.approx((1 + 2.5 + 2) / 3)
  assert by_name['AE']['rank'] == pytest.approx((3 + 2.5 + 3) / 3)
  assert by_name['PCA']['rank'] == pytest.approx((2 + 1 + 1) / 3)
  assert [one['first'] for one in found['methods']] == [2, 1, 0]
  for one in found['methods']:
    low, high = one['ci95']
    assert 1 <= low <= one['rank'] <= high <= 3
  assert [cells[0] for cells in ranks.cells(found)[1]] == ['PCA', 'MemAE', 'AE']
  assert ranks.note(found) == (
    'Ranks over 3 data sets, the best is 1. d is left out, as it lacks AE.'
  )


def test_two_sets_have_no_interval_and_errors_are_ranked_from_below():
  rows = _rows({'a': {'memae': 0.1, 'ae': 0.2}, 'b': {'memae': 0.1, 'ae': 0.3}})
  for row in rows:
    row['metrics']['eer'] = row['metrics'].pop('auroc')
  found = ranks.collect(rows, [{}] * 4, 'eer', 'data.path')
  assert [one['rank'] for one in found['methods']] == [1, 2]
  assert found['methods'][0]['ci95'] is None and 'Fewer' in ranks.note(found)
  assert ranks.collect(rows, [{}] * 4, 'eer', '') is None
