"""The day until which JAX can read an exported program.

JAX reads a program of another JAX if it was built up to six months after that
one, or three weeks before: https://docs.jax.dev/en/latest/export/export.html.
The date of the JAX that exports decides, not the date of the export.
"""

import datetime
import re

_MONTHS = 6
# {version: day of its release on PyPI}.
RELEASED = {
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
    version: such as 0.12.0, or 0.12.0rc1 for a draft.
  """
  return tuple(map(int, re.match(r'\d+(?:\.\d+)*', version)[0].split('.')))


def readable_until(version: str) -> datetime.date | None:
  """Returns the last day whose JAX is sure to read exports of this version.

  A version that is not listed is newer than the listed ones below it, so the
  day returned for it is no later than the true one.

  Args:
    version: of the JAX that exports.

  Returns:
    The day; None for versions before all listed ones.
  """
  before = [v for v in RELEASED if v == version or parts(v) < parts(version)]
  if not before:
    return None
  day = datetime.date.fromisoformat(RELEASED[max(before, key=parts)])
  year, month = divmod(day.month - 1 + _MONTHS, 12)
  # No month is shorter than 28 days.
  return day.replace(day.year + year, month + 1, min(day.day, 28))
