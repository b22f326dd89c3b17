"""Files of flags, `--flagfile=FILE`: one per line, # and // for comments."""

import re
from collections.abc import Sequence

from memae_jax.runtime import errors, paths

_LARGEST = 2**20  # Bytes.
_FLAG_FILE = re.compile(r'--?flagfile(?:=(.*))?', re.DOTALL)
_TWO_WORDS = re.compile(r'(--?[A-Za-z][^\s=]*)\s+([^\s-].*|-\d.*)')
_QUOTED = re.compile(r"""([^=]+=)(["'])((?:(?!\2).)*)\2""")


def expanded(words: Sequence[str], inside: tuple[str, ...] = ()) -> list[str]:
  """Returns the words with the flags of a file in place of `--flagfile`.

  Args:
    words: of a command.
    inside: names of the files that these words come from.

  Raises:
    UserError: a file is missing, is not text, or names itself.
  """
  out, left = [], iter(words)
  for word in left:
    match = _FLAG_FILE.fullmatch(word)
    if not match:
      out.append(word)
      continue
    name = next(left, '') if match[1] is None else match[1]
    if not name:
      raise errors.UserError('flag --flagfile has no value; name a file')
    if name in inside:
      raise errors.UserError(f'--flagfile={name}: the file names itself')
    out += expanded(_lines(name), (*inside, name))
  return out


def _lines(name: str) -> list[str]:
  """Returns the flags of a file, each as `--name=value`."""
  path = paths.local(name, '--flagfile')
  if path.is_dir() or not path.exists():
    raise errors.UserError(f'--flagfile={name}: there is no such file')
  with path.open('rb') as file:
    content = file.read(_LARGEST + 1)
  if len(content) > _LARGEST:
    raise errors.UserError(f'--flagfile={name} is larger than a megabyte')
  wide = content[:2] in (b'\xff\xfe', b'\xfe\xff')
  try:
    text = content.decode('utf-16' if wide else 'utf-8-sig')
  except UnicodeDecodeError as error:
    raise errors.UserError(
      f'--flagfile={name} is not text in UTF-8 ({error.reason} at byte'
      f' {error.start}); save it as UTF-8'
    ) from error
  if '\0' in text:
    raise errors.UserError(f'--flagfile={name} is not text')
  lines = (re.sub(r'\s+\\$', '', line.strip()) for line in text.splitlines())
  return [_word(line) for line in lines if line and line[0] != '#'
          and not line.startswith('//')]  # fmt: skip


def _word(line: str) -> str:
  """Returns a line as one word, `--name=value`, without quotes of a shell."""
  match = _TWO_WORDS.fullmatch(line)
  word = f'{match[1]}={match[2]}' if match else line
  quoted = _QUOTED.fullmatch(word)
  return quoted[1] + quoted[3] if quoted else word
