"""Tables that several tests write in their ways."""

import numpy as np
import pandas as pd

_RNG = np.random.default_rng(0)
ROWS = 40
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


def csv(**how) -> str:
  return TABLE.to_csv(index=False, **how)


def same(source, numbers=NUMBERS, normal=NORMAL):
  np.testing.assert_array_equal(source.inputs, np.float32(numbers))
  is_normal = np.isin(source.labels, source.normal_labels)
  np.testing.assert_array_equal(is_normal, normal)


GERMAN = {'sep': ';', 'decimal': ','}

AMBIGUOUS = 'x,kind\n"1,234",ok\n"5,678",NG\n"3,164",ok\n'
OUTCOMES = """age,city,income,outcome
31,Paris,10.5,ok
42,Rome,11,bad
53,Paris,1e3,ok
"""
