"""Numbers of papers, as they were printed."""

import pytest

from memae_jax import config as config_lib
from memae_jax.evaluation.results import published
from memae_jax.methods import registry
from memae_jax.runtime import errors


def test_the_paper_is_quoted_exactly():
  table = published.table('kddcup99')
  assert table['variants']['memae'] == {
    'precision_at_ratio': 0.9627,
    'recall_at_ratio': 0.9655,
    'f1_at_ratio': 0.9641,
  }
  for row in (*table['variants'].values(), *table['others'].values()):
    p, r = row['precision_at_ratio'], row['recall_at_ratio']
    # Means of ratios over runs: only about the F1 of the means.
    assert row['f1_at_ratio'] == pytest.approx(2 * p * r / (p + r), abs=3e-3)
  assert published.table('mnist')['variants']['ae'] == {'auroc': 0.9619}
  assert published.table('mnist')['others']['OC-SVM'] == {'auroc': 0.9499}
  assert published.table('cifar10')['variants']['vae'] == {'auroc': 0.5725}
  assert published.table('cifar10')['others']['KDE'] == {'auroc': 0.5756}
  assert published.table('') is None
  for known in published.TABLES.values():
    assert {'memae', 'nonspar', 'ae'} <= set(known['variants'])
    assert set(known['variants']) <= set(registry.names())
    for row in (*known['variants'].values(), *known['others'].values()):
      assert set(row) == set(known['metrics'])
  with pytest.raises(errors.UserError, match='did you mean "mnist"'):
    published.table('mnst')


def test_no_table_stands_beside_other_samples():
  config = config_lib.default()
  config.paper = config.data.name = 'mnist'
  assert published.beside(config) is published.TABLES['mnist']
  for field, value in (
    ('pollution', 0.1),
    ('max_samples', 100),
    ('protocol', 'official'),
    ('name', 'digits'),
  ):
    other = config_lib.default()
    other.paper = other.data.name = 'mnist'
    other.data[field] = value
    assert published.beside(other) is None
