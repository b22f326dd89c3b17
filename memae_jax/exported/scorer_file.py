"""The file of an exported scorer: its content and its checks."""

import hashlib
import io
import json
import math
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from memae_jax.data import host_stage, types
from memae_jax.exported import alarms, hourly
from memae_jax.runtime import errors, foreign

FORMAT, VERSION = 'memae_jax.scorer', 3
_EARLIER = 2  # Its programs hold their weights; there is no weights.npz.
META, WEIGHTS = 'meta.json', 'weights.npz'
PROGRAM, UPDATE = 'program.bin', 'update.bin'
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
_LIMITS = {META: 2**26, WEIGHTS: 2**36, PROGRAM: 2**31, UPDATE: 2**31}  # Bytes.
# {member: where meta.json has its size and hash}.
_TOLD = {WEIGHTS: 'weights', PROGRAM: 'program', UPDATE: 'update'}


def check_flatbuffers() -> None:
  """Raises UserError without the package that `jax.export` needs."""
  try:
    import flatbuffers  # noqa: F401  jax.export imports it late.
  except ImportError as error:
    raise errors.UserError(
      "flatbuffers is missing; pip install 'memae_jax[export]'"
    ) from error


def parts(
  path: pathlib.Path, with_programs: bool = True
) -> tuple[dict[str, Any], dict[str, bytes]]:
  """Reads and checks the members of a scorer's file.

  Args:
    path: of the file.
    with_programs: whether the programs are wanted; else they may be damaged.

  Returns:
    The content of meta.json, and the other members by name.

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
      if {META, PROGRAM} - set(names) or set(names) - set(_LIMITS):
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
    told = {n: meta[key] for n, key in _TOLD.items() if key in meta}
    if told.keys() != binary.keys() or len(names) != 1 + len(told):
      raise ValueError('it has other members')
    if not with_programs:
      binary = {k: v for k, v in binary.items() if k == WEIGHTS}
    for name, part in binary.items():
      if hashlib.sha256(part).hexdigest() != told[name]['sha256']:
        kind = 'weights' if name == WEIGHTS else 'program'
        raise ValueError(f'the sha256 of the {kind} is another')
  except errors.UserError as error:
    raise errors.UserError(f'{path} {error}') from error
  # Zip files and JSON fail in many ways.
  except Exception as error:
    raise errors.UserError(
      f'{path} is damaged, or not a file of memae_jax.export'
      f' ({foreign.reason(error)}); copy or export it again'
    ) from error
  return meta, binary


def arrays(
  path: Any, members: Mapping[str, bytes]
) -> tuple[dict[str, np.ndarray], ...]:
  """Returns what programs take beside samples: weights and scaling by name.

  Args:
    path: of the file.
    members: from `parts`.

  Returns:
    One dict; nothing for files of earlier versions, whose programs hold them.

  Raises:
    UserError: the member cannot be read.
  """
  if WEIGHTS not in members:
    return ()
  try:
    with np.load(io.BytesIO(members[WEIGHTS]), allow_pickle=False) as content:
      return ({name: content[name] for name in content.files},)
  except Exception as error:  # NumPy raises many kinds, as zip files do.
    raise errors.UserError(
      f'{path} is damaged: its weights cannot be read'
      f' ({foreign.reason(error)}); copy or export it again'
    ) from error


def _check_meta(meta: Any) -> None:
  """Raises an error unless all that this package reads is there and sound.

  Raises:
    UserError: the file is of another version.
    Exception: something is missing or of a wrong type; of many kinds.
  """
  if meta['format'] != FORMAT:
    raise ValueError(f'its format is {meta["format"]!r}')
  if meta['version'] not in (_EARLIER, VERSION):
    raise errors.UserError(
      f'has version {meta["version"]!r} of its format, this memae_jax reads'
      f' {_EARLIER} and {VERSION}; export the run again'
    )
  if ('weights' in meta) != (meta['version'] == VERSION):
    raise ValueError('its meta.json is not sound')
  for key in ('jax', 'exported', 'readable_until'):
    text = meta.get(key, '')  # Earlier exports lack them.
    if not (isinstance(text, str) and text.isprintable() and len(text) < 100):
      raise ValueError(f'its "{key}" is no line of text')
  why = meta['score'].get('no_columns', '')  # Earlier exports lack it.
  if not (isinstance(why, str) and why.isprintable()):
    raise ValueError('its "no_columns" is no line of text')
  alarms.check(meta)
  hourly.check(meta)
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


def fits(
  exported: jax.export.Exported, weights: tuple[Any, ...], shape, dtype
) -> bool:
  """Returns whether a program takes samples of a shape and gives their scores.

  Args:
    exported: the program.
    weights: what it takes beside samples: one dict, or nothing.
    shape: of one sample.
    dtype: of samples.
  """
  args, named = jax.tree.unflatten(exported.in_tree, exported.in_avals)
  if named or len(args) != 1 + len(weights) or not takes(args[1:], weights):
    return False
  samples = args[0]
  if not hasattr(samples, 'shape'):
    return False
  outputs = jax.tree.unflatten(exported.out_tree, exported.out_avals)
  return (
    (samples.shape[1:], samples.dtype) == (shape, dtype)
    and isinstance(outputs, dict)
    and 'score' in outputs
    and (outputs['score'].shape, outputs['score'].dtype)
    == (samples.shape[:1], np.float32)
    and all(part.shape[:1] == samples.shape[:1] for part in outputs.values())
  )


def takes(wanted: tuple[Any, ...], weights: tuple[Any, ...]) -> bool:
  """Returns whether a program wants such weights.

  Args:
    wanted: shapes and types of what it takes beside samples.
    weights: of the file, see `fits`.
  """
  like = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)
  return like(wanted) == like(weights)


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
    f' {jax.__version__} cannot read it ({why}); {_mend(path, meta)}, or score'
    f' with jax {writer}'
  )


def _mend(path: Any, meta: dict[str, Any]) -> str:
  """Says how a program becomes readable for this JAX."""
  if 'weights' in meta:
    return f'rebuild it: python -m memae_jax.export --refresh={path}'
  return 'export the run again with this jax'


def _jax_of(meta: dict[str, Any]) -> str:
  """Returns the version of the JAX that exported a program, for a message."""
  try:
    # Earlier exports have it in their environment only.
    written = meta.get('jax') or meta['environment']['versions']['jax']
  except (KeyError, TypeError):
    return 'of an unknown version'
  return ' '.join(str(written).split())[:40]
