"""Files of tables as strangers write them are read as they mean them."""

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest

from memae_jax.data.tables import table_files
from memae_jax.runtime import errors
from tests.data.tables import examples

ROWS, TABLE, GERMAN = examples.ROWS, examples.TABLE, examples.GERMAN
NUMBERS, NORMAL = examples.NUMBERS, examples.NORMAL
AMBIGUOUS = examples.AMBIGUOUS
_csv, _same = examples.csv, examples.same
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
  assert '200 rows of 91 inputs would take 74.2 KiB' in message


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
