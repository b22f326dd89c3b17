"""Columns that made scores high: sums, planted anomalies, refusals."""

import types

import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.config import presets
from memae_jax.data import types as data_types
from memae_jax.evaluation.results import top_samples
from memae_jax.evaluation.scoring import collect, odd_columns, scores
from memae_jax.methods import base
from memae_jax.training import experiment, loop

COLUMNS, FACTORS, PLANTED, SIGMAS = 12, 3, 150, 6
ATTRIBUTED = 'memae', 'ae', 'pca', 'bank'
REFUSED = {
  'deep_svdd': 'code_distance',
  'dagmm': 'energy',
  'isolation_forest': 'isolation_forest',
}


def _rows(count: int, seed: int) -> np.ndarray:
  """Rows [n, COLUMNS] whose columns tell of each other, deviation 1 each."""
  mixed = np.random.default_rng(99).normal(size=(FACTORS, COLUMNS))
  mixed *= np.sqrt(0.91) / np.linalg.norm(mixed, axis=0)
  rng = np.random.default_rng(seed)
  factors = rng.normal(size=(count, FACTORS))
  return factors @ mixed + 0.3 * rng.normal(size=(count, COLUMNS))


def _config(folder, variants, **data):
  """Writes both files; in each test row one column is changed.

  Returns:
    The config, and the number [T] of the column that is changed.
  """
  rng = np.random.default_rng(2)
  test, where = _rows(PLANTED, 1), rng.integers(0, COLUMNS, PLANTED)
  test[np.arange(PLANTED), where] += SIGMAS * rng.choice([-1, 1], PLANTED)
  header = ','.join(f'x{i}' for i in range(COLUMNS))
  for name, rows in (('train', _rows(1200, 0)), ('test', test)):
    np.savetxt(
      folder / f'{name}.csv', rows, delimiter=',', header=header, comments=''
    )
  config = config_lib.default()
  config.data.name, config.data.protocol = 'arrays', 'given'
  config.data.path = str(folder / 'train.csv')
  config.data.test_path = str(folder / 'test.csv')
  config.fleet.normal_classes, config.fleet.variants = (), variants
  presets.table_network(config)
  presets.standard_table(config)
  config.model.widths, config.model.code = (24,), FACTORS
  config.model.memory.temperature = 0.1
  config.methods.bank.features, config.methods.bank.slots = 'raw', 500
  config.train.epochs, config.train.batch_size = 60.0, 64
  config.train.learning_rate = 3e-3
  config.data.clip = 10.0  # 6 deviations stay below it.
  config.eval.baselines, config.eval.columns = (), COLUMNS
  return config_lib.resolve(config), where


@pytest.mark.slow
def test_planted_anomalies_are_attributed(tmp_path):
  """Each shifted by 6 deviations, in one column: at least 95 % are right."""
  config, where = _config(tmp_path, (*ATTRIBUTED, *REFUSED))
  exp = experiment.build(config)
  loop.train(exp, tmp_path / 'run')
  found = {}
  for one in exp.members:
    _, weights, steps = collect.restored(one, tmp_path / 'run')
    networks, _, _ = collect.networks(one, weights, steps)
    for index, replica in enumerate(
      odd_columns.with_columns(one, weights, networks)
    ):
      found[replica.fields['variant']] = replica
      if replica.columns is not None:
        rows = replica.sample[:1000]
        added = odd_columns.adder(one, weights)(index, rows)
        assert (added >= 0).all()
        np.testing.assert_allclose(added.sum(1), replica.score, rtol=1e-5)
        np.testing.assert_allclose(replica.columns.share.sum(1), 1, rtol=1e-5)
  for variant in ATTRIBUTED:
    replica = found[variant]
    planted = where[replica.sample - replica.sample.min()]
    right = replica.columns.index[:, 0] == planted
    assert right.mean() >= 0.95, f'{variant}: {right.mean():.1%}'
  for variant, score in REFUSED.items():
    assert found[variant].columns is None
    assert f'"{score}"' in found[variant].no_columns
    assert 'is no sum over columns' in found[variant].no_columns
  listed = top_samples.highest(exp.source, found.values(), 0.95)
  assert listed['ae']['rows'][0]['strongest'][0]['share'] > 0.3
  assert 'strongest' not in listed['dagmm']['rows'][0]
  assert '"energy"' in listed['dagmm']['no_columns']


def _stand_in(maps=('mse',), count=2, places=True):
  """An experiment on 5 rows of a number and a category, batches of 2."""
  inputs = np.float32([[1, 1, 0], [2, 0, 1], [3, 1, 0], [4, 0, 1], [5, 1, 0]])
  source = data_types.Source(
    'made',
    inputs,
    np.zeros(5, np.int32),
    ('all',),
    columns=(
      data_types.Column('age'),
      data_types.Column('city', ('A', 'B')),
    ),
    places={'row': np.arange(5)} if places else {},
  )

  def predict(variables, x, hyper, mask, keys):
    del hyper, mask, keys
    errors = x**2 * variables['scale']
    return base.Prediction({'mse': errors.mean(axis=1)}, {'mse': errors})

  ones = np.ones(3, np.float32)
  split = types.SimpleNamespace(
    test=np.array([4, 1, 2]),
    transform=data_types.Transform(ones, 0 * ones, 0 * ones, 99 * ones[:1]),
  )
  replicas = [
    types.SimpleNamespace(name=f'ae/seed={i}', seed=i) for i in (0, 1)
  ]
  networks = [
    scores.ReplicaScores(
      replica.name,
      {'variant': 'ae'},
      np.float32([26 / 3, 5 / 3, 10 / 3]),
      np.zeros(3, bool),
      split.test,
      np.zeros(0),
    )
    for replica in replicas
  ]
  exp = types.SimpleNamespace(
    config=types.SimpleNamespace(
      eval=types.SimpleNamespace(columns=count, batch_size=2)
    ),
    source=source,
    rule='mse',
    trainer=types.SimpleNamespace(predict=predict),
    splits=[split, split],
    replicas=replicas,
    programs=types.SimpleNamespace(
      map_names=maps,
      is_large=False,
      one=lambda weights, index: types.SimpleNamespace(variables=weights),
      method_hyper=lambda index: (),
    ),
  )
  return exp, networks


def test_blocks_of_rows_and_the_first_replica():
  exp, networks = _stand_in()
  first, second = odd_columns.with_columns(exp, {'scale': 1.0}, networks)
  assert second.columns is None and second.no_columns == ''
  assert first.columns.index.tolist() == [[0, 1]] * 3
  np.testing.assert_allclose(
    first.columns.share,
    [[25 / 26, 1 / 26], [0.8, 0.2], [0.9, 0.1]],
    rtol=1e-6,
  )
  added = odd_columns.adder(exp, {'scale': 1.0})(0, np.array([4, 1]))
  np.testing.assert_allclose(added.sum(axis=1), networks[0].score[:2])


def test_a_score_that_is_no_sum_is_named():
  exp, networks = _stand_in(maps=())
  exp.rule = 'energy'
  first, _ = odd_columns.with_columns(exp, {'scale': 1.0}, networks)
  assert first.columns is None
  assert first.no_columns == (
    'its score "energy" (Energy) is no sum over columns'
  )
  exp, networks = _stand_in()
  exp.programs.is_large = True
  first, _ = odd_columns.with_columns(exp, {'scale': 1.0}, networks)
  assert 'too large' in first.no_columns


@pytest.mark.parametrize('fields', [{'count': 0}, {'places': False}])
def test_what_nobody_asks_for(fields):
  exp, networks = _stand_in(**fields)
  assert odd_columns.with_columns(exp, {'scale': 1.0}, networks) == networks
