"""Finds the test video that people mean where they write its name."""

import pathlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from memae_jax.data.videos import decode_video

_ENDINGS = re.compile(r'_(gt|masks?|labels?)$')


def match(written: Iterable[str], names: Sequence[str]) -> dict[str, str]:
  """Returns, by written name, the test video that it stands for.

  Names that are exactly those of test videos stand for these. If some are not,
  all names are compared without folder, ending and mark, so that `test/01.avi`
  and `01_label` stand for "01"; or also without leading zeros, so that `1`
  does. This counts only if it pairs all written names with all test videos.

  Args:
    written: names in a file, or of files.
    names: of the test videos.
  """
  written = list(dict.fromkeys(written))
  if not set(written) <= set(names):
    for key in (_bare, _numbered):
      videos = {key(name): name for name in names}
      of_written = {name: videos.get(key(name)) for name in written}
      if len(names) == len(written) and set(of_written.values()) == set(names):
        return of_written
  return {name: name for name in written if name in names}


def _bare(name: str) -> str:
  """Returns a name without folder, ending and mark, in lower case."""
  path = pathlib.PurePosixPath(name.replace('\\', '/'))
  is_film = path.suffix.lower() in decode_video.SUFFIXES
  last = path.stem if is_film else path.name
  return _ENDINGS.sub('', unicodedata.normalize('NFC', last).casefold())


def _numbered(name: str) -> str:
  """Returns the bare name with all numbers in it without leading zeros."""
  return re.sub(r'(?<!\d)0+(?=\d)', '', _bare(name))
