"""Guesses the encoding of a text file."""

import codecs
import itertools
import pathlib
from collections.abc import Iterable, Iterator

from memae_jax.runtime import errors, foreign

_BOMS = (  # Longer ones first, since they begin like shorter ones.
  (codecs.BOM_UTF32_LE, 'utf-32'),
  (codecs.BOM_UTF32_BE, 'utf-32'),
  (codecs.BOM_UTF8, 'utf-8-sig'),
  (codecs.BOM_UTF16_LE, 'utf-16'),
  (codecs.BOM_UTF16_BE, 'utf-16'),
)
_OTHERS = (  # First bytes of files that are not text, and what to say of them.
  (b'\x1f\x8b', 'is packed by gzip; name it .csv.gz'),
  (b'PK\x03\x04', 'is a zip archive or spreadsheet; save it as csv'),
  (b'PAR1', 'is a parquet file; name it .parquet'),
  (b'\xd0\xcf\x11\xe0', 'is a spreadsheet; save it as csv'),
)


def guess(path: pathlib.Path) -> tuple[str, tuple[str, ...]]:
  """Guesses the encoding of a file.

  Text that is neither UTF-8, UTF-16 nor UTF-32 is taken for cp1252, the
  encoding of Windows in western Europe, or for latin-1 if cp1252 lacks a byte.

  Args:
    path: path of the file; the content of a .gz file counts.

  Returns:
    The encoding, as Python calls it, and a remark if it is not UTF-8.

  Raises:
    UserError: the file is not text, or is damaged text.
  """
  name = foreign.name_of(path)
  with foreign.opened(path) as file:
    head = file.read(4096)
    for mark, problem in _OTHERS:
      if head.startswith(mark):
        raise errors.UserError(f'{name} {problem}')
    for mark, encoding in _BOMS:
      if head.startswith(mark):
        remarks = (f'read {name} as {encoding}',) if '8' not in encoding else ()
        return encoding, remarks
    if len(head) > 3 and not any(head[1:200:2]):
      return 'utf-16-le', (f'read {name} as utf-16-le',)
    if len(head) > 3 and not any(head[:200:2]):
      return 'utf-16-be', (f'read {name} as utf-16-be',)
    is_other = _other_than_utf8(name, itertools.chain([head], _parts(file)))
  if not is_other:
    return 'utf-8', ()
  control = sum(byte < 32 and byte not in b'\t\n\r\f' for byte in head)
  if control > len(head) // 20:
    raise errors.UserError(f'{name} is not text; save the table as csv')
  with foreign.opened(path) as file:
    holes = any(any(b in part for b in b'\x81\x8d\x8f\x90\x9d')
                for part in _parts(file))  # fmt: skip
  encoding = 'latin-1' if holes else 'cp1252'
  return encoding, (f'read {name} as {encoding}, since it is not UTF-8',)


def _parts(file) -> Iterator[bytes]:
  return iter(lambda: file.read(2**20), b'')


def _other_than_utf8(name: str, parts: Iterable[bytes]) -> bool:
  """Returns whether bytes are of an older encoding than UTF-8.

  Args:
    name: name of the file, for messages.
    parts: the content.

  Raises:
    UserError: some characters are UTF-8, which text of older encodings does not
      look like, and others are not: the file is damaged or cut.
  """
  decoder = codecs.getincrementaldecoder('utf-8')('replace')
  bad = good = 0
  last_character = ''
  for part in itertools.chain(parts, [None]):
    text = decoder.decode(part or b'', part is None)
    if part is not None and text.isascii():
      continue
    wrong = text.count('\ufffd')
    bad += wrong
    good += sum(c > '\x7f' for c in text) - wrong
    last_character = text[-1:] if part is None else ''
  if bad and good:
    cut = ', but ends within a character' if last_character and bad == 1 else ''
    raise errors.UserError(
      f'{name} is UTF-8 text{cut or f" but for {bad} bytes"}; copy or save it'
      ' again, or set data.encoding'
    )
  return bad > 0
