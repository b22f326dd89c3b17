"""Numbers of papers, as they were printed."""

import pytest

from memae_jax import config as config_lib
from memae_jax.data.prepare.builders import mvtec
from memae_jax.evaluation.results import published
from memae_jax.methods import registry
from memae_jax.runtime import errors
from tests.evaluation import stand_ins


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
    ('unique', True),
    ('protocol', 'official'),
    ('name', 'digits'),
  ):
    other = config_lib.default()
    other.paper = other.data.name = 'mnist'
    other.data[field] = value
    assert published.beside(other) is None


def _of_category(path='screw', **fields):
  data = {'name': 'image_folder', 'path': path, 'protocol': 'given'} | fields
  return published.defects(config_lib.resolve({'data': data}))


def test_the_means_of_the_categories_are_those_of_the_paper():
  """Sums over 15 categories, added up by hand from the table."""
  totals = {}
  for category in mvtec.CATEGORIES:
    for name, row in _of_category(f'/any/{category}')['rows'].items():
      rates = row['accuracy_good'], row['accuracy_anomalous']
      assert row['accuracy_mean'] == pytest.approx(sum(rates) / 2)
      totals.setdefault(name, []).append(rates)
  means = {
    name: tuple(round(sum(part) / len(part), 3) for part in zip(*of_method))
    for name, of_method in totals.items()
  }
  assert means['AE (SSIM)'] == (0.776, 0.489)
  assert means['AE (L2)'] == (0.824, 0.588)
  assert means['AnoGAN'] == (0.883, 0.221)
  assert means['CNN feature dictionary'] == (0.827, 0.301)
  sizes = {name: len(rates) for name, rates in totals.items()}
  assert sizes == dict.fromkeys(list(sizes)[:4], 15) | {
    'Texture inspection (GMM)': 5,
    'Variation model': 6,
  }


def test_categories_are_those_of_other_folders_and_samples_only():
  rows = _of_category()['rows']
  assert rows['Variation model']['accuracy_anomalous'] == 0.1
  assert 'Texture inspection (GMM)' not in rows
  assert _of_category('screws') is None and _of_category('') is None
  assert _of_category(protocol='random_rows') is None
  assert _of_category(max_samples=9) is None
  assert published.defects(config_lib.resolve(stand_ins.CONFIG)) is None
