"""Downloads a publisher's file with a progress bar."""

import http.client
import os
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

import tqdm

from memae_jax.runtime import errors

_CHUNK = 1 << 18  # Bytes that are read at once.
_TIMEOUT = 60  # Seconds without a byte. TFDS would retry for minutes.


def fetch(url: str, folder: pathlib.Path) -> pathlib.Path:
  """Downloads a file, unless it is there; it appears complete or not at all.

  Args:
    url: of the file.
    folder: to write it to, under the last part of its url.

  Returns:
    the path of the file.

  Raises:
    UserError: the file cannot be fetched, or fewer bytes came than announced.
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
  # The network, the disk or the url is bad.
  except (OSError, ValueError, http.client.HTTPException) as error:
    if isinstance(error, urllib.error.HTTPError):
      error.close()
    raise errors.UserError(
      f'{url} cannot be fetched ({error}); try again, or fetch it yourself'
      ' and give the folder that it is in as --manual_dir'
    ) from error
  os.replace(part, target)
  return target
