"""Finds a publisher's file on disk, unpacks it and compares its checksum."""

import hashlib
import lzma
import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Sequence

from memae_jax.runtime import errors, foreign

LIMIT = 2**30  # Bytes of an unpacked file; the published ones are far smaller.


def find(folder: pathlib.Path, names: Sequence[str], url: str) -> pathlib.Path:
  """Returns the path of the first of several files that is in a folder.

  Args:
    folder: to look in.
    names: of the files.
    url: where to fetch the file, for the message.

  Raises:
    UserError: none of the files is there.
  """
  for name in names:
    if (folder / name).is_file():
      return folder / name
  raise errors.UserError(
    f'{folder} holds no file {" or ".join(names)}; put it there, or leave'
    f' --manual_dir out to download it from {url}'
  )


def unpacked(path: pathlib.Path, url: str) -> bytes:
  """Returns the content of a file that may be compressed with gzip.

  Args:
    path: of the file.
    url: where to fetch it, for the message.

  Raises:
    UserError: the file is damaged, or holds more than `LIMIT` bytes.
  """
  mend = f'fetch {url} again'
  with foreign.reading(path, 'file', mend), path.open('rb') as file:
    content = file.read(LIMIT + 1)
    if content[:2] == b'\x1f\x8b':
      return b''.join(foreign.unpacked(path, LIMIT, mend))
    if len(content) > LIMIT:
      raise ValueError(f'it has more than {LIMIT:,} bytes')
    return content


def check(
  content: bytes, kind: str, expected: str, path: pathlib.Path, url: str
) -> None:
  """Compares the checksum of a file's content with the published one.

  Args:
    content: of the file.
    kind: of the checksum, 'sha256' or 'md5'.
    expected: the published checksum in hex digits.
    path: of the file, for the message.
    url: where to fetch it, for the message.

  Raises:
    UserError: the checksums differ.
  """
  digest = hashlib.new(kind, content).hexdigest()
  if digest != expected:
    raise errors.UserError(
      f'{path} is not the published file: {kind} of its {len(content):,} bytes'
      f' is {digest[:12]}..., expected {expected[:12]}...; fetch {url} again'
    )


def check_file(path: pathlib.Path, kind: str, expected: str, url: str) -> None:
  """Compares the checksum of a file that may be larger than memory.

  Args:
    path: of the file.
    kind: of the checksum, 'sha256' or 'md5'.
    expected: the published checksum in hex digits.
    url: where to fetch it, for the message.

  Raises:
    UserError: the checksums differ.
  """
  with path.open('rb') as file:
    digest = hashlib.file_digest(file, kind).hexdigest()
  if digest != expected:
    raise errors.UserError(
      f'{path} is not the published file: {kind} is {digest[:12]}..., expected'
      f' {expected[:12]}...; fetch it again from {url}'
    )


def extract(path: pathlib.Path, target: pathlib.Path, url: str) -> None:
  """Unpacks an archive into a folder, and nothing outside of it.

  Args:
    path: of a zip or tar file, which may be compressed.
    target: the folder.
    url: where to fetch the archive, for the message.

  Raises:
    UserError: the archive is damaged.
  """
  try:
    if path.suffix == '.zip':
      with zipfile.ZipFile(path) as archive:
        archive.extractall(target)  # It strips ".." and "/".
    else:
      with tarfile.open(path) as archive:
        archive.extractall(target, filter='data')
  except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error,
          lzma.LZMAError, RuntimeError) as error:  # fmt: skip
    raise errors.UserError(
      f'{path} cannot be unpacked ({foreign.reason(error)}); fetch it again'
      f' from {url}'
    ) from error
