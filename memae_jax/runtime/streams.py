"""Standard output and error that take whatever a program prints.

A terminal or a file may know few characters, the reader of a pipe may have
gone, a stream may be closed from the start. None of it is a reason to lose
work. Standard library only.
"""

import codecs
import io
import os
import sys

_PLAIN = {
  '±': '+-',
  '\u2212': '-',
  '\u202f': ' ',
  '\xa0': ' ',
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '–': '-',
  '—': '-',
  '…': '...',
  '×': 'x',
  '→': '->',
  '≥': '>=',
  '≤': '<=',
}
# Error handlers that Python sets by default.
_USUAL = ('strict', 'surrogateescape', 'backslashreplace')
_PLAINLY = 'memae_jax.plainly'


def _plainly(error: UnicodeError) -> tuple[str, int]:
  r"""Replaces characters that a stream does not have; an error handler.

  A byte of a file name that is not UTF-8 becomes '\xe9'.

  Returns:
    The text in their place, and where the stream goes on.
  """
  if not isinstance(error, UnicodeEncodeError):
    raise error
  out = ''
  for character in error.object[error.start : error.end]:
    if 0xDC80 <= ord(character) <= 0xDCFF:
      out += f'\\x{ord(character) - 0xDC00:02x}'
    else:
      out += _PLAIN.get(character) or character.encode(
        'ascii', 'backslashreplace'
      ).decode('ascii')
  return out, error.end


codecs.register_error(_PLAINLY, _plainly)


class _Outlet(io.TextIOWrapper):
  """A text stream that goes silent when nobody reads it any more."""

  def write(self, text: str) -> int:
    """Writes text; drops it when nobody reads the stream any more."""
    try:
      return super().write(text)
    except BrokenPipeError:
      self._drop()
      return len(text)

  def flush(self) -> None:
    """Flushes; drops what nobody reads, as `write` does."""
    try:
      super().flush()
    except BrokenPipeError:
      self._drop()

  def _drop(self) -> None:
    """Sends all that was and will be written to the null device."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, self.fileno())
    os.close(nowhere)


def prepare() -> None:
  """Makes standard output and error take whatever is printed.

  Call it once, when a program starts.
  """
  # Otherwise the next file that is opened would get the number of a closed
  # stream, and what libraries print would go into that file.
  while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
    pass
  os.close(number)
  for number, name in ((1, 'stdout'), (2, 'stderr')):
    stream = getattr(sys, name)
    if stream is None:
      stream = open(number, 'w', encoding='utf-8', closefd=False)
      setattr(sys, f'__{name}__', stream)  # Closed when it is released.
    if type(stream) is io.TextIOWrapper:  # Not of a notebook.
      setattr(sys, name, _outlet(stream))


def _outlet(stream: io.TextIOWrapper) -> _Outlet:
  """Returns the stream as one that raises no error on what is written."""
  stream.flush()
  return _Outlet(
    stream.buffer,
    encoding=stream.encoding,
    errors=_PLAINLY if stream.errors in _USUAL else stream.errors,
    line_buffering=stream.line_buffering,
    write_through=stream.write_through,
  )
