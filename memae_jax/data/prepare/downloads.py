"""Fetches a publisher's file: whole or not at all, with progress."""

import http.client
import os
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

import tqdm

from memae_jax.runtime import errors

_CHUNK = 1 << 18
_TIMEOUT = 60  # Seconds without a byte. TFDS would retry for minutes.


def fetch(url: str, folder: pathlib.Path) -> pathlib.Path:
  """Downloads a file, unless it is there.

  Args:
    url: of the file.
    folder: where it goes, under the last part of its url.

  Returns:
    the path of the file.

  Raises:
    UserError: it cannot be fetched, or came short.
  """
  target = folder / pathlib.PurePosixPath(urllib.parse.urlparse(url).path).name
  if target.is_file():
    return target
  folder.mkdir(parents=True, exist_ok=True)
  part = target.with_name(target.name + '.part')
  try:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
      size = int(response.headers.get('Content-Length') or 0)
      with (
        part.open('wb') as file,
        tqdm.tqdm(
          desc=target.name,
          total=size or None,
          unit='B',
          unit_scale=True,
          disable=not sys.stderr.isatty(),
        ) as bar,
      ):
        while chunk := response.read(_CHUNK):
          file.write(chunk)
          bar.update(len(chunk))
    if size and part.stat().st_size != size:
      raise OSError(f'got {part.stat().st_size:,} of {size:,} bytes')
  # Network, disk, or a bad url.
  except (OSError, ValueError, http.client.HTTPException) as error:
    if isinstance(error, urllib.error.HTTPError):
      error.close()
    raise errors.UserError(
      f'{url} cannot be fetched ({error}); try again, or fetch it yourself'
      ' and give its folder as --manual_dir'
    ) from error
  os.replace(part, target)
  return target
