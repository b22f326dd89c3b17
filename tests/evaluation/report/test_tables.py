"""Cells of the tables: intervals, and dashes for what is not there."""

import copy

from memae_jax.evaluation.report import tables


def test_a_variant_that_lacks_a_rule_of_clips_has_a_dash():
  summary = lambda mean: {'auroc_normalised': {'mean': mean, 'n': 1}}
  results = {
    'score': {'name': 'mse'},
    'videos': {'videos': 2},
    'paper': None,
    'rules': {
      'memae': {'mse': summary(0.5), 'mse_centre': summary(0.25)},
      'kde': {'kde': summary(0.75)},
    },
  }
  rows = [
    (title, [cell['mean'] for cell in cells])
    for title, cells in tables.rules(results)
  ]
  assert rows == [
    ('Mean squared error (the score)', ['0.500', '—']),
    ('Mean squared error of the scored frame', ['0.250', '—']),
    ('Kernel density', ['—', '0.750']),
  ]


def test_an_interval_of_what_may_be_negative_is_not_cut_at_zero(digits):
  results = copy.deepcopy(digits['results'])
  for group in tables.methods(results).values():
    for metric in ('auroc', 'variance_explained'):
      group[metric] = {'mean': 0.5, 'std': 1.0, 'n': 3, 'ci95': [-2.0, 3.0]}
  rows = dict(tables.every_metric(results))
  assert rows['Variance explained'][0]['ci'] == '[−2.000, 1.000]'
  assert rows['AUROC'][0]['ci'] == '[0.000, 1.000]'
