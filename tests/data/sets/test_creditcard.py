"""Card payments as a source: their form, their split by time, bad files."""

import numpy as np
import pytest

from memae_jax.data import protocols, sources, types
from memae_jax.data.prepare.builders import creditcard_made
from memae_jax.data.sets import creditcard
from memae_jax.runtime import errors

ROWS, FRAUDS = 400, 12


@pytest.fixture(scope='module')
def made():
  return creditcard_made.table(ROWS, FRAUDS)


@pytest.fixture
def load(tmp_path, data_config):
  """Writes columns, changes the text of the file, and loads it."""

  def make(columns, change=lambda text: text, **fields):
    path = tmp_path / 'creditcard.csv'
    creditcard_made.write(path, columns)
    path.write_text(change(path.read_text()))
    fields = {'protocol': 'given', **fields}
    config = data_config(name='creditcard', path=str(path), **fields)
    return sources.load(config), config

  return make


def test_a_file_as_kaggle_has_it(made, load):
  source, _ = load(made)
  assert source.inputs.shape == (ROWS, 29) and source.columns[-1].name == (
    'Amount'
  )
  assert [c.name for c in source.columns[:-1]] == list(creditcard.COMPONENTS)
  np.testing.assert_allclose(source.inputs[:, 0], made['V1'], rtol=1e-6)
  np.testing.assert_array_equal(source.labels, made['Class'])
  assert source.label_names == ('normal', 'fraud')
  np.testing.assert_array_equal(source.payments.amount, made['Amount'])
  np.testing.assert_array_equal(source.places['Time'], made['Time'])
  counts, split, *_ = source.remarks
  assert counts.startswith('400 payments, 12 of them frauds; the published')
  tested = int((made['Time'] >= 86_400).sum())
  assert split == (
    f'split by time: the {ROWS - tested} payments before second 86,400 train'
    f' and validate, the {tested} later ones are tested'
  )


@pytest.mark.parametrize(
  'change',
  [
    lambda text: text.replace('"0"', '0').replace('"1"', '1'),
    lambda text: text.replace('"0"', "'0'").replace('"1"', "'1'"),
    lambda text: text.replace('"0"', '0.0').replace('"1"', '1.0'),
    lambda text: (
      '\n'.join(  # Time as float; a blank line at the end.
        [text.splitlines()[0]]
        + [line.replace(',', '.0,', 1) for line in text.splitlines()[1:]]
      )
      + '\n\n'
    ),
  ],
)
def test_other_spellings_are_the_same_table(made, load, change):
  source, _ = load(made)
  other, _ = load(made, change)
  assert sources.data_sha256(other) == sources.data_sha256(source)


def test_the_first_day_trains_and_the_second_is_tested(made, load):
  source, config = load(made, scaling='standard')
  split = protocols.split(source, config, 0)
  seconds, labels = source.payments.seconds, source.labels
  assert seconds[split.train].max() < 86_400 <= seconds[split.test].min()
  assert seconds[split.validation].max() < 86_400
  assert not labels[np.r_[split.train, split.validation]].any()
  assert len(split.test) == (seconds >= 86_400).sum()


def test_the_boundary_is_midnight_where_that_is_near_the_middle():
  assert creditcard.boundary(np.array([0.0, 172_792])) == 86_400
  assert creditcard.boundary(np.array([0.0, 4 * 86_400])) == 2 * 86_400
  assert creditcard.boundary(np.array([0.0, 1000])) == 500
  assert creditcard.boundary(np.array([3e5, 3e5 + 1000])) == 3e5 + 500


@pytest.mark.parametrize(
  ('seen', 'names'),
  [
    ('none', []),
    ('seconds', ['Time']),
    ('time_of_day', ['Time of day (sine)', 'Time of day (cosine)']),
  ],
)
def test_what_is_seen_of_the_time(made, load, seen, names):
  source, _ = load(made, time_input=seen)
  assert [c.name for c in source.columns[: len(names)]] == names
  assert source.inputs.shape == (ROWS, 29 + len(names))
  if seen == 'time_of_day':
    np.testing.assert_allclose((source.inputs[:, :2] ** 2).sum(1), 1, rtol=1e-5)
    noon = source.inputs[np.abs(made['Time'] % 86_400 - 43_200) < 4000]
    assert len(noon) and (noon[:, 1] < -0.9).all()


def test_only_the_amount_is_never_negative_and_gets_a_logarithm(made, load):
  source, _ = load(made, log1p=True)
  assert source.host.log1p.tolist() == [False] * 28 + [True]
  expected = np.log1p(made['Amount'])
  np.testing.assert_allclose(source.inputs[:, -1], expected, rtol=1e-6)
  np.testing.assert_array_equal(source.payments.amount, made['Amount'])


def test_a_subset_keeps_the_amounts_of_its_rows(made, load):
  whole, _ = load(made)
  part, _ = load(made, max_samples=100)
  rows = part.places['row']
  for kept, all_ in zip(part.payments, whole.payments):
    np.testing.assert_array_equal(kept, all_[rows])
  assert isinstance(part.payments, types.Payments) and len(rows) == 100
  later = whole._replace(
    payments=whole.payments._replace(seconds=whole.payments.seconds + 1)
  )
  assert sources.data_sha256(later) != sources.data_sha256(whole)


def _without(*names):
  return lambda made: {k: v for k, v in made.items() if k not in names}


def _cell(name, value):
  """Changes row 7 of a column to a text."""

  def change(text):
    lines = text.splitlines()
    cells = lines[8].split(',')
    cells[creditcard.COLUMNS.index(name)] = value
    lines[8] = ','.join(cells)
    return '\n'.join(lines) + '\n'

  return change


_SAME = lambda given: given
BAD = {
  'no class': (_without('Class'), _SAME, 'csv has no column "Class"'),
  'no component': (_without('V3'), _SAME, 'has no column "V3"; the table of'),
  'others': (
    lambda made: {'a': made['V1'], 'b': made['V2'], 'Class': made['Class']},
    _SAME,
    'has no column "Time", "V1", "V2" and 27 more',
  ),
  'one more': (
    lambda made: made | {'risk': made['V1']},
    _SAME,
    'has a column "risk", but .*data.drop_columns',
  ),
  'text': (_SAME, _cell('Amount', 'many'), 'line 9: column "Amount" holds'),
  'gap': (_SAME, _cell('V5', ''), 'line 9: column "V5" has no value'),
  'nan': (_SAME, _cell('V5', 'nan'), 'line 9: column "V5" has no value'),
  'infinite': (_SAME, _cell('V5', 'inf'), 'column "V5"'),
  'debt': (_SAME, _cell('Amount', '-3.5'), 'row 7: column "Amount" is'),
  'kind': (_SAME, _cell('Class', '"2"'), 'row 7: column "Class" holds "2"'),
  'unknown': (_SAME, _cell('Class', ''), 'line 9: label column "Class" has no'),
  'empty': (_SAME, lambda text: '', 'creditcard.csv is empty'),
  'header': (
    _SAME,
    lambda text: text.splitlines()[0] + '\n',
    'has no rows of data',
  ),
}  # fmt: skip


@pytest.mark.parametrize('kind', BAD)
def test_a_bad_file_is_refused_in_one_line(made, tmp_path, data_config, kind):
  columns, change, match = BAD[kind]
  path = tmp_path / 'creditcard.csv'
  rows = zip(*(c.tolist() for c in columns(made).values()))
  names = ','.join(f'"{name}"' for name in columns(made))
  lines = [names, *(','.join(map(str, row)) for row in rows)]
  path.write_text(change('\n'.join(lines) + '\n'))
  with pytest.raises(errors.UserError, match=match) as caught:
    config = data_config(name='creditcard', path=str(path), protocol='given')
    sources.load(config)
  assert '\n' not in str(caught.value)


def test_medians_fill_components_and_nothing_else(made, load):
  source, config = load(made, _cell('V5', ''), missing='median')
  assert np.isnan(source.inputs[7, 4]) and source.inputs.shape[0] == ROWS
  with pytest.raises(errors.UserError, match='row 7: column "Amount" has no v'):
    load(made, _cell('Amount', ''), missing='median')


def test_a_further_column_may_be_left_out(made, load):
  extra = lambda text: '\n'.join(
    [text.splitlines()[0] + ',"risk"']
    + [line + ',x' for line in text.splitlines()[1:]]
  )
  source, _ = load(made, extra, drop_columns=('risk',))
  assert source.inputs.shape == (ROWS, 29)
  with pytest.raises(errors.UserError, match='drops "Amount", which data set'):
    load(made, drop_columns=('Amount',))


def test_what_is_not_prepared_names_the_command(tmp_path, data_config):
  config = data_config(
    name='creditcard', protocol='given', data_dir=str(tmp_path)
  )
  with pytest.raises(
    errors.UserError, match='not prepared.*path=.*prepare creditcard'
  ):
    sources.load(config)
