"""Test samples that equal what trains or validates, and when that is said."""

import numpy as np
import pytest

from memae_jax.data import overlap, protocols, types

_TRANSFORM = types.Transform(*np.float32([[1], [0], [0], [99]]))


def _table(values, columns=3, **fields):
  """A source whose row i holds `values[i]`."""
  inputs = np.repeat(np.float32(values)[:, None], columns, axis=1)
  labels = fields.pop('labels', np.zeros(len(values), np.int32))
  return types.Source('x', inputs, labels, ('fine', 'odd'), **fields)


def _pictures(values):
  inputs = np.zeros((len(values), 4, 4, 1), np.uint8)
  inputs[:] = np.uint8(values)[:, None, None, None]
  return types.Source('x', inputs, np.zeros(len(values), np.int32), ('fine',))


def _split(train, validation, test, anomalous):
  whole = lambda rows: np.array(rows, np.int32)
  return types.Split(
    whole(train),
    whole(validation),
    whole(test),
    np.array(anomalous, bool),
    _TRANSFORM,
  )


def _counts(notes):
  keys = 'test_rows_in_train', 'test_rows_in_validation', 'anomalies_in_train'
  return tuple(notes[key] for key in keys)


@pytest.mark.parametrize('make,noun', [(_table, 'row'), (_pictures, 'picture')])
@pytest.mark.parametrize(
  'test,anomalous,counts,normals,others',
  [
    # Rows 0 to 3 train, 4 and 5 validate; row 6 on is the test set.
    ([10, 11, 12, 13], [0, 0, 0, 1], (0, 0, 0), '', ''),
    ([0, 1, 4, 13], [0, 0, 0, 1], (2, 1, 0), '3 of 3', ''),
    ([4, 5, 5, 13], [0, 0, 0, 1], (0, 3, 0), '3 of 3', ''),
    ([10, 11, 3, 13], [0, 0, 0, 1], (1, 0, 0), '1 of 3', ''),
    ([10, 11, 12, 3], [0, 0, 0, 1], (1, 0, 1), '', '1 of 1'),
    ([10, 4, 12, 5], [0, 0, 1, 1], (0, 2, 0), '1 of 2', '1 of 2'),
    ([3, 3, 3, 3], [1, 1, 1, 1], (4, 0, 4), '', '4 of 4'),
  ],
)
def test_of_a_test_set_of_its_own(
  make, noun, test, anomalous, counts, normals, others
):
  source = make([*range(6), *test])
  split = _split(range(4), (4, 5), range(6, 10), anomalous)
  notes, lines = overlap.find(source, split, is_drawn=False)
  assert _counts(notes) == counts
  assert [line.partition(' ')[0] for line in lines] == [
    words.partition(' ')[0] for words in (normals, others) if words
  ]
  if normals:
    place = 'files' if noun == 'row' else 'folders'
    assert lines[0] == (
      f'{normals} normal test {noun}s equal a {noun} that trains or validates;'
      f' AUROC and threshold are too good: remove them from one of the {place}'
    )
  if others:
    assert lines[-1].startswith(f'{others} anomalous test {noun}s equal a')
    assert 'check the labels' in lines[-1]


@pytest.mark.parametrize('seen,is_said', [(0, False), (1, False), (2, True)])
def test_one_in_a_hundred_is_worth_a_word(seen, is_said):
  test = np.arange(1000, 1200)
  test[:seen] = 0
  source = _table([*range(10), *test])
  split = _split(range(8), (8, 9), range(10, 210), np.zeros(200))
  _, lines = overlap.find(source, split, is_drawn=False)
  assert bool(lines) == is_said


def test_a_fleet_says_once_that_rows_repeat(data_config):
  """Whatever the seeds draw; the line is true of rows that repeat by nature."""
  values = np.repeat(np.arange(50), 4)
  labels = np.zeros(200, np.int32)
  labels[180:] = 1
  source = _table(values, labels=labels, normal_labels=(0,))
  config = data_config(protocol='random_rows', scaling='minmax')
  splits = [protocols.split(source, config, seed) for seed in range(4)]
  said = {line for split in splits for line in split.warnings}
  (line,) = [line for line in said if 'equal another' in line]
  assert line.startswith('200 of the 200 rows equal another')
  assert 'unless new rows repeat them' in line and 'files' not in line
  assert len({split.notes['test_rows_in_train'] for split in splits}) > 1


def test_rows_that_hardly_repeat_are_not_worth_a_word(data_config):
  values = np.r_[np.arange(190), np.arange(10)]
  source = _table(values, normal_labels=(0,))
  config = data_config(protocol='random_rows', scaling='minmax')
  found = protocols.split(source, config, 0)
  assert not [line for line in found.warnings if 'equal' in line]


def test_rows_without_labels():
  source = _table([0, 1, 2, 0, 1], labelled=False)
  split = _split((0, 1), (2,), (3, 4), (False, False))
  (line,) = overlap.find(source, split, is_drawn=False)[1]
  assert line.startswith('2 of 2 test rows equal a row')
