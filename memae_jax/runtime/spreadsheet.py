"""CSV text that a spreadsheet opens without computing any of it.

Names and labels come from files of others. A cell of text that a spreadsheet
would take for a formula gets an apostrophe in front; numbers stay as they are.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

_FORMULA = ('=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠')
_NUMBER = re.compile(r'[+-]?[\d.,]+([eE][+-]?\d+)?%?', re.ASCII)


def text(rows: Iterable[Sequence[Any]]) -> str:
  """Returns rows as CSV text, one line per row; None is an empty cell."""
  stream = io.StringIO()
  csv.writer(stream, lineterminator='\n').writerows(
    map(cell, row) for row in rows
  )
  return stream.getvalue()


def cell(value: Any) -> Any:
  """Returns a value for a cell; a formula gets an apostrophe in front."""
  if not isinstance(value, str) or _NUMBER.fullmatch(value):
    return value
  return f"'{value}" if value.startswith(_FORMULA) else value
