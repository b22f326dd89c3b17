"""Tables and arrays of users become a source, as the config says."""

import pathlib

import numpy as np
import pytest

from memae_jax.data import protocols
from tests.data.tables import examples


@pytest.fixture
def load(load_outcomes):
  return load_outcomes


def test_csv(load):
  source = load(examples.OUTCOMES)
  np.testing.assert_array_equal(
    source.inputs,
    np.float32([[31, 1, 0, 10.5], [42, 0, 1, 11], [53, 1, 0, 1e3]]),
  )
  assert source.columns[1][:2] == ('city', ('Paris', 'Rome'))
  assert source.label_names == ('bad', 'ok')
  np.testing.assert_array_equal(source.labels, [1, 0, 1])
  assert source.normal_labels == (1,) and source.labelled
  assert source.is_test is None


def test_no_labels(load):
  source = load(
    examples.OUTCOMES,
    label_column='',
    normal_labels=(),
    drop_columns=('outcome',),
  )
  assert not source.labelled and source.label_names == ('normal',)
  assert source.normal_labels == (0,) and not source.labels.any()


def test_numbers_sort_as_numbers(load):
  text = 'x,outcome\n' + ''.join(f'{i},{i % 11}\n' for i in range(22))
  source = load(text, categorical_columns=(), normal_labels=('10',))
  assert source.label_names == tuple(str(i) for i in range(11))


def test_test_file(load, tmp_path):
  (tmp_path / 'test.csv').write_text(
    'outcome,income,city,age\nnew,1,Oslo,2\nok,3,Rome,4\n'
  )
  source = load(
    examples.OUTCOMES, test_path=str(tmp_path / 'test.csv'), protocol='given'
  )
  np.testing.assert_array_equal(source.is_test, [0, 0, 0, 1, 1])
  assert source.columns[1].categories == ('Oslo', 'Paris', 'Rome')
  np.testing.assert_array_equal(source.inputs[3], [2, 1, 0, 0, 1])
  assert source.label_names == ('bad', 'new', 'ok')


def test_median_of_missing_cells(load, data_config):
  text = 'age,city,outcome\n1,a,ok\n,b,ok\n3,,ok\nNA,a,ok\n5,b,ok\n'
  source = load(text, missing='median')
  assert np.isnan(source.inputs[:, 0]).tolist() == [0, 1, 0, 1, 0]
  assert source.columns[1].categories == ('(missing)', 'a', 'b')
  config = data_config(
    scaling='none',
    protocol='random_rows',
    missing='median',
    unknown_category='zero',
  )
  split = protocols.split(source, config, 0)
  known = source.inputs[split.train, 0]
  assert split.transform.fill[0] == np.median(known[~np.isnan(known)])


BAD_CSV = {
  'text in a numeric column': (
    examples.OUTCOMES.replace('42', 'old'),
    {},
    ['line 3', '"age"', '"old"', 'categorical_columns', 'drop_columns'],
  ),
  'string column not listed': (
    examples.OUTCOMES,
    {'categorical_columns': ()},
    ['line 2', '"city"', '"Paris"', 'categorical_columns'],
  ),
  'missing number': (
    examples.OUTCOMES.replace('42', ''),
    {},
    ['line 3', '"age"', 'no value', '"median"'],
  ),
  'nan': (
    examples.OUTCOMES.replace('42', 'nan'),
    {},
    ['line 3', '"age"', 'no value'],
  ),
  'inf': (
    examples.OUTCOMES.replace('42', '-inf'),
    {},
    ['line 3', '"age"', 'infinite'],
  ),
  'beyond float32': (
    examples.OUTCOMES.replace('42', '1e300'),
    {'missing': 'median'},
    ['row 1', '"age"', 'float32'],
  ),
  'missing category': (
    examples.OUTCOMES.replace('Rome', ''),
    {},
    ['line 3', '"city"', 'no value'],
  ),
  'missing label': (
    examples.OUTCOMES.replace('bad', ''),
    {'missing': 'median'},
    ['line 3', 'label column "outcome"', 'no value'],
  ),
  'ragged row': (
    examples.OUTCOMES.replace('42,', '42,7,'),
    {},
    ['line 3', '5 cells', 'header has 4'],
  ),
  'short row': (
    examples.OUTCOMES.replace('42,', ''),
    {},
    ['line 3', '3 cells'],
  ),
  'empty file': ('', {}, ['is empty', 'name columns']),
  'header only': (examples.OUTCOMES.splitlines()[0] + '\n', {}, ['no rows']),
  'no header': (
    '1,2\n3,4\n',
    {'label_column': '', 'normal_labels': (), 'categorical_columns': ()},
    ['first line is numbers', 'column names'],
  ),
  'duplicate column': (
    examples.OUTCOMES.replace('income', 'age'),
    {},
    ['two columns', '"age"'],
  ),
  'column without a name': (
    examples.OUTCOMES.replace('income', ''),
    {},
    ['column 3 has no name', 'index'],
  ),
  'separator that is another': (
    examples.OUTCOMES,
    {'separator': 'semicolon', 'categorical_columns': ()},
    ['no column "outcome"'],
  ),
  'label column missing': (
    examples.OUTCOMES,
    {'label_column': 'outcomes'},
    ['no column "outcomes"', 'did you mean "outcome"'],
  ),
  'categorical column missing': (
    examples.OUTCOMES,
    {'categorical_columns': ('city', 'town')},
    ['no column "town"'],
  ),
  'column to drop missing': (
    examples.OUTCOMES,
    {'drop_columns': ('incomes',)},
    ['no column "incomes"', 'did you mean "income"'],
  ),
  'label column dropped': (
    examples.OUTCOMES,
    {'drop_columns': ('outcome',)},
    ['drop_columns', '"outcome"', 'another field'],
  ),
  'label column categorical': (
    examples.OUTCOMES,
    {'categorical_columns': ('city', 'outcome')},
    ['categorical_columns', 'label column "outcome"'],
  ),
  'nothing left': (
    examples.OUTCOMES,
    {'drop_columns': ('age', 'income', 'city'), 'categorical_columns': ()},
    ['no column left'],
  ),
  'unknown normal label': (
    examples.OUTCOMES,
    {'normal_labels': ('okay',)},
    ['"okay"', 'did you mean "ok"'],
  ),
  'normal labels without labels': (
    examples.OUTCOMES,
    {'label_column': '', 'drop_columns': ('outcome',)},
    ['normal_labels', 'label_column'],
  ),
  'open quote': (
    examples.OUTCOMES + '1,"Paris,2,ok\n',
    {},
    ['no readable csv'],
  ),
  'not utf-8': (
    examples.OUTCOMES.encode() + b'\xff\xfe',
    {'encoding': 'utf-8'},
    ['data.encoding', 'utf-8'],
  ),
  'nul bytes': (
    examples.OUTCOMES.replace('42', '4\x002'),
    {},
    ['line 3', '"age"'],
  ),
  'no path': (None, {'path': ''}, ['"data.path" is empty']),
  'no such file': (None, {}, ['my.csv does not exist']),
  'unknown kind': (
    None,
    {'path': 'data.xlsx'},
    ['data.xlsx', '.csv, .csv.gz, .parquet'],
  ),
  'test file without its protocol': (
    examples.OUTCOMES,
    {'test_path': 'other.csv'},
    ['test_path', '"random_rows"', '"given"'],
  ),
  'test file is missing': (
    examples.OUTCOMES,
    {'test_path': 'other.csv', 'protocol': 'given'},
    ['other.csv does not exist'],
  ),
  'npz beside csv': (
    examples.OUTCOMES,
    {'test_path': 'other.npz', 'protocol': 'given'},
    ['other.npz', 'do not go together'],
  ),
}


@pytest.mark.parametrize('case', BAD_CSV)
def test_bad_csv(refused, case):
  content, fields, words = BAD_CSV[case]
  message = refused(content, **fields)
  for word in words:
    assert word in message


def test_a_folder_is_no_file(refused, tmp_path):
  (tmp_path / 'x.csv').mkdir()
  assert 'is no file' in refused(None, path=str(tmp_path / 'x.csv'))


def test_same_file_twice(refused, tmp_path):
  path = str(tmp_path / 'my.csv')
  message = refused(examples.OUTCOMES, test_path=path, protocol='given')
  assert 'both' in message and 'another file' in message


@pytest.mark.parametrize(
  ('header', 'word'),
  [
    ('age,city,outcome', 'has no column "income"'),
    ('age,city,income,outcome,more', 'has a column "more"'),
  ],
)
def test_test_file_of_other_columns(refused, tmp_path, header, word):
  row = ','.join('1' for _ in header.split(','))
  (tmp_path / 't.csv').write_text(f'{header}\n{row}\n')
  message = refused(
    examples.OUTCOMES, test_path=str(tmp_path / 't.csv'), protocol='given'
  )
  assert word in message and 't.csv' in message


def test_reading_changes_nothing(load, tmp_path):
  load(examples.OUTCOMES)
  assert [p.name for p in pathlib.Path(tmp_path).iterdir()] == ['my.csv']
