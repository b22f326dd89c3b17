import gzip
import pathlib
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from memae_jax.data import protocols, sources

CSV = """age,city,income,outcome
31,Paris,10.5,ok
42,Rome,11,bad
53,Paris,1e3,ok
"""
FIELDS = {
  'name': 'arrays',
  'protocol': 'random_rows',
  'label_column': 'outcome',
  'normal_labels': ('ok',),
  'categorical_columns': ('city',),
}


@pytest.fixture
def load(data_config, tmp_path):
  """Returns a function that writes `content` to a file and loads it."""

  def make(content, name='my.csv', **fields):
    path = tmp_path / name
    if callable(content):
      content(path)
    elif isinstance(content, bytes):
      path.write_bytes(content)
    elif content is not None:
      path.write_text(content)
    config = data_config(**{**FIELDS, 'path': str(path), **fields})
    return sources.load(config)

  return make


def _npz(**arrays):
  return lambda path: np.savez(path, **arrays)


def _parquet(**columns):
  return lambda path: parquet.write_table(pa.table(columns), path)


NPZ = {
  'label_column': 'y',
  'categorical_columns': (),
  'normal_labels': ('0',),
  'name': 'my.npz',
}


def _load_npz(load, content, **fields):
  fields = {**NPZ, **fields}
  name = fields.pop('name')
  return load(content, name, **fields)


def test_csv(load):
  source = load(CSV)
  np.testing.assert_array_equal(
    source.inputs,
    np.float32([[31, 1, 0, 10.5], [42, 0, 1, 11], [53, 1, 0, 1e3]]),
  )
  assert source.columns[1] == ('city', ('Paris', 'Rome'))
  assert source.label_names == ('bad', 'ok')
  np.testing.assert_array_equal(source.labels, [1, 0, 1])
  assert source.normal_labels == (1,) and source.labelled
  assert source.is_test is None


@pytest.mark.parametrize('mark', ['\ufeff', ''])
@pytest.mark.parametrize('end', ['\n', '\r\n'])
def test_csv_of_other_systems(load, mark, end):
  text = (mark + CSV.replace('\n', end)).encode()
  assert load(text).inputs.shape == (3, 4)


def test_csv_gz(load):
  source = load(gzip.compress(CSV.encode()), 'my.csv.gz')
  assert source.inputs.shape == (3, 4)


def test_csv_in_several_blocks(load, monkeypatch):
  monkeypatch.setattr('memae_jax.data.tables.delimited.BLOCK', 2)
  np.testing.assert_array_equal(load(CSV).inputs[:, 0], [31, 42, 53])


def test_quoted_cells_and_blank_lines(load):
  text = 'age,city,outcome\n31,"New\nYork, NY",ok\n\n42,"a ""b""",ok\n'
  assert load(text).columns[1].categories == ('New\nYork, NY', 'a "b"')


def test_no_labels(load):
  source = load(
    CSV, label_column='', normal_labels=(), drop_columns=('outcome',)
  )
  assert not source.labelled and source.label_names == ('normal',)
  assert source.normal_labels == (0,) and not source.labels.any()


def test_parquet_is_the_same_as_csv(load):
  want = load(CSV)
  got = load(
    _parquet(
      age=pa.array([31, 42, 53], pa.int8()),
      city=pa.array(['Paris', 'Rome', 'Paris']).dictionary_encode(),
      income=[10.5, 11.0, 1e3],
      outcome=['ok', 'bad', 'ok'],
    ),
    'my.parquet',
  )
  np.testing.assert_array_equal(got.inputs, want.inputs)
  assert sources.data_sha256(got) == sources.data_sha256(want)
  assert got.columns == want.columns


def test_numbers_sort_as_numbers(load):
  text = 'x,outcome\n' + ''.join(f'{i},{i % 11}\n' for i in range(22))
  source = load(text, categorical_columns=(), normal_labels=('10',))
  assert source.label_names == tuple(str(i) for i in range(11))


def test_test_file(load, tmp_path):
  (tmp_path / 'test.csv').write_text(
    'outcome,income,city,age\nnew,1,Oslo,2\nok,3,Rome,4\n'
  )
  source = load(CSV, test_path=str(tmp_path / 'test.csv'), protocol='given')
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


def test_parquet_missing_cells(load):
  make = _parquet(x=[1, None, 3], outcome=['ok', 'ok', 'ok'])
  source = load(make, 'my.parquet', categorical_columns=(), missing='median')
  assert np.isnan(source.inputs[:, 0]).tolist() == [False, True, False]


def test_npz_table(load):
  x = np.arange(12, dtype=np.uint8).reshape(4, 3)
  source = _load_npz(load, _npz(X=x, y=np.array([0.0, 1.0, 0.0, 0.0])))
  assert source.inputs.dtype == np.float32 and source.label_names == ('0', '1')
  assert [c.name for c in source.columns] == ['input 0', 'input 1', 'input 2']


def test_npz_images_stay_bytes(load):
  x = np.zeros((4, 5, 6, 3), np.uint8)
  source = _load_npz(
    load, _npz(inputs=x, extra=np.zeros(2), y=np.array(list('0010')))
  )
  assert source.inputs.dtype == np.uint8 and source.columns == ()


def test_npz_with_a_test_file(load, tmp_path):
  np.savez(tmp_path / 't.npz', X=np.ones((2, 3)), y=np.array([0, 7]))
  source = _load_npz(
    load,
    _npz(X=np.zeros((4, 3)), y=np.zeros(4, int)),
    test_path=str(tmp_path / 't.npz'),
    protocol='given',
  )
  assert source.is_test.sum() == 2 and source.label_names == ('0', '7')


@settings(deadline=None, max_examples=40)
@given(
  st.lists(
    st.tuples(
      st.floats(allow_nan=False, allow_infinity=False, width=32),
      st.text(
        st.characters(codec='utf-8', exclude_characters='\x00'),
        min_size=1,
      ).filter(lambda s: s.strip()),
    ),
    min_size=1,
  )
)
def test_any_csv_comes_back(tmp_path_factory, data_config, rows):
  import csv

  path = tmp_path_factory.mktemp('csv') / 'any.csv'
  with path.open('w', newline='', encoding='utf-8') as file:
    csv.writer(file).writerows([('x', 'c'), *rows])
  config = data_config(
    name='arrays',
    path=str(path),
    protocol='random_rows',
    categorical_columns=('c',),
    missing='median',
  )
  source = sources.load(config)
  want, host = np.array([x for x, _ in rows]), source.host
  got = source.inputs[:, 0] / host.unit[0] + host.centre[0]
  # Rounding to float32 of a column without its offset.
  np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-7 * want.std())
  assert source.inputs[:, 1:].sum() == len(rows)


BAD_CSV = {
  'text in a numeric column': (
    CSV.replace('42', 'old'),
    {},
    ['line 3', '"age"', '"old"', 'categorical_columns', 'drop_columns'],
  ),
  'string column not listed': (
    CSV,
    {'categorical_columns': ()},
    ['line 2', '"city"', '"Paris"', 'categorical_columns'],
  ),
  'missing number': (
    CSV.replace('42', ''),
    {},
    ['line 3', '"age"', 'no value', '"median"'],
  ),
  'nan': (CSV.replace('42', 'nan'), {}, ['line 3', '"age"', 'no value']),
  'inf': (CSV.replace('42', '-inf'), {}, ['line 3', '"age"', 'infinite']),
  'beyond float32': (
    CSV.replace('42', '1e300'),
    {'missing': 'median'},
    ['row 1', '"age"', 'float32'],
  ),
  'missing category': (
    CSV.replace('Rome', ''),
    {},
    ['line 3', '"city"', 'no value'],
  ),
  'missing label': (
    CSV.replace('bad', ''),
    {'missing': 'median'},
    ['line 3', 'label column "outcome"', 'no value'],
  ),
  'ragged row': (
    CSV.replace('42,', '42,7,'),
    {},
    ['line 3', '5 cells', 'header has 4'],
  ),
  'short row': (CSV.replace('42,', ''), {}, ['line 3', '3 cells']),
  'empty file': ('', {}, ['is empty', 'name columns']),
  'header only': (CSV.splitlines()[0] + '\n', {}, ['no rows']),
  'no header': (
    '1,2\n3,4\n',
    {'label_column': '', 'normal_labels': (), 'categorical_columns': ()},
    ['first line is numbers', 'column names'],
  ),
  'duplicate column': (
    CSV.replace('income', 'age'),
    {},
    ['two columns', '"age"'],
  ),
  'column without a name': (
    CSV.replace('income', ''),
    {},
    ['column 3 has no name', 'index'],
  ),
  'separator that is another': (
    CSV,
    {'separator': 'semicolon', 'categorical_columns': ()},
    ['no column "outcome"'],
  ),
  'label column missing': (
    CSV,
    {'label_column': 'outcomes'},
    ['no column "outcomes"', 'did you mean "outcome"'],
  ),
  'categorical column missing': (
    CSV,
    {'categorical_columns': ('city', 'town')},
    ['no column "town"'],
  ),
  'column to drop missing': (
    CSV,
    {'drop_columns': ('incomes',)},
    ['no column "incomes"', 'did you mean "income"'],
  ),
  'label column dropped': (
    CSV,
    {'drop_columns': ('outcome',)},
    ['drop_columns', '"outcome"', 'another field'],
  ),
  'label column categorical': (
    CSV,
    {'categorical_columns': ('city', 'outcome')},
    ['categorical_columns', 'label column "outcome"'],
  ),
  'nothing left': (
    CSV,
    {'drop_columns': ('age', 'income', 'city'), 'categorical_columns': ()},
    ['no column left'],
  ),
  'unknown normal label': (
    CSV,
    {'normal_labels': ('okay',)},
    ['"okay"', 'did you mean "ok"'],
  ),
  'normal labels without labels': (
    CSV,
    {'label_column': '', 'drop_columns': ('outcome',)},
    ['normal_labels', 'label_column'],
  ),
  'open quote': (CSV + '1,"Paris,2,ok\n', {}, ['no readable csv']),
  'not utf-8': (
    CSV.encode() + b'\xff\xfe',
    {'encoding': 'utf-8'},
    ['data.encoding', 'utf-8'],
  ),
  'nul bytes': (CSV.replace('42', '4\x002'), {}, ['line 3', '"age"']),
  'no path': (None, {'path': ''}, ['"data.path" is empty']),
  'no such file': (None, {}, ['my.csv does not exist']),
  'unknown kind': (
    None,
    {'path': 'data.xlsx'},
    ['data.xlsx', '.csv, .csv.gz, .parquet'],
  ),
  'test file without its protocol': (
    CSV,
    {'test_path': 'other.csv'},
    ['test_path', '"random_rows"', '"given"'],
  ),
  'test file is missing': (
    CSV,
    {'test_path': 'other.csv', 'protocol': 'given'},
    ['other.csv does not exist'],
  ),
  'npz beside csv': (
    CSV,
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


@pytest.mark.parametrize('cut', [5, 40, -4])
def test_truncated_gz(refused, cut):
  packed = gzip.compress(CSV.encode())
  message = refused(packed[:cut], 'my.csv.gz')
  assert 'my.csv.gz' in message and 'gzip' in message


def test_gz_that_is_none(refused):
  assert 'gzip' in refused(CSV, 'my.csv.gz')


def test_damaged_gz(refused):
  packed = bytearray(gzip.compress(CSV.encode()))
  packed[15] ^= 0xFF
  assert 'gzip' in refused(bytes(packed), 'my.csv.gz')


def test_a_folder_is_no_file(refused, tmp_path):
  (tmp_path / 'x.csv').mkdir()
  assert 'is no file' in refused(None, path=str(tmp_path / 'x.csv'))


def test_same_file_twice(refused, tmp_path):
  path = str(tmp_path / 'my.csv')
  message = refused(CSV, test_path=path, protocol='given')
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
  message = refused(CSV, test_path=str(tmp_path / 't.csv'), protocol='given')
  assert word in message and 't.csv' in message


BAD_NPZ = {
  'objects': (
    _npz(X=np.array([{}], object), y=np.zeros(1)),
    {},
    ['Python objects', 'np.savez'],
  ),
  'no label array': (
    _npz(X=np.zeros((2, 2)), z=np.zeros(2)),
    {},
    ['no array "y"', 'known: X, z'],
  ),
  'several arrays': (
    _npz(X=np.zeros((2, 2)), Z=np.zeros((2, 2)), y=np.zeros(2)),
    {},
    ['arrays X, Z', '"inputs"'],
  ),
  'labels only': (_npz(y=np.zeros(2)), {}, ['arrays none']),
  'other number of labels': (
    _npz(X=np.zeros((2, 2)), y=np.zeros(3)),
    {},
    ['3 labels for 2 samples'],
  ),
  'one axis': (
    _npz(X=np.zeros(2), y=np.zeros(2)),
    {},
    ['(2,)', '[S, H, W, C]'],
  ),
  'complex': (
    _npz(X=np.zeros((2, 2), complex), y=np.zeros(2)),
    {},
    ['complex128', '"X"'],
  ),
  'text': (
    _npz(X=np.array([['a']]), y=np.zeros(1)),
    {},
    ['"X"', 'expected numbers'],
  ),
  'empty': (
    _npz(X=np.zeros((0, 2)), y=np.zeros(0)),
    {},
    ['"X" (0, 2) is empty'],
  ),
  'nan': (
    _npz(X=np.array([[0, 1], [2, np.nan]]), y=np.zeros(2)),
    {},
    ['row 1', '"X"', 'nan at input 1', 'median'],
  ),
  'inf': (
    _npz(X=np.array([[0, 1], [np.inf, 1]]), y=np.zeros(2)),
    {'missing': 'median'},
    ['row 1', 'inf at input 0'],
  ),
  'nan in an image': (
    _npz(X=np.full((1, 2, 2, 1), np.nan, np.float32), y=np.zeros(1)),
    {'missing': 'median'},
    ['row 0', 'nan at input 0, 0, 0'],
  ),
  'missing number as label': (
    _npz(X=np.zeros((2, 2)), y=np.array([0, np.nan])),
    {},
    ['row 1', 'label array "y"', 'whole numbers'],
  ),
  'missing text as label': (
    _npz(X=np.zeros((2, 2)), y=np.array(['0', ''])),
    {},
    ['row 1', 'label array "y"', 'no value'],
  ),
  'labels of two axes': (
    _npz(X=np.zeros((2, 2)), y=np.zeros((2, 2))),
    {},
    ['label array "y"', 'shape [S]'],
  ),
  'categorical columns': (
    _npz(X=np.zeros((2, 2)), y=np.zeros(2)),
    {'categorical_columns': ('a',)},
    ['categorical_columns', 'no column names', 'csv'],
  ),
  'not an npz': (b'hello', {}, ['my.npz']),
  'no bytes': (b'', {}, ['my.npz']),
}


@pytest.mark.parametrize('case', BAD_NPZ)
def test_bad_npz(refused, case):
  content, fields, words = BAD_NPZ[case]
  message = _load_npz(refused, content, **fields)
  for word in words:
    assert word in message


def test_truncated_npz(refused):
  def cut(path):
    np.savez(path, X=np.zeros((50, 2)), y=np.zeros(50))
    path.write_bytes(path.read_bytes()[:-100])

  assert 'my.npz' in _load_npz(refused, cut)


def test_damaged_npz(refused):
  def damage(path):
    np.savez(path, X=np.zeros((50, 2)), y=np.zeros(50))
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)

  assert 'my.npz' in _load_npz(refused, damage)


def test_a_bare_array_under_the_name_npz(refused):
  def bare(path):
    with path.open('wb') as file:
      np.save(file, np.zeros(3))

  assert 'np.savez' in _load_npz(refused, bare)


def test_a_zip_of_other_things(refused):
  def other(path):
    with zipfile.ZipFile(path, 'w') as file:
      file.writestr('readme.txt', 'hello')

  assert 'my.npz' in _load_npz(refused, other)


def test_test_npz_of_another_width(refused, tmp_path):
  np.savez(tmp_path / 't.npz', X=np.ones((2, 4)), y=np.zeros(2))
  message = _load_npz(
    refused,
    _npz(X=np.zeros((4, 3)), y=np.zeros(4)),
    test_path=str(tmp_path / 't.npz'),
    protocol='given',
  )
  assert 't.npz' in message and '(4,)' in message and '(3,)' in message


@pytest.mark.parametrize(
  ('columns', 'words'),
  [
    (
      {'x': ['a'], 'outcome': ['ok']},
      ['"x"', 'string', 'categorical_columns'],
    ),
    ({'x': [[1]], 'outcome': ['ok']}, ['"x"', 'list', 'drop_columns']),
    ({'x': [None], 'outcome': ['ok']}, ['"x"', 'null']),
    ({'x': [1, None], 'outcome': ['ok', 'ok']}, ['row 1', '"x"']),
    ({'x': [1], 'outcome': [None]}, ['"outcome"']),
    (
      {'x': pa.array([], pa.int8()), 'outcome': pa.array([], pa.string())},
      ['no rows'],
    ),
  ],
)
def test_bad_parquet(refused, columns, words):
  message = refused(_parquet(**columns), 'my.parquet', categorical_columns=())
  for word in words:
    assert word in message


@pytest.mark.parametrize('content', [b'', b'hello', b'PAR1' + bytes(40)])
def test_no_parquet(refused, content):
  assert 'parquet' in refused(content, 'my.parquet')


def test_parquet_without_pyarrow(refused, monkeypatch):
  monkeypatch.setitem(sys.modules, 'pyarrow', None)
  assert "-e '.[parquet]'" in refused(b'', 'my.parquet')


def test_reading_changes_nothing(load, tmp_path):
  load(CSV)
  assert [p.name for p in pathlib.Path(tmp_path).iterdir()] == ['my.csv']
