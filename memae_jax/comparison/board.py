"""Board: one page of all runs in a folder, in whatever state they are."""

import collections
import os
import pathlib
import urllib.parse
from collections.abc import Sequence

from memae_jax.comparison import board_rows, layout
from memae_jax.evaluation.report import templates
from memae_jax.runtime import atomic, disk, errors, foreign

NAME = 'board.html'
_STATES = (
  'running', 'failed', 'damaged', 'stopped', 'new', 'finished', 'evaluated'
)  # fmt: skip


def write(root: pathlib.Path, to: pathlib.Path | None = None) -> pathlib.Path:
  """Writes the board of a folder, and nothing else.

  Args:
    root: folder that holds runs, however deep.
    to: file to write; by default `board.html` in the folder.

  Returns:
    Its path.

  Raises:
    UserError: the folder holds no run, or the file cannot be written.
  """
  shown = foreign.name_of(root)
  if not root.is_dir():
    raise errors.UserError(f'{shown} is no folder; give one that holds runs')
  to = to or root / NAME
  if to.is_dir():
    raise errors.UserError(f'{foreign.name_of(to)} is a folder; give a file')
  rows = list(board_rows.find(root))
  if not rows:
    raise errors.UserError(
      f'{shown} holds no run; give a folder that has folders of runs, which'
      ' --workdir named'
    )
  html = page(rows, root, to.parent)
  with disk.chosen(to, '--to'):
    atomic.write(to, html)
  return to


def page(
  rows: Sequence[board_rows.Row], root: pathlib.Path, at: pathlib.Path
) -> str:
  """Returns the page as HTML text.

  Args:
    rows: of the folder.
    root: the folder.
    at: folder of the page, from which it links.
  """
  counts = collections.Counter(row.state for row in rows)
  return templates.render(
    'board.html.j2',
    'memae_jax.comparison',
    title=foreign.name_of(root.absolute().name or root.absolute()),
    counts=', '.join(f'{counts[s]} {s}' for s in _STATES if counts[s]),
    rows=[
      {
        **row._asdict(),
        'name': foreign.name_of(row.folder.relative_to(root)),
        'links': [(name, _link(row.folder / name, at)) for name in row.pages],
        'progress': _progress(row),
        'share': row.done / row.total if row.done and row.total else 0,
        'time': layout.seconds(row.seconds),
      }
      for row in rows
    ],
  )


def _progress(row: board_rows.Row) -> str:
  if row.done is None:
    return '—'
  of_all = f' of {row.total:,}' if row.total else ''
  return f'{row.done:,}{of_all} {row.unit}'


def _link(path: pathlib.Path, at: pathlib.Path) -> str:
  """Returns a relative address; no name in it can be taken for a scheme."""
  relative = os.path.relpath(path.absolute(), at.absolute())
  return urllib.parse.quote(os.fsencode(relative))
