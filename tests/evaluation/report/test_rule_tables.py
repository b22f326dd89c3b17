"""Rows of the tables of score rules."""

from memae_jax.evaluation.report import rule_tables


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
    for title, cells in rule_tables.rules(results)
  ]
  assert rows == [
    ('Mean squared error (the score)', ['0.500', '—']),
    ('Mean squared error of the scored frame', ['0.250', '—']),
    ('Kernel density', ['—', '0.750']),
  ]


def test_the_chosen_rule_stands_beside_the_fixed_one():
  results = {
    'paper': None,
    'methods': {'memae': {'auroc': {'mean': 0.5, 'n': 2}}},
    'chosen': {
      'memae': {
        'metrics': {
          'auroc': {'mean': 0.75, 'n': 2},
          'rank_correlation': {'mean': -0.5, 'n': 2},
        },
        'rules': {'mse': 1, 'ssim': 3},
      }
    },
  }
  ((name, cells, taken),) = rule_tables.chosen(results)
  assert name == 'MemAE'
  assert [cell['mean'] for cell in cells] == ['0.750', '0.500', '−0.50']
  assert taken == 'Structural dissimilarity (3); Mean squared error (1)'
