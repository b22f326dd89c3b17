"""The list of the highest scores, with columns of tables."""

from memae_jax.evaluation.report import highest_table

RESULTS = {
  'highest': {
    'ae': {
      'network': 'ae',
      'rows': [
        {
          'row': 1234,
          'score': 9.5,
          'flagged': True,
          'strongest': [
            {'column': 'age', 'share': 0.75, 'value': '9'},
            {'column': 'city', 'share': 0.25, 'value': 'Rome'},
          ],
        }
      ],
    },
    'dagmm': {
      'network': 'dagmm',
      'rows': [{'row': 7, 'score': 8.25, 'flagged': None}],
      'no_columns': 'its score "energy" (Energy) is no sum over columns',
    },
  }
}


def test_cells_of_rows():
  assert highest_table.table(RESULTS) == [
    (
      'AE',
      ['row', 'score', 'flagged', 'columns, their shares and values'],
      [['1234', '9.5', 'yes', 'age 75.0% (9), city 25.0% (Rome)']],
    ),
    ('DAGMM', ['row', 'score', 'flagged'], [['7', '8.25', '—']]),
  ]
  assert highest_table.names_columns(RESULTS)


def test_methods_whose_scores_name_no_column():
  assert highest_table.without_columns(RESULTS) == [
    'DAGMM names no columns, as its score "energy" (Energy) is no sum over'
    ' columns.'
  ]
  none = {'highest': {'dagmm': RESULTS['highest']['dagmm']}}
  assert not highest_table.names_columns(none)
