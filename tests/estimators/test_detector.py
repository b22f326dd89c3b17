import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn.base
import sklearn.ensemble
import sklearn.model_selection
import sklearn.pipeline
import sklearn.preprocessing
from sklearn.utils import estimator_checks

import memae_jax

# Checks of scikit-learn that may fail; IsolationForest fails two, both of
# sample weights, which this has not.
EXPECTED: dict[str, str] = {}


@pytest.mark.slow
def test_it_is_an_estimator_of_scikit_learn():
  """All checks; those that fail are listed, and no more than of the forest."""
  estimator = memae_jax.MemAE(
    epochs=5, widths=(8,), slots=5, random_state=0, verbose=0
  )
  checks = estimator_checks.check_estimator(
    estimator, expected_failed_checks=EXPECTED, on_fail=None, on_skip=None
  )
  failed = [c['check_name'] for c in checks if c['status'] == 'failed']
  assert len(checks) > 40 and not failed
  assert len(EXPECTED) <= 2


def test_scores_and_decisions(detector, table):
  score = detector.anomaly_score(table)
  assert score.shape == (60,) and score.dtype == np.float64
  np.testing.assert_array_equal(detector.score_samples(table), -score)
  decision = detector.decision_function(table)
  np.testing.assert_array_equal(decision, -score - detector.offset_)
  np.testing.assert_array_equal(
    detector.predict(table), np.where(decision < 0, -1, 1)
  )
  assert detector.score(table) == -score.mean()
  odd = table[:1] + [0, 300, 0, 0]
  assert detector.anomaly_score(odd) > score.max()
  assert detector.predict(odd) == -1


def test_the_threshold_is_of_held_out_samples(detector):
  held_out = detector.validation_scores_
  assert len(held_out) == 6  # A tenth of the samples.
  assert -detector.offset_ == np.quantile(held_out, 0.95)


def test_a_score_depends_on_no_other_sample(detector, table):
  whole = detector.anomaly_score(np.tile(table, (20, 1)))[:60]
  each = [detector.anomaly_score(row[None])[0] for row in table[:5]]
  np.testing.assert_array_equal(whole[:5], each)


def test_clones_and_pickles(detector, table):
  copy = sklearn.base.clone(detector)
  assert not hasattr(copy, 'fitted_')
  assert copy.get_params() == detector.get_params()
  again = pickle.loads(pickle.dumps(detector))
  assert type(again) is memae_jax.MemAE
  np.testing.assert_array_equal(
    again.decision_function(table), detector.decision_function(table)
  )


@pytest.mark.parametrize(
  'parameters, rows, words',
  [
    ({}, [[1.0, np.nan]] * 5, 'NaN'),
    ({}, [[1.0, 2.0]] * 2, 'minimum of 3'),
    ({}, [['a', 'b']] * 5, 'array of text'),
    ({}, [[1.0, 2.0]] * 5, 'are equal, so there is nothing to learn'),
    ({'verbose': 'no'}, [[1.0, 2.0]] * 5, "verbose is 'no'"),
    ({}, pd.DataFrame({'k': ['a'] * 5}), 'column "k" of X is'),
    ({'contamination': 0.7}, [[1.0, 2.0]] * 5, 'at most 0.5'),
    ({'network': 'graph'}, [[1.0, 2.0], [3, 1]] * 5, '"model.network" is'),
    ({'config': {'a.b': 1}}, [[1.0, np.nan]] * 5, '"a.b" is unknown'),
  ],
)
def test_bad_input_is_a_value_error_of_one_line(small, parameters, rows, words):
  with pytest.raises(ValueError, match=words) as caught:
    small(**parameters).fit(rows)
  assert '\n' not in str(caught.value)


def test_other_samples_are_refused(detector):
  with pytest.raises(ValueError, match='expecting 4 features'):
    detector.predict([[1.0, 2.0]])
  with pytest.raises(ValueError, match='shape'):
    detector.predict(np.zeros((2, 4, 4)))


def test_frames_of_pandas(small, table):
  frame = pd.DataFrame(table, columns=list('abcd'))
  found = small().fit(frame)
  assert found.feature_names_in_.tolist() == list('abcd')
  np.testing.assert_array_equal(
    found.score_samples(frame), small().fit(table).score_samples(table)
  )
  with pytest.raises(ValueError, match='feature names'):
    found.predict(frame[list('abdc')])


@pytest.mark.slow
def test_frames_of_polars(small, table):
  polars = pytest.importorskip('polars')
  frame = polars.DataFrame(table, schema=list('abcd'))
  found = small().fit(frame)
  assert found.feature_names_in_.tolist() == list('abcd')
  np.testing.assert_array_equal(
    found.score_samples(frame), small().fit(table).score_samples(table)
  )
  with pytest.raises(ValueError, match='column "e" of X is String'):
    small().fit(polars.DataFrame({'e': ['x'] * 5}))


@pytest.mark.slow
def test_contamination_is_a_share_of_the_samples_of_fit(small, table):
  found = small(contamination=0.1)
  assert (found.fit_predict(table) == -1).sum() == 6


@pytest.mark.slow
def test_random_states(small, table):
  seeded = [small(random_state=s).fit(table) for s in (1, 1, 2)]
  one, same, other = (f.score_samples(table) for f in seeded)
  np.testing.assert_array_equal(one, same)
  assert not np.array_equal(one, other)
  drawn = small(random_state=np.random.RandomState(0)).fit(table)
  seed = np.random.RandomState(0).randint(2**31)
  assert drawn.fitted_.config['train']['seed'] == seed


@pytest.mark.slow
def test_missing_numbers_become_medians(small, table):
  holes = table.copy()
  holes[3, 1] = np.nan
  found = small(config={'data.missing': 'median'}).fit(holes)
  assert np.isfinite(found.score_samples(holes)).all()


@pytest.mark.slow
def test_search_in_a_pipeline_with_two_processes(small, table):
  """The scorer needs no labels: the error of held-out folds."""
  pipeline = sklearn.pipeline.make_pipeline(
    sklearn.preprocessing.RobustScaler(), small()
  )
  search = sklearn.model_selection.GridSearchCV(
    pipeline, {'memae__epochs': [1, 60]}, n_jobs=2, cv=2
  )
  search.fit(table)
  assert search.best_params_ == {'memae__epochs': 60}
  scores = search.cv_results_['mean_test_score']
  assert scores[0] < scores[1]
  assert search.predict(table).shape == (60,)


@pytest.mark.slow
def test_images():
  rng = np.random.default_rng(0)
  images = rng.integers(0, 255, (20, 8, 8), np.uint8)
  found = memae_jax.MemAE(
    epochs=1,
    widths=(4,),
    slots=5,
    verbose=0,
    random_state=0,
    config={'model.memory.per_position': True},
  ).fit(images)
  assert found.score_samples(images).shape == (20,)
  explained = found.explain(images[:2])
  assert explained.errors.shape == (2, 8, 8)
  assert explained.slots.shape == (2, 16, 3)  # A query for each position.
  assert explained.samples.shape == (2, 16, 3, 3)
  assert explained.reconstruction.shape == (2, 8, 8, 1)
  with pytest.raises(ValueError, match='same shape'):
    found.predict(images[:, :, :4])
  with pytest.raises(ValueError, match='same\\s+type'):
    found.predict(images / 255)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['Bank', 'IsolationForest'])
def test_other_families(name, small, table):
  others = {'epochs': None, 'widths': None, 'code': None}
  slots = 10 if name == 'Bank' else None
  found = small(name, slots=slots, **others).fit(table)
  again = pickle.loads(pickle.dumps(found))
  score = found.anomaly_score(table)
  np.testing.assert_array_equal(again.anomaly_score(table), score)
  assert found.anomaly_score(table + 1000).min() > np.median(score)
  if name == 'IsolationForest':
    with pytest.raises(ValueError, match='no explanation; these have: .*bank'):
      found.explain(table)
    with pytest.raises(ValueError, match='"isolation_forest" has no memory th'):
      found.memory()
