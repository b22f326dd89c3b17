"""The file of an exported scorer: its content and its checks."""

import hashlib
import json
import math
import pathlib
import zipfile
from typing import Any

import jax
import numpy as np

from memae_jax.data import host_stage, types
from memae_jax.exported import alarms
from memae_jax.runtime import errors, foreign

FORMAT, VERSION = 'memae_jax.scorer', 2
META, PROGRAM, UPDATE = 'meta.json', 'program.bin', 'update.bin'
PLATFORMS = ('cpu', 'cuda', 'tpu')
# {axes of a sample: kinds}; clips of three axes are single frames of videos.
KINDS = {1: ('table',), 3: ('images', 'clips'), 4: ('clips',)}
# Fields of `config.data` that say how files become samples.
READING = (
  'colour',
  'image_size',
  'image_width',
  'clip_frames',
  'frame_step',
  'missing',
  'unknown_category',
  'key_column',
  'separator',
  'encoding',
  'missing_marks',
)
_LIMITS = {META: 2**26, PROGRAM: 2**31, UPDATE: 2**31}  # Bytes.


def check_flatbuffers() -> None:
  """Raises UserError without the package that `jax.export` needs."""
  try:
    import flatbuffers  # noqa: F401  jax.export imports it late.
  except ImportError as error:
    raise errors.UserError(
      "flatbuffers is missing; pip install -e '.[export]'"
    ) from error


def parts(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, bytes]]:
  """Reads and checks the members of a scorer's file.

  Args:
    path: of the file.

  Returns:
    The content of meta.json, and the programs by the names of their members.

  Raises:
    UserError: the file is missing, damaged or foreign, or of another version.
  """
  if not path.is_file():
    raise errors.UserError(
      f'{path} is not a file; give one that memae_jax.export wrote'
    )
  try:
    with zipfile.ZipFile(path) as archive:
      members = archive.infolist()
      names = sorted(member.filename for member in members)
      if names not in ([META, PROGRAM], [META, PROGRAM, UPDATE]):
        raise ValueError('it has other members')
      for member in members:
        # Stored as they are, so none is larger than the file.
        if member.compress_type != zipfile.ZIP_STORED:
          raise ValueError(f'{member.filename} is compressed')
        if member.file_size > _LIMITS[member.filename]:
          raise ValueError(f'{member.filename} has {member.file_size} bytes')
      binary = {name: archive.read(name) for name in names}
    meta = json.loads(binary.pop(META))
    _check_meta(meta)
    if (UPDATE in binary) != ('update' in meta):
      raise ValueError('it has other members')
    for name, program in binary.items():
      told = meta[name.removesuffix('.bin')]['sha256']
      if hashlib.sha256(program).hexdigest() != told:
        raise ValueError('the sha256 of the program is another')
  except errors.UserError as error:
    raise errors.UserError(f'{path} {error}') from error
  # Zip files and JSON fail in many ways.
  except Exception as error:
    raise errors.UserError(
      f'{path} is damaged, or not a file of memae_jax.export'
      f' ({foreign.reason(error)}); copy or export it again'
    ) from error
  return meta, binary


def _check_meta(meta: Any) -> None:
  """Raises an error unless all that this package reads is there and sound.

  Raises:
    UserError: the file is of another version.
    Exception: something is missing or of a wrong type; of many kinds.
  """
  if meta['format'] != FORMAT:
    raise ValueError(f'its format is {meta["format"]!r}')
  if meta['version'] != VERSION:
    raise errors.UserError(
      f'has version {meta["version"]!r} of its format, this memae_jax reads'
      f' {VERSION}; export the run again'
    )
  for key in ('jax', 'exported', 'readable_until'):
    text = meta.get(key, '')  # Earlier exports lack them.
    if not (isinstance(text, str) and text.isprintable() and len(text) < 100):
      raise ValueError(f'its "{key}" is no line of text')
  why = meta['score'].get('no_columns', '')  # Earlier exports lack it.
  if not (isinstance(why, str) and why.isprintable()):
    raise ValueError('its "no_columns" is no line of text')
  alarms.check(meta)
  samples, limit = meta['input'], meta['threshold']
  shape, blocks = samples['shape'], meta['blocks']
  if type(limit) not in (int, float) or not math.isfinite(limit):
    raise ValueError(f'its threshold is {limit!r}')
  names = [
    name
    for c in types.columns_of_json(samples['columns'])
    for name in (c.name, *c.categories, *c.parts)
  ]
  if not (
    all(type(n) is int and 1 <= n <= 2**20 for n in [*shape, *blocks.values()])
    and all(isinstance(name, str) for name in names)
    and isinstance(meta['program']['sha256'], str)
    and 'default' in blocks
    and samples['kind'] in KINDS[len(shape)]
    and isinstance(samples.get('motion'), dict | None)
    and set(READING) <= set(samples)
    and samples['dtype'] in ('uint8', 'float32')
    and _width(samples['columns']) in (0, shape[0])
  ):
    raise ValueError('its meta.json is not sound')
  if samples['dtype'] == 'float32' and samples['kind'] != 'clips':
    stage = host_stage.from_json(samples['host'])
    if stage.centre.shape != ((shape[0],) if len(shape) == 1 else (1,)):
      raise ValueError('its host stage is of another width')
  low, high = samples['levels']
  if not (type(low) is type(high) is int and 0 <= low < high < 2**16):
    raise ValueError(f'its levels are {low!r} and {high!r}')


def _width(columns: list[dict[str, Any]]) -> int:
  """Counts the inputs that the columns of a table become."""
  return sum(column.width for column in types.columns_of_json(columns))


def fits(exported: jax.export.Exported, shape, dtype) -> bool:
  """Returns whether a program takes samples of a shape and gives their scores.

  Args:
    exported: the program.
    shape: of one sample.
    dtype: of samples.
  """
  if len(exported.in_avals) != 1:
    return False
  (samples,) = exported.in_avals
  outputs = jax.tree.unflatten(exported.out_tree, exported.out_avals)
  return (
    (samples.shape[1:], samples.dtype) == (shape, dtype)
    and isinstance(outputs, dict)
    and 'score' in outputs
    and (outputs['score'].shape, outputs['score'].dtype)
    == (samples.shape[:1], np.float32)
    and all(part.shape[:1] == samples.shape[:1] for part in outputs.values())
  )


def unreadable(path: Any, meta: dict[str, Any], error: Exception) -> Exception:
  """Returns the UserError for a program that this JAX cannot read.

  Args:
    path: of the scorer's file.
    meta: the content of its meta.json.
    error: that JAX raised.
  """
  why, writer = foreign.reason(error), _jax_of(meta)
  if 'backward-compatibility window' in why:  # The words of jax 0.12.
    why = 'it has expired'
  until = meta.get('readable_until')
  until = (
    f'by {until}' if until else 'until unknown'
  )  # Earlier exports lack it.
  return errors.UserError(
    f'{path} was written by jax {writer}, readable {until}; jax'
    f' {jax.__version__} cannot read it ({why}); export the run again with this'
    f' jax, or score with jax {writer}'
  )


def _jax_of(meta: dict[str, Any]) -> str:
  """Returns the version of the JAX that exported a program, for a message."""
  try:
    # Earlier exports have it in their environment only.
    written = meta.get('jax') or meta['environment']['versions']['jax']
  except (KeyError, TypeError):
    return 'of an unknown version'
  return ' '.join(str(written).split())[:40]
