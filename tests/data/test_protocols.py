import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.data import protocols
from memae_jax.runtime import errors

BASE = {'scaling': 'minmax', 'unknown_category': 'zero'}


@pytest.fixture(scope='session')
def split(data_config):
  def make(source, seed=0, normal_class=None, **fields):
    config = data_config(**{**BASE, **fields})
    return protocols.split(source, config, seed, normal_class)

  return make


def _check(source, split):
  parts = (split.train, split.validation, split.test)
  for part in parts:
    assert part.dtype == np.int32
    assert (np.diff(part) > 0).all()
    assert part.min() >= 0 and part.max() < len(source.inputs)
  assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts))
  assert split.anomalous.shape == split.test.shape
  assert split.anomalous.dtype == bool
  assert split.notes['train'] == len(split.train)
  assert split.notes['anomalies'] == split.anomalous.sum()


@settings(deadline=None, max_examples=60)
@given(
  rows=st.integers(40, 200),
  classes=st.integers(2, 4),
  seed=st.integers(0, 2**31),
  train=st.floats(0.3, 0.9),
  share=st.floats(0.01, 0.5),
  data=st.data(),
)
def test_one_class(make_source, split, rows, classes, seed, train, share, data):
  source = make_source(rows, classes, seed)
  normal_class = data.draw(st.integers(0, classes - 1))
  normal = source.labels == normal_class
  n, others = int(normal.sum()), int((~normal).sum())
  fields = {'train_fraction': train, 'anomaly_fraction': share}
  tested = n - round(train * n)
  wanted = max(1, round(share / (1 - share) * tested))
  if wanted > others:
    with pytest.raises(errors.UserError, match='anomaly_fraction'):
      split(source, seed, normal_class, **fields)
    return
  got = split(source, seed, normal_class, **fields)
  _check(source, got)
  assert normal[got.train].all() and normal[got.validation].all()
  np.testing.assert_array_equal(got.anomalous, ~normal[got.test])
  assert got.anomalous.sum() == wanted
  assert (~got.anomalous).sum() == tested
  kept = len(got.train) + len(got.validation)
  assert kept == round(train * n)
  assert len(got.validation) == max(1, round(0.1 * kept))
  again = split(source, seed, normal_class, **fields)
  np.testing.assert_array_equal(got.train, again.train)
  np.testing.assert_array_equal(got.test, again.test)


@settings(deadline=None, max_examples=40)
@given(
  rows=st.integers(60, 200),  # Fewer may leave too few normals to train on.
  seed=st.integers(0, 2**31),
  train=st.floats(0.3, 0.8),
)
def test_random_rows(make_source, split, rows, seed, train):
  source = make_source(rows, 2, seed)
  got = split(source, seed, protocol='random_rows', train_fraction=train)
  _check(source, got)
  assert len(got.test) == rows - round(train * rows)
  normal = source.labels == 0
  assert normal[got.train].all() and normal[got.validation].all()
  # All normals are somewhere, and no anomaly is in the training half.
  used = np.concatenate([got.train, got.validation, got.test])
  assert normal.sum() == normal[used].sum()


def test_given(make_source, split):
  source = make_source(60, 3, is_test=np.arange(60) >= 40)
  got = split(source, protocol='given')
  _check(source, got)
  np.testing.assert_array_equal(got.test, np.arange(40, 60))
  pool = np.sort(np.concatenate([got.train, got.validation]))
  np.testing.assert_array_equal(pool, np.arange(0, 40, 3))


def test_given_with_a_class(make_source, split):
  source = make_source(60, 3, is_test=np.arange(60) >= 40)
  got = split(source, normal_class=1, protocol='given')
  assert (source.labels[got.train] == 1).all()
  assert got.anomalous.sum() == (source.labels[40:] != 1).sum()


@pytest.mark.parametrize('normal_class', [0, 2])
def test_official(make_source, split, normal_class):
  source = make_source(60, 3, is_test=np.arange(60) >= 40)
  got = split(source, normal_class=normal_class, protocol='official')
  _check(source, got)
  np.testing.assert_array_equal(got.test, np.arange(40, 60))
  pool = np.sort(np.concatenate([got.train, got.validation]))
  np.testing.assert_array_equal(pool, np.arange(normal_class, 40, 3))
  assert len(got.validation) == round(0.1 * len(pool))
  normal = source.labels[40:] == normal_class
  np.testing.assert_array_equal(got.anomalous, ~normal)
  other = split(source, 1, normal_class, protocol='official')
  assert not np.array_equal(got.validation, other.validation)


def test_one_class_pools_the_official_parts(make_source, split):
  source = make_source(60, 3, is_test=np.arange(60) >= 40)
  got = split(source, normal_class=0)
  assert source.is_test[got.train].any() and not source.is_test[got.test].all()


def test_official_without_a_test_set(make_source, split):
  with pytest.raises(errors.UserError, match='"official".*"made".*"one_class"'):
    split(make_source(), 0, 0, protocol='official')


def test_official_without_a_class(make_source, split):
  source = make_source(is_test=np.arange(60) >= 40)
  with pytest.raises(errors.UserError, match='"official" needs a class.*2'):
    split(source, protocol='official')


def test_official_without_labels(make_source, split):
  source = make_source(is_test=np.arange(60) >= 40, labelled=False)
  with pytest.raises(errors.UserError, match='"official" needs labels'):
    split(source, 0, 0, protocol='official')


def test_seeds_and_classes_give_other_splits(make_source, split):
  source = make_source(90, 3)
  a, b = (split(source, seed, 0) for seed in (0, 1))
  assert not np.array_equal(a.train, b.train)


def test_zero_anomaly_fraction_takes_all(make_source, split):
  source = make_source(90, 3)
  assert split(source, 0, 0, anomaly_fraction=0).anomalous.sum() == 60


def test_unlabelled_rows_are_all_normal(make_source, split):
  source = make_source(30, 1, labelled=False)
  got = split(source, protocol='random_rows')
  assert not got.anomalous.any() and got.notes['anomalies'] == 0


def test_labelled_without_anomalies_is_allowed(make_source, split):
  got = split(make_source(30, 1), protocol='random_rows')
  assert not got.anomalous.any()


def test_unique_train_keeps_validation_and_test(make_source, split):
  source = make_source(60, 2)
  source = source._replace(inputs=np.repeat(source.inputs[:12], 5, axis=0))
  a = split(source, protocol='random_rows')
  b = split(source, protocol='random_rows', unique_train=True)
  np.testing.assert_array_equal(a.validation, b.validation)
  np.testing.assert_array_equal(a.test, b.test)
  np.testing.assert_array_equal(
    np.unique(source.inputs[a.train], axis=0),
    np.unique(source.inputs[b.train], axis=0),
  )
  rows = source.inputs[b.train]
  assert len(np.unique(rows, axis=0)) == len(rows) < len(a.train)
  assert b.notes['train_duplicates_removed'] == len(a.train) - len(b.train)
  assert set(b.train) <= set(a.train)


def test_disjoint_leaves_out_what_equals_a_test_row(make_source, split):
  source = make_source(60, 2)
  source = source._replace(inputs=np.repeat(source.inputs[:30], 2, axis=0))
  a = split(source, protocol='random_rows')
  b = split(source, protocol='random_rows', disjoint=True)
  np.testing.assert_array_equal(a.test, b.test)
  tested = {row.tobytes() for row in source.inputs[a.test]}
  for before, after in ((a.train, b.train), (a.validation, b.validation)):
    kept = [i for i in before if source.inputs[i].tobytes() not in tested]
    assert kept == after.tolist()
  removed = b.notes['removed_as_equal_to_test']
  both = lambda part: len(part.train) + len(part.validation)
  assert removed == both(a) - both(b) > 0
  assert a.notes['removed_as_equal_to_test'] == 0
  assert b.notes['test_rows_in_train'] == 0 < a.notes['test_rows_in_train']


def test_overlap_is_counted(make_source, split):
  source = make_source(60, 2)
  source.inputs[:] = source.inputs[0]
  notes = split(source, protocol='random_rows').notes
  assert notes['test_rows_in_train'] == notes['test']
  assert notes['anomalies_in_train'] == notes['anomalies'] > 0


def _with_rare_category(make_source):
  source = make_source(60, 3, is_test=np.arange(60) >= 40)
  source.inputs[:, 2:] = [1, 0, 0]
  source.inputs[[47, 55], 2:] = [0, 0, 1]
  return source


def test_unknown_category_is_counted(make_source, split):
  got = split(_with_rare_category(make_source), protocol='given')
  assert got.notes['test_unknown_categories'] == {'kind=c': 2}
  assert got.notes['categories_not_in_train'] == ['kind=b', 'kind=c']


def test_unknown_category_is_refused(make_source, split):
  source = _with_rare_category(make_source)
  with pytest.raises(
    errors.UserError, match='"kind=c".*in 2 others, first sample 47.*"zero"'
  ):
    split(source, protocol='given', unknown_category='error')


def test_class_out_of_range_names_the_classes(make_source, split):
  with pytest.raises(errors.UserError, match=r'has 7.*0 \(class 0\), 1'):
    split(make_source(), 0, 7)


def test_one_class_without_a_class(make_source, split):
  with pytest.raises(errors.UserError, match='needs a class.*class 2'):
    split(make_source())


def test_one_class_without_labels(make_source, split):
  with pytest.raises(errors.UserError, match='needs labels.*label_column'):
    split(make_source(labelled=False), 0, 0)


def test_one_class_without_anomalies(make_source, split):
  with pytest.raises(errors.UserError, match='class "class 0".*no anomaly'):
    split(make_source(20, 1), 0, 0)


def test_too_few_anomalies_names_what_fits(make_source, split):
  source = make_source(60, 2)
  source.labels[:] = np.arange(60) >= 58
  with pytest.raises(errors.UserError, match='needs 8.*there are 2.*0.095'):
    split(source, 0, 0)
  assert split(source, 0, 0, anomaly_fraction=0.095).anomalous.sum() == 2


def test_given_without_a_test_set(make_source, split):
  with pytest.raises(errors.UserError, match='"given".*"made".*test_path'):
    split(make_source(), protocol='given')


def test_no_normal_labels(make_source, split):
  with pytest.raises(errors.UserError, match='normal_labels.*class 0, class 1'):
    split(make_source(normal_labels=()), protocol='random_rows')


@pytest.mark.parametrize('normals', [0, 1, 2])
def test_too_few_training_normals(make_source, split, normals):
  source = make_source(60, 2, is_test=np.arange(60) >= 40)
  source.labels[:40] = np.arange(40) >= normals
  with pytest.raises(
    errors.UserError, match=f'{max(0, normals - 1)} normal.*class 0'
  ):
    split(source, protocol='given')


def test_empty_test_set(make_source, split):
  source = make_source(60, 2, is_test=np.zeros(60, bool))
  with pytest.raises(errors.UserError, match='no sample to test'):
    split(source, protocol='given')


@pytest.mark.parametrize('seed', range(3))
def test_a_test_set_of_one_kind(load_table, data_config, seed):
  rows = ''.join(f'{i % 9}.5,{"NG" if i == 3 else "ok"}\n' for i in range(60))
  source = load_table('x,kind\n' + rows)
  config = data_config(
    protocol='random_rows', scaling='standard', label_column='kind'
  )
  try:
    split = protocols.split(source, config, seed)
    assert split.anomalous.sum() == 1
  except errors.UserError as error:
    assert f'are normal (seed {seed})' in str(error)
    assert 'no AUROC' in str(error)


def test_all_samples_train_and_validate(make_source, split):
  """As in the protocol "given" with other samples as its test set."""
  source = make_source(60, 2, normal_labels=(0, 1))
  got = split(source, seed=4, protocol='all', validation_fraction=0.2)
  both = np.sort(np.concatenate([got.train, got.validation]))
  np.testing.assert_array_equal(both, np.arange(60))
  assert len(got.validation) == 12 and not len(got.test)
  tested = make_source(80, 2, normal_labels=(0, 1), is_test=np.arange(80) >= 60)
  given = split(tested, seed=4, protocol='given', validation_fraction=0.2)
  np.testing.assert_array_equal(got.train, given.train)
  np.testing.assert_array_equal(got.validation, given.validation)
