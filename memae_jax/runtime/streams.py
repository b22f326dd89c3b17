"""What a program prints, on streams that cannot hold or take all of it.

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
# What Python does with them by default.
_USUAL = ('strict', 'surrogateescape', 'backslashreplace')
_PLAINLY = 'memae_jax.plainly'


def _plainly(error: UnicodeError) -> tuple[str, int]:
  r"""What stands in place of characters that a stream does not have.

  A byte of a file name that is no UTF-8 becomes '\xe9'.
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
    """Writes; what nobody can read is dropped."""
    try:
      return super().write(text)
    except BrokenPipeError:
      self._drop()
      return len(text)

  def flush(self) -> None:
    """Flushes, as `write`."""
    try:
      super().flush()
    except BrokenPipeError:
      self._drop()

  def _drop(self) -> None:
    """Lets all that is and will be written go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, self.fileno())
    os.close(nowhere)


def prepare() -> None:
  """Makes standard output and error take whatever is printed.

  To be called once, when a program starts.
  """
  # Else the next file that is opened would get the number of a closed stream,
  # and what libraries print would go into it.
  while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
    pass
  os.close(number)
  for number, name in ((1, 'stdout'), (2, 'stderr')):
    stream = getattr(sys, name)
    if stream is None:
      stream = open(number, 'w', encoding='utf-8', closefd=False)
      setattr(sys, f'__{name}__', stream)  # Whoever lets go of it closes it.
    if type(stream) is io.TextIOWrapper:  # Else of a notebook or a test.
      setattr(sys, name, _outlet(stream))


def _outlet(stream: io.TextIOWrapper) -> _Outlet:
  """The same stream, which raises no error of characters or readers."""
  stream.flush()
  return _Outlet(
    stream.buffer,
    encoding=stream.encoding,
    errors=_PLAINLY if stream.errors in _USUAL else stream.errors,
    line_buffering=stream.line_buffering,
    write_through=stream.write_through,
  )
