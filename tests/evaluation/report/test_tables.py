"""Cells of the tables: intervals, and dashes for what is not there."""

import copy

from memae_jax.evaluation.report import tables


def test_tables_of_videos_leave_out_what_has_no_map(digits):
  results = copy.deepcopy(digits['results'])
  assert tables.of_videos('of_places', results) == ([], [])
  results['videos'] = {'scored_frames': 3}
  results['methods']['memae'] |= {
    'auroc_dual_pixel': {'mean': 0.5},
    'tbdc': {'mean': None},
  }
  ((metric,), ((name, (cell,)),)) = tables.of_videos('of_places', results)
  assert metric.name == 'auroc_dual_pixel' and name == 'MemAE'
  assert cell['mean'] == '0.500'
  assert tables.of_videos('of_events', results) == ([], [])


def test_an_interval_of_what_may_be_negative_is_not_cut_at_zero(digits):
  results = copy.deepcopy(digits['results'])
  for group in tables.methods(results).values():
    for metric in ('auroc', 'variance_explained'):
      group[metric] = {'mean': 0.5, 'std': 1.0, 'n': 3, 'ci95': [-2.0, 3.0]}
  rows = dict(tables.every_metric(results))
  assert rows['Variance explained'][0]['ci'] == '[−2.000, 1.000]'
  assert rows['AUROC'][0]['ci'] == '[0.000, 1.000]'
