"""Rows of the table of defects by their area."""

from memae_jax.evaluation.metrics import defect_area
from memae_jax.evaluation.report import defect_table

ENDS = tuple(defect_area.FACTORS)


def _summary(**means):
  """Summaries of metrics whose numbers differ by the area."""
  return {
    name + end: {'mean': None if mean is None else mean / 2**i, 'n': 1}
    for name, mean in means.items()
    for i, end in enumerate(ENDS)
  }


def _results():
  known = {
    'defect_threshold': 0.00024681,
    'accuracy_good': 1.0,
    'accuracy_anomalous': 0.5,
    'accuracy_mean': 0.75,
    'region_overlap': None,
  }
  auroc = lambda mean: {'auroc': {'mean': mean, 'n': 1}}
  why = 'no test sample has a mask'
  return {
    'defects': {
      'areas': {'_quarter': 8, '': 33, '_fourfold': 131},
      'published': {'rows': {'AE (L2)': {'accuracy_good': 0.98,
        'accuracy_anomalous': 0.39, 'accuracy_mean': 0.685}}},
    },
    'paper': None,
    'methods': {'ae': _summary(**known), 'kde': {'auroc': {'mean': 0.5}}},
    'baselines': {'mean': _summary(**known)},
    'rules': {'ae': {'max_cell': auroc(0.7), 'mean_cell': auroc(0.6)}},
    'replicas': [
      {'name': 'ae', 'reasons': {'region_overlap' + end: why for end in ENDS}}
    ],
  }  # fmt: skip


def test_each_area_has_its_cells():
  table = defect_table.table(_results())
  assert table['areas'] == [('A / 4', 8), ('A', 33), ('4 A', 131)]
  rows = {name: (kind, cells) for kind, name, cells in table['rows']}
  assert list(rows) == ['AE', 'Distance to the mean', 'AE (L2), as published']
  kind, cells = rows['AE']
  assert kind == 'methods' and [cell['mean'] for cell in cells] == [
    '1.000 / 0.500', '0.750', '—', '0.0002468',
    '0.500 / 0.250', '0.375', '—', '0.0001234',
    '0.250 / 0.125', '0.188', '—', '6.17e-05',
    '0.700', '0.600',
  ]  # fmt: skip
  assert [cell['mean'] for cell in rows['Distance to the mean'][1]][-2:] == [
    '—',
    '—',
  ]
  (line,) = table['footnotes']
  assert 'because no test sample has a mask: Region overlap, area / 4' in line


def test_published_rows_have_one_area_that_nobody_knows():
  table = defect_table.table(_results())
  kind, _, cells = table['rows'][-1]
  texts = [cell['mean'] for cell in cells]
  assert kind == 'paper' and len(cells) == 14
  assert texts[4:6] == ['0.98 / 0.39', '0.685']
  assert not any(texts[:4] + texts[6:])


def test_the_spread_of_runs_stands_beside_both_accuracies():
  results = _results()
  summary = results['methods']['ae']
  for name in ('accuracy_good', 'accuracy_anomalous'):
    summary[name] |= {'std': 0.125, 'n': 2, 'ci95': [0, 1]}
  cell = defect_table.table(results)['rows'][0][2][4]
  assert cell['std'] == '0.125 / 0.125' and 'ci' not in cell


def test_without_areas_there_is_no_table():
  assert defect_table.table({'defects': None}) is None
  assert defect_table.table({}) is None  # Of an earlier version.
