"""Files and folders of samples, as an exported scorer reads them."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from memae_jax.data.tables import npz
from memae_jax.exported import stream
from memae_jax.runtime import errors


def read(
  path: pathlib.Path, meta: Mapping[str, Any], prepared: Callable[..., Any]
) -> tuple[dict[str, list[Any]], Any]:
  """Reads a file or folder, see `scorer.Scorer.read_places`.

  Args:
    path: of it.
    meta: `input` of meta.json.
    prepared: refuses samples [B, ...] that the network cannot take; its second
      argument begins the message.

  Raises:
    UserError: the network cannot take the samples.
  """
  kind = meta['kind']
  if not path.exists():
    raise errors.UserError(f'{path} does not exist')
  if path.suffix.lower() in ('.npy', '.npz'):
    samples = npz.samples(path)
    prepared(samples, f'{path}: ')
    return {stream.INDEX[kind]: list(range(len(samples)))}, samples
  if kind == 'table':
    # Imported late, since an array needs nothing of it.
    from memae_jax.data.tables import table_files

    places, samples = table_files.unseen(path, meta)
    prepared(samples, f'{path}: ')
    return places, samples
  try:
    from memae_jax.data import new_samples
  except ImportError as error:
    raise errors.UserError(
      f'{path} needs Pillow to be read; pip install pillow, or give a .npy file'
    ) from error
  names, samples = new_samples.read(path, meta)
  if not hasattr(samples, 'frames'):  # Clips are copied when scored.
    prepared(samples, f'{path}: ')
  places = {stream.INDEX[kind]: names}
  seconds = getattr(samples, 'seconds', None)  # Frames of a video have them.
  if seconds is not None:
    places['seconds'] = seconds.tolist()
  return places, samples
