"""Which test video people mean where they write its name."""

import pathlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from memae_jax.data.videos import decode_video

_ENDINGS = re.compile(r'_(gt|masks?|labels?)$')


def match(written: Iterable[str], names: Sequence[str]) -> dict[str, str]:
  """Returns the test video of each name that is one's.

  Names count as they are. Only where some are none do all of them count by
  what files make of them: `test/01.avi` or `01_label` is "01", and so is `1`,
  if this leaves none over on either side.

  Args:
    written: names in a file, or of files.
    names: of the test videos.
  """
  written = list(dict.fromkeys(written))
  if not set(written) <= set(names):
    for key in (_bare, _numbered):
      videos = {key(name): name for name in names}
      found = {one: videos.get(key(one)) for one in written}
      if len(names) == len(written) and set(found.values()) == set(names):
        return found
  return {name: name for name in written if name in names}


def _bare(name: str) -> str:
  path = pathlib.PurePosixPath(name.replace('\\', '/'))
  is_film = path.suffix.lower() in decode_video.SUFFIXES
  last = path.stem if is_film else path.name
  return _ENDINGS.sub('', unicodedata.normalize('NFC', last).casefold())


def _numbered(name: str) -> str:
  return re.sub(r'(?<!\d)0+(?=\d)', '', _bare(name))
