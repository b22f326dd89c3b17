"""Files of tables as strangers write them are read as they mean them."""

import gzip
import io
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from memae_jax.data import protocols, sources
from memae_jax.data.tables import arrays, npz, read_table, table_files
from memae_jax.runtime import errors

ROWS = 40
_RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
  {
    'size': _RNG.normal(3000, 1000, ROWS).round(2),
    'weight': _RNG.normal(0, 1, ROWS).round(3),
    'kind': np.where(np.arange(ROWS) % 4, 'ok', 'NG'),
  }
)
NUMBERS = TABLE[['size', 'weight']].to_numpy()
INDEX = pd.Index(_RNG.permutation(ROWS))
NORMAL = (TABLE['kind'] == 'ok').to_numpy()


def _csv(**how) -> str:
  return TABLE.to_csv(index=False, **how)


@pytest.fixture
def load(tmp_path, data_config):
  """Returns a function that writes and loads files; `raw`: no host stage."""

  def make(content, name='my.csv', test=None, raw=False, **fields):
    paths = {}
    for field, part, file in (
      ('path', content, name), ('test_path', test, f'test-{name}'),
    ):  # fmt: skip
      if part is not None:
        path = tmp_path / file
        part(path) if callable(part) else path.write_bytes(
          part if isinstance(part, bytes) else part.encode()
        )
        paths[field] = str(path)
    fields = {'label_column': 'kind', 'normal_labels': ('ok',)} | fields
    protocol = 'random_rows' if test is None else 'given'
    config = data_config(name='arrays', protocol=protocol, **paths, **fields)
    return (arrays if raw else sources).load(config)

  return make


def _same(source, numbers=NUMBERS, normal=NORMAL):
  np.testing.assert_array_equal(source.inputs, np.float32(numbers))
  is_normal = np.isin(source.labels, source.normal_labels)
  np.testing.assert_array_equal(is_normal, normal)


GERMAN = {'sep': ';', 'decimal': ','}
WRITTEN = {
  'semicolons and decimal comma': (_csv(**GERMAN), {}, 'decimal comma'),
  'semicolons': (_csv(sep=';'), {}, 'separator semicolon'),
  'tabs': (_csv(sep='\t'), {}, 'separator tab'),
  'bars': (_csv(sep='|'), {}, 'separator bar'),
  'quoted decimal comma': (_csv(decimal=','), {}, 'decimal comma'),
  'all quoted': (_csv(quoting=1), {}, ''),
  'blanks': (_csv(sep=' '), {}, 'separator blank'),
  'aligned by blanks': (TABLE.to_string(index=False), {}, 'separator blank'),
  'blanks after commas': (_csv().replace(',', ' , '), {}, ''),
  'first line of Excel': ('sep=;\r\n' + _csv(**GERMAN), {}, 'decimal comma'),
  'comments at the top': ('# of a scale\n# 2026-11-28, 3 rows\n' + _csv(), {},
    'at the top (2 lines)'),
  'a comment with as many commas': ('# a, b, c\n' + _csv(), {},
    'at the top (1 lines)'),
  'names behind a mark': ('# by NumPy\n# ' + _csv(), {},
    'at the top (1 lines)'),
  'byte order mark': (_csv().encode('utf-8-sig'), {}, ''),
  'UTF-16': (_csv().encode('utf-16'), {}, 'utf-16'),
  'UTF-16 without a mark': (_csv().encode('utf-16-le'), {}, 'utf-16-le'),
  'UTF-32': (_csv().encode('utf-32'), {}, 'utf-32'),
  'UTF-16 of Excel': (_csv(sep='\t').encode('utf-16'), {}, 'separator tab'),
  'cp1252': (
    _csv().replace('kind', 'Gerät').replace('ok', 'für').encode('cp1252'),
    {'label_column': 'Gerät', 'normal_labels': ('für',)},
    'as cp1252',
  ),
  'an encoding that is named': (
    _csv().replace('ok', 'годен').encode('cp1251'),
    {'encoding': 'cp1251', 'normal_labels': ('годен',)},
    '',
  ),
  'old Mac lines': (_csv(lineterminator='\r'), {}, ''),
  'a comma after each row': (_csv().replace('ok\n', 'ok,\n').replace(
    'NG\n', 'NG,\n'), {}, ''),
  'a column without name and values': (_csv().replace('\n', ',\n'), {},
    'neither a name nor values'),
  'index of to_csv': (TABLE.to_csv(), {}, 'an index without a name'),
  'index of names': (TABLE.set_index('kind').reset_index().assign(
    kind=TABLE['kind']).rename(index='row {}'.format).to_csv(), {},
    'an index without a name'),
  'Unnamed: 0': (TABLE.rename_axis('Unnamed: 0').to_csv(), {}, 'Unnamed: 0'),
  'Unnamed: 0.1': (TABLE.rename_axis('Unnamed: 0.1').to_csv(), {},
    'Unnamed: 0.1'),
  'index of reset_index': (TABLE.reset_index().to_csv(index=False), {},
    '"index" only counts the rows'),
  'a row of units': (_csv().replace('kind\n', 'kind\nmm,kg,\n'), {},
    'holds units'),
  'a row of units in brackets': (_csv().replace('kind\n',
    'kind\n[mm],(kg),class\n'), {}, 'size in [mm]'),
  'thousands commas': (TABLE.assign(size=TABLE['size'].map(
    '{:,.2f}'.format)).to_csv(index=False), {}, 'thousands comma'),
  'dollars': (TABLE.assign(size=TABLE['size'].map('${:,.2f}'.format)).to_csv(
    index=False), {}, '"$" left out'),
  'units in cells': (TABLE.assign(size=TABLE['size'].map(
    '{:.2f} mm'.format)).to_csv(index=False), {}, '"mm" left out'),
}  # fmt: skip


@pytest.mark.parametrize('case', WRITTEN)
def test_the_same_table(load, case):
  content, fields, said = WRITTEN[case]
  source = load(content, **fields)
  _same(source)
  assert any(said in line for line in source.remarks)
  assert source.remarks[-1].startswith('labels: normal: ')


@pytest.mark.parametrize('name', ['A.CSV', 'a.csv.gz', 'A.CSV.GZ', 'a.tsv',
                                  'a.txt', 'a.tsv.gz'])  # fmt: skip
def test_names_of_files(load, name):
  content = _csv(sep='\t' if 'tsv' in name else ',').encode()
  _same(load(gzip.compress(content) if 'gz' in name.lower() else content, name))


@pytest.mark.parametrize(
  ('table', 'said'),
  [
    (TABLE, ''),
    (TABLE.set_index('size').reset_index(), ''),
    (TABLE.set_index(INDEX.rename('moment')), '"moment" is an index of pandas'),
    (TABLE.set_index(INDEX), '"__index_level_0__" is an index of pandas'),
    (TABLE.astype({'size': 'float64', 'kind': 'category'}), ''),
    (TABLE.astype({'size': str}), 'size as numbers, stored as text'),
    (TABLE.assign(size=TABLE['size'].map('{:,.2f}'.format)), 'thousands comma'),
    (TABLE.rename(columns={'kind': ' kind '}), ''),
  ],
)
@pytest.mark.parametrize('name', ['a.parquet', 'A.PARQUET', 'a.pq'])
def test_parquet(load, table, said, name):
  source = load(table.to_parquet, name)
  _same(source)
  assert any(said in line for line in source.remarks)


def test_parquet_of_whole_numbers_and_truth(load):
  big = np.arange(ROWS) + 10**15
  flag = np.arange(ROWS) % 3 == 0
  table = pd.DataFrame({'big': big, 'flag': flag, 'kind': TABLE['kind']})
  source = load(table.to_parquet, 'a.parquet')
  assert any('read flag as 1 for true' in line for line in source.remarks)
  np.testing.assert_array_equal(source.inputs[:, 1], flag)
  centred = source.inputs[:, 0] / source.host.unit[0] + source.host.centre[0]
  np.testing.assert_allclose(centred - 10**15, np.arange(ROWS), atol=1e-4)


def test_each_file_may_be_written_in_its_way(load):
  for content, test in (
    (_csv(), _csv(**GERMAN)),
    (_csv(**GERMAN), _csv(**GERMAN)),
    (_csv(sep='\t'), _csv()),
  ):
    if content == _csv() and test != _csv():
      continue  # Two formats: see below.
    source = load(content, test=test)
    _same(source, np.r_[NUMBERS, NUMBERS], np.r_[NORMAL, NORMAL])


def test_two_files_of_two_formats_are_refused(refused):
  message = refused(_csv(), test=_csv(**GERMAN))
  assert 'test-my.csv line 2' in message and 'decimal point' in message


AMBIGUOUS = 'x,kind\n"1,234",ok\n"5,678",NG\n"3,164",ok\n'


def test_what_reads_two_ways(load, refused):
  message = refused(AMBIGUOUS)
  for words in (
    'line 2',
    '"x" can be read in two ways',
    '"1,234" is 1234 with a thousands comma',
    '1.234 with a decimal comma',
    'data.decimal',
  ):
    assert words in message
  comma, point = np.c_[[1.234, 5.678, 3.164]], np.c_[[1234, 5678, 3164]]
  for fields, numbers in (
    ({'decimal': 'comma'}, comma),
    ({'decimal': ','}, comma),
    ({'decimal': 'point'}, point),
    ({'decimal': '.'}, point),
    ({'thousands': 'comma'}, point),
    ({'thousands': ','}, point),
  ):
    source = load(AMBIGUOUS, raw=True, **fields)
    np.testing.assert_array_equal(source.inputs, numbers)


@pytest.mark.parametrize(
  ('other', 'mark', 'value'),
  [
    ('0.5', ',', 1234),
    ('"0,5"', ',', 1.234),
    ('"1,234.5"', ',', 1234),
    ('12.25', ',', 1234),
    ('-3', ',', None),
    ('"0,5"', '.', 1234),
    ('0.5', '.', 1.234),
    ('-3', '.', 1.234),
  ],
)
def test_other_columns_settle_the_mark(load, refused, other, mark, value):
  content = f'x,y,kind\n"1{mark}234",{other},ok\n"5{mark}678",{other},NG\n'
  if value is None:
    assert 'two ways' in refused(content)
  else:
    assert load(content, raw=True).inputs[0, 0] == value


def test_a_semicolon_speaks_for_the_decimal_comma(load, refused):
  source = load('x;kind\n1,234;ok\n5,678;NG\n', raw=True)
  assert source.inputs[:, 0].tolist() == [1.234, 5.678]
  assert 'two ways' in refused('x;kind\n1.234;ok\n5.678;NG\n')
  source = load('x;kind\n0.234;ok\n5.678;NG\n', raw=True)
  assert source.inputs[:, 0].tolist() == [0.234, 5.678]


def test_missing_marks_are_said(load, refused):
  content = 'x,y,kind\n1,2,ok\n?,4,ok\nn/a,-999,NG\n5,#N/A,ok\n,3,ok\n'
  source = load(content, missing='median', missing_marks=('-999',))
  assert np.isnan(source.inputs[:, 0]).tolist() == [0, 1, 1, 0, 1]
  assert np.isnan(source.inputs[:, 1]).tolist() == [0, 0, 1, 1, 0]
  remarks = ' '.join(source.remarks)
  for words in ('"?" as a missing value: 1 in x', '"n/a"', '1 in y', '"-999"'):
    assert words in remarks
  assert 'line 3: column "x" has no value' in refused(content)


def test_some_text_among_numbers(refused):
  cells = [f'{i}.5' for i in range(20)]
  cells[7] = 'broken'
  content = 'x,kind\n' + ''.join(f'{cell},ok\n' for cell in cells)
  message = refused(content)
  assert 'line 9' in message and '"broken"' in message
  assert '19 of its 20 cells' in message and 'missing_marks' in message
  assert 'categorical' not in message
  message = refused(content.replace('broken', '"3,5"'))
  assert '"3,5"' in message and 'decimal point' in message
  message = refused(content.replace('broken', '12%'))
  assert '"12%"' in message


def test_categories_are_refused_by_their_size(refused):
  content = 'id,x,kind\n' + ''.join(f'a{i},{i % 7}.5,ok\n' for i in range(2000))
  message = refused(content, categorical_columns=('id',))
  for words in ('"id" has 2000 categories in 2000 rows', '15.3 MiB', 'drop'):
    assert words in message


def test_more_inputs_than_memory(refused, monkeypatch):
  content = 'id,x,kind\n' + ''.join(
    f'a{i % 90},{i % 7}.5,ok\n' for i in range(200)
  )
  monkeypatch.setattr('memae_jax.runtime.foreign.memory', lambda: 10_000)
  message = refused(content, categorical_columns=('id',))
  assert '200 rows of 91 inputs would take 213 KiB' in message


def test_categories_of_two_files_agree_in_whole_numbers(load):
  content = 'grade,x,kind\n1,0.5,ok\n2,0.7,ok\n3,0.9,NG\n'
  source = load(
    content, test=content.replace('\n1,', '\n1.0,').replace('\n2,', '\n2.0,'),
    categorical_columns=('grade',),
  )  # fmt: skip
  assert source.columns[0].categories == ('1', '2', '3')
  np.testing.assert_array_equal(source.inputs[:3], source.inputs[3:])


def test_key_column(load, refused):
  content = 'part,x,kind\nA-7,0.5,ok\n003,0.7,ok\n,0.9,NG\n'
  source = load(content, key_column='part')
  assert [c.name for c in source.columns] == ['x']
  assert source.places['part'].tolist() == ['A-7', '003', '']
  assert source.places['row'].tolist() == [0, 1, 2]
  assert '"parts"' in refused(content, key_column='parts')
  assert 'another field' in refused(content, key_column='kind')
  message = refused(content.replace('part', 'score'), key_column='score')
  assert 'scores.csv' in message


def test_training_rows_without_labels_are_normal(load, refused):
  train = TABLE[['size', 'weight']].to_csv(index=False)
  source = load(train, test=_csv())
  _same(source, np.r_[NUMBERS, NUMBERS], np.r_[np.ones(ROWS, bool), NORMAL])
  assert any('count as normal ("ok")' in line for line in source.remarks)
  assert 'normal=' in refused(train, test=_csv(), normal_labels=())
  other = _csv().replace('kind', 'Kind')
  assert 'did you mean "Kind"' in refused(other, test=_csv())
  assert 'no column "kind"' in refused(train, test=train)


def test_test_rows_without_labels_are_only_scored(load):
  test = TABLE[['size', 'weight']].to_csv(index=False)
  source = load(_csv(), test=test)
  assert not source.labelled and source.is_test.sum() == ROWS
  np.testing.assert_array_equal(
    source.inputs, np.float32(np.r_[NUMBERS[NORMAL], NUMBERS])
  )
  assert source.places['row'][:3].tolist() == [1, 2, 3]
  assert source.dropped[0]['count'] == (~NORMAL).sum()
  assert any('scores only' in line for line in source.remarks)


def test_npz_without_labels_of_training(load):
  inputs, labels = NUMBERS, NORMAL.astype(int)
  source = load(
    lambda path: np.savez(path, inputs=inputs), 'a.npz',
    lambda path: np.savez(path, inputs=inputs, kind=labels),
    normal_labels=('1',),
  )  # fmt: skip
  _same(source, np.r_[NUMBERS, NUMBERS], np.r_[np.ones(ROWS, bool), NORMAL])


def _order(values):
  return ''.join(f'{v},{i % 7}.5,{"ok" if i < 30 else "NG"}\n'
                 for i, v in enumerate(values))  # fmt: skip


@pytest.mark.parametrize(
  ('values', 'word'),
  [
    (range(5, 45), 'only rises'),
    (np.cumsum(_RNG.uniform(0.1, 2, 40)), 'only rises'),
    (range(40, 0, -1), 'only falls'),
    (_RNG.permutation(40), 'numbers the rows'),
    (_RNG.permutation(40) * 10 + 3, 'numbers the rows'),
    (_RNG.normal(size=40), ''),
    (np.arange(40) // 2, ''),
    (np.arange(40) % 20, ''),
  ],
)
def test_columns_that_follow_the_rows(load, values, word):
  source = load('n,x,kind\n' + _order(values))
  assert bool(source.warnings) == bool(word)
  if word:
    (line,) = source.warnings
    assert f'"n" {word}' in line and 'drop=n' in line


def test_an_input_that_alone_separates(load, data_config):
  kinds = ['ok', 'ok', 'NG'] * 20
  leak = [1.0 if kind == 'NG' else 0.0 for kind in kinds]
  noise = _RNG.normal(size=60).round(3)
  rows = ''.join(map('{},{},{}\n'.format, leak, noise, kinds))
  source = load('leak,noise,kind\n' + rows)
  config = data_config(protocol='random_rows', scaling='standard')
  (line,) = protocols.split(source, config, 0).warnings
  assert 'input "leak" alone separates' in line and 'noise' not in line


@pytest.mark.parametrize('seed', range(3))
def test_a_test_set_of_one_kind(load, data_config, seed):
  rows = ''.join(f'{i % 9}.5,{"NG" if i == 3 else "ok"}\n' for i in range(60))
  source = load('x,kind\n' + rows)
  config = data_config(
    protocol='random_rows', scaling='standard', label_column='kind'
  )
  try:
    split = protocols.split(source, config, seed)
    assert split.anomalous.sum() == 1
  except errors.UserError as error:
    assert f'are normal (seed {seed})' in str(error)
    assert 'no AUROC' in str(error)


@pytest.mark.parametrize(
  ('shape', 'want'),
  [
    ((6, 5, 4), (6, 5, 4, 1)),
    ((6, 5, 4, 1), (6, 5, 4, 1)),
    ((6, 5, 7, 3), (6, 5, 7, 3)),
    ((6, 3, 8, 7), (6, 8, 7, 3)),
    ((6, 1, 28, 28), (6, 28, 28, 1)),
  ],
)
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_arrays_of_images(load, shape, want, dtype):
  x = _RNG.integers(0, 256, shape).astype(dtype)
  source = load(
    lambda path: np.savez(path, inputs=x, kind=['ok'] * 5 + ['NG']), 'a.npz'
  )
  assert source.inputs.shape == want
  first = x[0].reshape(want[1:]) if x.ndim == 3 or shape == want else (
    np.stack(list(x[0]), axis=-1)
  )  # fmt: skip
  np.testing.assert_array_equal(source.inputs[0], first)
  is_said = any('[S, H, W, C]' in line for line in source.remarks)
  assert is_said == (shape != want)


def _zip(path, members, how=zipfile.ZIP_DEFLATED, encrypt=False):
  with zipfile.ZipFile(path, 'w', how) as archive:
    for name, array in members.items():
      content = io.BytesIO()
      np.lib.format.write_array(content, array)
      archive.writestr(f'{name}.npy', content.getvalue())
  if encrypt:
    content = bytearray(path.read_bytes())
    for mark, at in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
      start = -1
      while (start := content.find(mark, start + 1)) >= 0:
        content[start + at] |= 1
    path.write_bytes(content)


@pytest.mark.parametrize('how', ['STORED', 'DEFLATED', 'BZIP2', 'LZMA'])
def test_npz_of_any_compression(load, how):
  members = {'X': NUMBERS, 'kind': np.where(NORMAL, b'ok', b'NG')}
  how = getattr(zipfile, f'ZIP_{how}')
  _same(load(lambda path: _zip(path, members, how), 'a.npz'))


def _with_compression(path, number):
  _zip(path, {'X': NUMBERS, 'kind': NORMAL})
  content = bytearray(path.read_bytes())
  for mark, at in ((b'PK\x03\x04', 8), (b'PK\x01\x02', 10)):
    start = -1
    while (start := content.find(mark, start + 1)) >= 0:
      content[start + at] = number
  path.write_bytes(content)


def _announcing(shape, descr='<f8', version=b'\x01\x00'):
  header = repr({'descr': descr, 'fortran_order': False, 'shape': shape})
  size = 2 if version == b'\x01\x00' else 4
  header = header.encode().ljust(120) + b'\n'
  return b'\x93NUMPY' + version + len(header).to_bytes(size, 'little') + header


NPY = {
  'huge': _announcing((10**12,)) + bytes(80),
  'huger': _announcing((10**30, 2)) + bytes(80),
  'negative': _announcing((-1, 3)) + bytes(80),
  'short': _announcing((5, 2)) + bytes(79),
  'objects': _announcing((5,), '|O') + bytes(80),
  'no shape': _announcing('x') + bytes(80),
  'brackets': b'\x93NUMPY\x02\x00\x20\x4e\x00\x00' + b'[' * 20000,
  'version 9': b'\x93NUMPY\x09\x00' + bytes(100),
  'version 3 in Latin-1': _announcing((1,), version=b'\x03\x00')[:-9] + b'\xe9',
  'half a header': _announcing((5, 2))[:30],
}


@pytest.mark.parametrize('case', NPY)
@pytest.mark.parametrize('packed', [False, True])
def test_npy_headers(tmp_path, case, packed):
  path = tmp_path / ('a.npz' if packed else 'a.npy')
  if packed:
    with zipfile.ZipFile(path, 'w') as archive:
      archive.writestr('X.npy', NPY[case])
  else:
    path.write_bytes(NPY[case])
  with pytest.raises(errors.UserError, match='a.np[yz].*') as caught:
    npz.arrays(path)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('version', [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize('order', 'CF')
def test_npy_as_numpy_reads_it(tmp_path, version, order):
  array = np.asarray(NUMBERS, order=order)
  with (tmp_path / 'a.npy').open('wb') as file:
    np.lib.format.write_array(file, array, version=version)
  array = npz.arrays(tmp_path / 'a.npy')['inputs']
  np.testing.assert_array_equal(array, np.load(tmp_path / 'a.npy'))


def test_npz_that_cannot_be_unpacked(refused):
  members = {'X': NUMBERS, 'kind': NORMAL}
  message = refused(lambda path: _zip(path, members, encrypt=True), 'a.npz')
  assert 'encrypted' in message
  message = refused(lambda path: _with_compression(path, 93), 'a.npz')
  assert 'a.npz' in message and 'compress' in message


def test_bomb_of_csv(refused, monkeypatch):
  monkeypatch.setattr('memae_jax.runtime.foreign.BOMB', 2**16)
  rows = b'x,kind\n' + b'1,ok\n' * 2**18
  message = refused(gzip.compress(rows), 'a.csv.gz')
  assert 'unpacks to far more' in message


BAD_TEXT = {
  'a zip archive': (b'PK\x03\x04' + bytes(100), 'spreadsheet'),
  'gzip without its name': (gzip.compress(_csv().encode()), '.csv.gz'),
  'a picture': (b'\x89PNG\r\n\x1a\n' + bytes(range(256)), 'is not text'),
  'damaged UTF-8': (
    _csv().replace('ok', 'für').encode().replace(b'\xc3', b'\xff', 1), 'UTF-8'
  ),
  'cut within a character': (('x,kind\n1,für\n2,fü').encode()[:-1], 'UTF-8'),
  'a name twice': (_csv().replace('weight', 'size'), 'two columns'),
  'a name twice but for blanks': (
    _csv().replace('weight', ' size '), 'two columns'
  ),
  'a cell beyond any size': ('x,kind\n"' + '1' * 200_000 + '",ok\n', 'csv'),
}  # fmt: skip


@pytest.mark.parametrize('case', BAD_TEXT)
def test_bad_text(refused, case):
  content, words = BAD_TEXT[case]
  assert words in refused(content)


def test_a_name_that_is_not_utf8(load, tmp_path):
  path = os.fsdecode(os.fsencode(tmp_path) + b'/\xe9.csv')
  pathlib.Path(path).write_text(_csv())
  table = read_table.read([path], read_table.Options(text=frozenset({'kind'})))
  assert table.tables[0].columns['size'].tolist() == NUMBERS[:, 0].tolist()


# Tests of new files that a scorer reads.


def _wanted(load, content, **fields):
  source = load(content, **fields)
  return {
    'columns': [column._asdict() for column in source.columns],
    'number_formats': json.loads(
      json.dumps(source.notes.get('number_formats', {}))
    ),
    'missing': fields.get('missing', 'error'),
    'unknown_category': fields.get('unknown_category', 'error'),
    'key_column': fields.get('key_column', ''),
    'missing_marks': list(fields.get('missing_marks', ())),
  }


@pytest.mark.parametrize('case', WRITTEN)
def test_a_scorer_reads_what_training_reads(load, tmp_path, case):
  content, fields, _ = WRITTEN[case]
  wanted = _wanted(load, content, **fields)
  wanted['encoding'] = fields.get('encoding', '')
  places, rows = table_files.unseen(tmp_path / 'my.csv', wanted)
  np.testing.assert_array_equal(rows, NUMBERS)
  assert places == {'row': list(range(ROWS))}


def test_a_scorer_reads_other_kinds_of_files(load, tmp_path):
  wanted = _wanted(load, _csv())
  TABLE.to_parquet(tmp_path / 'a.PARQUET')
  (tmp_path / 'a.csv.gz').write_bytes(gzip.compress(_csv().encode()))
  (tmp_path / 'A.CSV').write_text(_csv(sep=';'))
  shuffled = TABLE[['kind', 'weight', 'size']].assign(more='text')
  shuffled.to_csv(tmp_path / 'shuffled.csv')
  for path in tmp_path.iterdir():
    np.testing.assert_array_equal(table_files.unseen(path, wanted)[1], NUMBERS)


def test_a_scorer_keeps_the_format_of_the_training(load, tmp_path):
  new = tmp_path / 'new.csv'
  new.write_text('x,kind\n"1,234",ok\n')
  for fields, value in (({'decimal': 'comma'}, 1.234),
                        ({'decimal': 'point'}, 1234)):  # fmt: skip
    wanted = _wanted(load, AMBIGUOUS, **fields)
    assert table_files.unseen(new, wanted)[1].tolist() == [[value]]
  wanted = _wanted(load, 'x,kind\n1.5,ok\n2.5,NG\n')
  with pytest.raises(errors.UserError, match='"1,234".*read in two ways'):
    table_files.unseen(new, wanted)
  wanted = _wanted(load, 'x,kind\n12%,ok\n50%,NG\n')
  new.write_text('x\n12%\n')
  assert table_files.unseen(new, wanted)[1].tolist() == [[0.12]]
  for cell in ('12', '12 kg', 'text'):
    new.write_text(f'x\n{cell}\n')
    with pytest.raises(errors.UserError, match=f'line 2.*"x".*"{cell}"'):
      table_files.unseen(new, wanted)


def test_a_scorer_carries_the_key(load, tmp_path):
  wanted = _wanted(load, 'part,x,kind\na,1.5,ok\nb,2.5,NG\n', key_column='part')
  new = tmp_path / 'new.csv'
  new.write_text('x,part\n1,Z-9\n2,007\n')
  places, rows = table_files.unseen(new, wanted)
  assert places == {'row': [0, 1], 'part': ['Z-9', '007']}
  assert rows.tolist() == [[1], [2]]
  new.write_text('x\n1\n')
  assert table_files.unseen(new, wanted)[0] == {'row': [0]}


@pytest.mark.parametrize(
  ('text', 'words'),
  [
    ('size,weight,size\n1,2,3\n', 'two columns have the name "size"'),
    ('size\n1\n', 'no column "weight"'),
    ('size,weight\n1,\n', 'line 2: column "weight" has no value'),
    ('size,weight\n1,heavy\n', 'line 2: column "weight" holds text, "heavy"'),
    ('size,weight\n', 'no rows'),
  ],
)
def test_a_scorer_refuses(load, tmp_path, text, words):
  wanted = _wanted(load, _csv())
  (tmp_path / 'new.csv').write_text(text)
  with pytest.raises(errors.UserError, match=words):
    table_files.unseen(tmp_path / 'new.csv', wanted)


def test_reading_takes_neither_jax_nor_sklearn():
  code = (
    'import sys; from memae_jax.data import labels;'
    'from memae_jax.data.tables import npz, table_files;'
    'heavy = {"jax", "sklearn", "PIL", "pandas", "scipy", "pyarrow"};'
    'assert not heavy & set(sys.modules), heavy & set(sys.modules)'
  )
  subprocess.run([sys.executable, '-c', code], check=True)
