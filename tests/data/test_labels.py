import numpy as np
import pytest

from memae_jax.data import labels, sources, types
from memae_jax.runtime import errors

PAIRS = [  # Two spellings; 'same', 'other', or 'refused' if one is normal.
  ('0', '0.0', 'same'),
  ('0', '0', 'same'),
  ('0', '00', 'same'),
  ('0', '-0', 'same'),
  ('0', '0e0', 'same'),
  ('1', '1.0', 'same'),
  ('1', '1e0', 'same'),
  ('1', '+1', 'same'),
  ('1', '1.', 'same'),
  ('10', '1e1', 'same'),
  ('0.5', '.5', 'same'),
  ('0.5', '0.50', 'same'),
  ('-1', '-1.0', 'same'),
  ('True', 'true', 'same'),
  ('True', 'TRUE', 'same'),
  ('False', 'false', 'same'),
  ('True', '1', 'same'),
  ('False', '0.0', 'same'),
  ('ok', ' ok ', 'same'),
  ('é', 'e\u0301', 'same'),
  ('ok', 'OK', 'refused'),
  ('ok', 'Ok', 'refused'),
  ('not ok', 'not  ok', 'refused'),
  ('notok', 'not ok', 'refused'),
  ('not\u00a0ok', 'not ok', 'refused'),
  ('STRASSE', 'straße', 'refused'),
  ('１', 'one', 'other'),
  ('0', '1', 'other'),
  ('0', 'O', 'other'),
  ('1', '-1', 'other'),
  ('True', 'False', 'other'),
  ('True', '0', 'other'),
  ('True', '2', 'other'),
  ('ok', 'okay', 'other'),
  ('yes', '1', 'other'),
  ('9007199254740993', '9007199254740992', 'other'),
  ('0.1', '0.10000000000000001', 'other'),
]


@pytest.mark.parametrize(('one', 'two', 'relation'), PAIRS)
def test_pairs(one, two, relation):
  for a, b in ((one, two), (two, one)):
    assert (labels.key(a) == labels.key(b)) == (relation == 'same')
    codes, names, _ = labels.codes([a, b, a])
    assert codes[0] == codes[2]
    assert (codes[0] == codes[1]) == (len(names) == 1) == (relation == 'same')
    assert labels.find(a, (b, 'x')) == (0 if relation == 'same' else None)
    if relation == 'refused':
      with pytest.raises(errors.UserError, match='case or blanks') as caught:
        labels.check_alike((a, b, 'NG'), (0,))
      assert f'"{a}"' in str(caught.value) and f'"{b}"' in str(caught.value)
    elif len(names) == 2:
      labels.check_alike(names, (0,))
    labels.check_alike((a, b), (0, 1))


def test_names_are_the_shortest_spelling_in_natural_order():
  cells = ['10', '2.0', '2', 'b', '10.0', 'a']
  codes, names, several = labels.codes(cells)
  assert names == ('2', '10', 'a', 'b')
  assert codes.tolist() == [1, 0, 0, 3, 1, 2]
  assert several == {'2': ['2.0'], '10': ['10.0']}
  assert labels.codes(['1.0', '0.0'])[1] == ('0.0', '1.0')


def test_categories_are_numbers_only_with_a_point():
  cells = ['2', '2.0', '02', '2.5', 'True', '1', '1e0']
  codes, names, _ = labels.codes(cells, labels.category_key)
  assert names == ('1', '02', '2', '1e0', '2.5', 'True')
  assert codes.tolist() == [2, 2, 1, 4, 5, 0, 3]


def _source(counts, normal, is_test=None):
  codes = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
  return types.Source(
    'made', codes, codes, tuple('abcdefghijklmnop'[: len(counts)]), normal,
    is_test,
  )  # fmt: skip


def test_counts():
  assert labels.counts(_source([812, 7, 31], (0,))) == (
    'labels: normal: a 812; anomalous: c 31, b 7'
  )
  assert labels.counts(_source([2, 1], ())) == 'labels: a 2, b 1'
  assert labels.counts(_source([2, 0], (0,))) == (
    'labels: normal: a 2; anomalous: none'
  )
  many = labels.counts(_source([1] * 15, (0,)))
  assert many.endswith('i 1, j 1, k 1, and 4 more')
  is_test = np.array([0, 1, 1, 0, 1], bool)
  assert labels.counts(_source([3, 2], (0,), is_test)) == (
    'labels: normal: a 3 (2 to test); anomalous: b 2 (1 to test)'
  )


@pytest.mark.parametrize(
  ('train', 'test', 'normal', 'tested'),
  [
    ('0 1', '0.0 1.0', '0', [0, 1]),
    ('0.0 1.0', '0 1', '0', [0, 1]),
    ('0 1', '0 1', '0.0', [0, 1]),
    ('False True', '0 1', '0', [0, 1]),
    ('0 1', 'FALSE TRUE', 'false', [0, 1]),
    ('ok NG', 'ok scratch', 'ok', [0, 1]),
  ],
)
def test_two_files(tmp_path, data_config, train, test, normal, tested):
  for name, kinds in (('train', train), ('test', test)):
    rows = ''.join(f'{i},{kinds.split()[i % 2]}\n' for i in range(10))
    (tmp_path / f'{name}.csv').write_text(f'x,kind\n{rows}')
  source = sources.load(
    data_config(
      name='arrays',
      protocol='given',
      path=str(tmp_path / 'train.csv'),
      test_path=str(tmp_path / 'test.csv'),
      label_column='kind',
      normal_labels=(normal,),
    )
  )
  anomalous = ~np.isin(source.labels, source.normal_labels)
  assert anomalous.reshape(2, 5, 2)[1].all(axis=0).tolist() == tested
  assert anomalous.reshape(2, 5, 2)[0].all(axis=0).tolist() == [0, 1]
