"""Damaged tables and arrays: refused in a line, or read as others read them."""

import gzip
import io
import os
import random
import warnings

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from memae_jax.data.tables import npz, read_table
from memae_jax.runtime import errors

COUNT = 2000 if os.environ.get('MEMAE_TEST_THOROUGH') == '1' else 150
ROWS = 30
_RNG = np.random.default_rng(1)
TABLE = pd.DataFrame(
  {
    'size': _RNG.normal(3000, 1000, ROWS).round(2),
    'count': _RNG.integers(-50, 50, ROWS),
    'kind': np.where(np.arange(ROWS) % 4, 'ok', 'NG'),
  }
)
OPTIONS = read_table.Options(text=frozenset({'kind'}))
CSV = TABLE.to_csv(index=False).encode()


def _damaged(content: bytes, random: random.Random) -> bytes:
  """Returns content with bytes cut, changed, left out, doubled or added."""
  content = bytearray(content)
  for _ in range(random.choice((1, 1, 2, 5))):
    at = random.randrange(max(len(content), 1))
    size = random.choice((1, 1, 2, 8, 40))
    part = content[at : at + size]
    how = random.randrange(6)
    if how == 0:
      del content[at:]
    elif how == 1:
      del content[at : at + size]
    elif how == 2:
      content[at:at] = part * random.choice((1, 2, 50))
    elif how == 3:
      content[at:at] = random.choice(
        (b'"', b',', b';', b'\n', b'\r', b'\x00', b'\xff', b'\xef\xbb\xbf',
         b'=', b'%', b'-', b'.', b"'", b'e', b'9' * 400, b'nan', b'[' * 300)
      )  # fmt: skip
    elif how == 4:
      content[at : at + size] = random.randbytes(size)
    elif len(content):
      at = min(at, len(content) - 1)
      content[at] ^= 1 << random.randrange(8)
  return bytes(content)


def _refused(read, path) -> bool:
  """Returns whether a file is refused; asserts one line that names it."""
  try:
    read(path)
  except errors.UserError as error:
    assert '\n' not in str(error) and path.name in str(error)
    return True
  return False


def _read(path):
  return read_table.read([path], OPTIONS).tables[0].columns


def _agrees(path, columns) -> int:
  """Compares columns with those of pandas; returns the number of columns."""
  content = path.read_bytes()
  if path.suffix == '.gz':
    content = gzip.decompress(content)
  try:
    content.decode()
  except UnicodeDecodeError:
    return 0  # The encoding was guessed, which pandas does not do.
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    try:
      want = pd.read_csv(
        io.BytesIO(content), skipinitialspace=True, keep_default_na=True
      )
    except (ValueError, pd.errors.ParserError):
      return 0
  compared = 0
  for name, cells in columns.items():
    key = [column for column in want.columns if str(column).strip() == name]
    if len(key) != 1 or not pd.api.types.is_numeric_dtype(want[key[0]].dtype):
      continue
    if len(want) == len(cells) and cells.dtype != object:
      np.testing.assert_array_equal(cells, want[key[0]].to_numpy(float))
      compared += 1
  return compared


@pytest.mark.parametrize('name', ['a.csv', 'a.csv.gz'])
def test_text(tmp_path, name):
  path, refused, compared = tmp_path / name, 0, 0
  for seed in range(COUNT):
    content = CSV
    if name.endswith('.gz') and seed % 2:
      content = gzip.compress(content, mtime=0)
    content = _damaged(content, random.Random(seed))
    if name.endswith('.gz') and not seed % 2:
      content = gzip.compress(content, mtime=0)
    path.write_bytes(content)
    if _refused(_read, path):
      refused += 1
    else:
      compared += _agrees(path, _read(path))
  assert refused > COUNT / 4 and compared > COUNT / 10


@pytest.mark.parametrize('separator', [';', '\t', '|', ' '])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'cp1252'])
@pytest.mark.parametrize('decimal', ['.', ','])
def test_structure_is_refused_or_the_same(
  tmp_path, separator, encoding, decimal
):
  table = TABLE.assign(kind=TABLE['kind'].str.replace('NG', 'schön'))
  text = table.to_csv(index=False, sep=separator, decimal=decimal)
  (tmp_path / 'a.csv').write_bytes(text.encode(encoding))
  columns = _read(tmp_path / 'a.csv')
  np.testing.assert_array_equal(columns['size'], TABLE['size'])
  np.testing.assert_array_equal(columns['count'], TABLE['count'])
  assert columns['kind'].tolist() == table['kind'].tolist()


def test_parquet(tmp_path):
  intact = io.BytesIO()
  TABLE.to_parquet(intact)
  path, refused = tmp_path / 'a.parquet', 0
  for seed in range(COUNT):
    path.write_bytes(_damaged(intact.getvalue(), random.Random(seed)))
    if _refused(_read, path):
      refused += 1
      continue
    columns, want = _read(path), parquet.read_table(path)
    for name in columns:
      np.testing.assert_array_equal(columns[name], want[name].to_pylist())
  assert refused > COUNT / 4


def _as_numpy(path):
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    try:
      content = np.load(path, allow_pickle=False)
      if isinstance(content, np.ndarray):
        return {'inputs': content}
      with content:
        return {name: content[name] for name in content.files}
    except Exception:
      return None


@pytest.mark.parametrize('name', ['a.npz', 'a.npy'])
@pytest.mark.parametrize('packed', [False, True])
def test_arrays(tmp_path, name, packed):
  intact = io.BytesIO()
  arrays = {'inputs': _RNG.normal(size=(20, 3)), 'kind': np.arange(20) % 2}
  if name == 'a.npy':
    np.save(intact, arrays['inputs'].astype(np.float32 if packed else float))
  else:
    (np.savez_compressed if packed else np.savez)(intact, **arrays)
  path, refused = tmp_path / name, 0
  for seed in range(COUNT // 2):
    path.write_bytes(_damaged(intact.getvalue(), random.Random(seed)))
    if _refused(npz.arrays, path):
      refused += 1
      continue
    got, want = npz.arrays(path), _as_numpy(path)
    if want is not None:
      for key, array in got.items():
        np.testing.assert_array_equal(array, want[key])
        assert array.dtype == want[key].dtype
  assert refused > COUNT / 10
