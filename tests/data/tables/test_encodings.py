"""Text that is damaged, or none, is refused in one line."""

import gzip

import pytest

from tests.data.tables import examples

_csv = examples.csv

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
