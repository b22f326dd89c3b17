"""Columns that give the labels away are warned of."""

import numpy as np
import pytest

from memae_jax.data import protocols

_RNG = np.random.default_rng(0)


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
def test_columns_that_follow_the_rows(load_table, values, word):
  source = load_table('n,x,kind\n' + _order(values))
  assert bool(source.warnings) == bool(word)
  if word:
    (line,) = source.warnings
    assert f'"n" {word}' in line and 'drop=n' in line


def test_an_input_that_alone_separates(load_table, data_config):
  kinds = ['ok', 'ok', 'NG'] * 20
  leak = [1.0 if kind == 'NG' else 0.0 for kind in kinds]
  noise = _RNG.normal(size=60).round(3)
  rows = ''.join(map('{},{},{}\n'.format, leak, noise, kinds))
  source = load_table('leak,noise,kind\n' + rows)
  config = data_config(protocol='random_rows', scaling='standard')
  (line,) = protocols.split(source, config, 0).warnings
  assert 'input "leak" alone separates' in line and 'noise' not in line
