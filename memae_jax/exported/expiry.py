"""Last day whose JAX can read an exported program.

JAX reads what another JAX exported if it was built up to six months after that
one, or three weeks before it: https://docs.jax.dev/en/latest/export/export.html.
So the date of the JAX that exports decides, not that of the export.
"""

import datetime
import re

_MONTHS = 6
# Versions of JAX and the days on which they came to PyPI.
_RELEASED = {
  '0.10.2': '2026-06-17',
  '0.11.0': '2026-07-16',
  '0.11.1': '2026-08-17',
  '0.11.2': '2026-09-17',
  '0.12.0': '2026-10-19',
  '0.12.0.1': '2026-10-21',
}


def parts(version: str) -> tuple[int, ...]:
  """Returns the numbers of a version, without the mark of a draft.

  Args:
    version: such as 0.12.0 or 0.12.0rc1.
  """
  return tuple(map(int, re.match(r'\d+(?:\.\d+)*', version)[0].split('.')))


def readable_until(version: str) -> datetime.date | None:
  """Returns the last day whose JAX is sure to read a program.

  A version that is not listed is newer than the listed ones below it, so the
  day that is given for it is no later than the true one.

  Args:
    version: of the JAX that exports the program.

  Returns:
    The day, or None for versions older than all that are listed.
  """
  before = [v for v in _RELEASED if v == version or parts(v) < parts(version)]
  if not before:
    return None
  day = datetime.date.fromisoformat(_RELEASED[max(before, key=parts)])
  year, month = divmod(day.month - 1 + _MONTHS, 12)
  # No month is shorter than 28 days.
  return day.replace(day.year + year, month + 1, min(day.day, 28))
