"""Released fleets: replicas that the package brings, fitted already.

A folder for each fleet holds `weights.safetensors`, with the arrays of each
replica as CLASS/METHOD/NAME and its config and facts as a text CLASS/METHOD;
`card.md`, which says what it is; and the facts of that, `card.json`. Networks
are built of config and arrays by the code of this version.
"""

import hashlib
import importlib.resources
import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import flax.serialization
import flax.traverse_util
import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax.estimators import calls, detector, fitted
from memae_jax.evaluation.scoring import combined
from memae_jax.runtime import (
  atomic,
  errors,
  foreign,
  paths,
  safetensors,
  strict_json,
)
from memae_jax.runtime.strict_json import Maybe

WEIGHTS, CARD, FACTS = 'weights.safetensors', 'card.md', 'card.json'
FORMAT = 1
MOST = 10_000_000  # Bytes of the weights of a fleet.
_MEND = 'install memae_jax again, or release the fleet again'
_SUMMARY = {'mean': Maybe(float), 'ci95': Maybe((float, float)), 'n': int}
SHAPE = {  # Of card.json.
  'format': int,
  'name': str,
  'methods': {str: {'label': str, 'score': str, 'auroc': _SUMMARY}},
  'classes': {str: {str: {'auroc': float, 'ci95': Maybe((float, float))}}},
  'data': {'data_sha256': str},
  'run': {'versions': {'memae_jax': str}, 'config': {str: object}},
  'weights': {'bytes': int, 'sha256': str},
}
_TOLD = {  # Of the text of a replica.
  'config': {str: object},
  'meta': {'inputs': {str: object}, 'transforms': [{str: object}]},
  'step': int,
  'parts': [[object]],
}
_STATE = ('params', 'collections')
_NORMAL = 'normal'  # Scores of validation normals.


def released(folder: str | os.PathLike[str] | None = None) -> list[str]:
  """Returns the names that `load` takes, such as 'digits/3/memae'.

  Args:
    folder: of fleets that `memae_jax.release` wrote; None: those of the
      package.

  Raises:
    ValueError: a card is damaged.
  """
  with calls.guarded():
    root = place(folder)
    return [
      f'{fleet}/{member}'
      for fleet in _fleets(root)
      for member in members(facts(fleet, root))
    ]


def load(
  name: str, folder: str | os.PathLike[str] | None = None
) -> detector.Detector:
  """Returns a released replica as a fitted estimator.

  Args:
    name: FLEET/CLASS/METHOD, one of `released`, such as 'mnist/3/bank': normal
      is class 3. Without METHOD it is the first one of the fleet, MemAE.
    folder: of fleets that `memae_jax.release` wrote; None: those of the
      package.

  Raises:
    ValueError: there is no such replica, or its files are damaged.
  """
  with calls.guarded():
    root = place(folder)
    fleet, _, member = _name(name).partition('/')
    found = facts(fleet, root)
    member = _member(fleet, member, found['classes'], found['methods'])
    network = _fitted(root / fleet / WEIGHTS, found, member)
    return detector.Detector.of_fitted(network, {}, name)


def card(name: str, folder: str | os.PathLike[str] | None = None) -> str:
  """Returns the card of a fleet, in Markdown: data, results, limits, terms.

  Args:
    name: of the fleet, such as 'digits'.
    folder: see `load`.

  Raises:
    ValueError: there is no such fleet, or its files are damaged.
  """
  with calls.guarded():
    root = place(folder)
    facts(_name(name), root)
    return foreign.text(root / name / CARD)


def _member(
  fleet: str,
  member: str,
  classes: Mapping[str, Mapping[str, Any]],
  methods: Iterable[str],
) -> str:
  """Returns CLASS/METHOD of a replica, of which METHOD may be left out.

  Args:
    fleet: its name, for messages.
    member: CLASS or CLASS/METHOD.
    classes: methods by class.
    methods: of the fleet; the first one is the default.

  Raises:
    UserError: there is no such class or method.
  """
  number, _, method = member.partition('/')
  method = method or next(iter(methods))
  for kind, word, known in (
    ('class', number, classes),
    ('method', method, classes.get(number, ())),
  ):
    if word not in known:
      raise errors.UserError(
        f'released fleet "{fleet}" has no {kind} "{word}"'
        + errors.did_you_mean(word, known)
        + f'; give a name such as "{fleet}/{next(iter(classes))}"'
      )
  return f'{number}/{method}'


def _name(name: Any) -> str:
  """Returns a name; raises UserError if it is no text."""
  if isinstance(name, str):
    return name
  raise errors.UserError(
    f'name is {name!r:.40}; give text such as "mnist/3", see'
    ' memae_jax.released()'
  )


def place(folder: str | os.PathLike[str] | None) -> pathlib.Path:
  """Returns the folder of the fleets; None: that of the package."""
  if folder is None:
    return pathlib.Path(str(importlib.resources.files('memae_jax'))) / 'weights'
  return paths.local(folder, 'folder')


def _fleets(root: pathlib.Path) -> list[str]:
  return sorted(path.parent.name for path in root.glob(f'*/{FACTS}'))


def facts(name: str, root: pathlib.Path) -> dict[str, Any]:
  """Returns the content of the card.json of a fleet.

  Args:
    name: of the fleet.
    root: folder of the fleets.

  Raises:
    UserError: there is no such fleet, or the file is damaged.
  """
  fleets = _fleets(root)
  if name not in fleets:
    raise errors.UserError(
      f'there is no released fleet "{name}"'
      + (errors.did_you_mean(name, fleets) if fleets else f' in {root}')
    )
  path = root / name / FACTS
  found = strict_json.load(path, SHAPE, 'card of a fleet', _MEND)
  if found['format'] != FORMAT:
    raise errors.UserError(
      f'{path} has format {found["format"]}, this memae_jax reads {FORMAT};'
      ' install another version'
    )
  return found


def members(found: Mapping[str, Any]) -> list[str]:
  """Returns the replicas of a fleet, CLASS/METHOD each, by its facts."""
  return [
    f'{number}/{method}'
    for number, methods in found['classes'].items()
    for method in methods
  ]


def packed(replicas: Mapping[str, fitted.Fitted]) -> bytes:
  """Returns the file of weights of replicas.

  Args:
    replicas: fitted networks by CLASS/METHOD.
  """
  arrays, texts = {}, {}
  for member, found in replicas.items():
    weights = jax.device_get(found.weights)
    state = {'params': weights.params, 'collections': weights.collections}
    flat = flax.traverse_util.flatten_dict(state, sep='/')
    for name, array in flat.items():
      arrays[f'{member}/{name}'] = np.asarray(array)[0]
    arrays[f'{member}/{_NORMAL}'] = found.normal
    # These are the weights that evaluation chose.
    config = config_lib.changed(
      config_lib.resolve(found.config), {'eval.checkpoint': 'last'}
    ).to_dict()
    meta = found.meta | {'config': config}
    del meta['environment']
    told = {
      'config': config,
      'meta': meta,
      'step': found.step,
      'parts': found.parts,
    }
    texts[member] = json.dumps(strict_json.plain(told))
  return safetensors.written(arrays, texts)


def _fitted(
  path: pathlib.Path, found: Mapping[str, Any], member: str
) -> fitted.Fitted:
  """Reads a replica.

  Args:
    path: of the weights of its fleet.
    found: facts of the fleet.
    member: CLASS/METHOD.

  Raises:
    UserError: the file is damaged, or of another version.
  """
  name = foreign.file(path, 'the folder of fleets')
  with foreign.reading(name, 'file of weights', _MEND):
    content = foreign.content(path, MOST)
    if hashlib.sha256(content).hexdigest() != found['weights']['sha256']:
      raise ValueError('its sha256 is not the one of its card')
    file = safetensors.read(content)
    told = strict_json.loads(file.metadata[member].encode())
    strict_json.check(told, _TOLD)
    begin = f'{member}/'
    arrays = {
      key.removeprefix(begin): array
      for key, array in file.arrays.items()
      if key.startswith(begin)
    }
    for key, array in arrays.items():
      if not np.isfinite(array).all():
        raise ValueError(f'"{begin}{key}" has a number that is not finite')
    normal = arrays.pop(_NORMAL)
    try:
      out = fitted.Fitted(told['config'], told['meta'], {}, told['step'])
      out.state = _state(out, arrays)
    except errors.UserError as error:
      raise errors.UserError(
        f'{path} was written by memae_jax'
        f' {found["run"]["versions"]["memae_jax"]}, and this version cannot'
        f' build "{member}" ({error}); {_MEND}'
      ) from error
    out.normal = normal.astype(np.float64)
    out.parts = tuple(combined.Part(*part) for part in told['parts'])
  return out


def _state(
  out: fitted.Fitted, arrays: Mapping[str, np.ndarray]
) -> dict[str, Any]:
  """Returns the state of a replica; that of its optimizer is zeros.

  Args:
    out: the replica, without its state.
    arrays: weights by name, without the axis of replicas.

  Raises:
    ValueError: they are not those of such a network.
  """
  programs = fitted.without_data(out.config, out.meta).programs
  like = flax.serialization.to_state_dict(programs.init_shapes)
  weights = {key: like[key] for key in _STATE}
  wanted = flax.traverse_util.flatten_dict(weights, sep='/')
  if wanted.keys() != arrays.keys():
    differ = sorted(wanted.keys() ^ arrays.keys())
    raise ValueError(f'"{differ[0]}" is missing, or of no use')
  for name, array in arrays.items():
    one = wanted[name]
    if ((1, *array.shape), array.dtype) != (one.shape, one.dtype):
      raise ValueError(
        f'"{name}" is {array.dtype} of shape {array.shape}, not {one.dtype} of'
        f' shape {one.shape[1:]}'
      )
  read = {name: array[None] for name, array in arrays.items()}
  zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), like)
  return zeros | flax.traverse_util.unflatten_dict(read, sep='/')


def write(folder: pathlib.Path, files: Mapping[str, bytes]) -> None:
  """Writes the folder of a fleet, all of it or nothing.

  Args:
    folder: that may be there already, and is replaced then.
    files: content by name.

  Raises:
    UserError: the disk refuses it.
  """
  with atomic.replacing_folder(folder) as new:
    for name, content in files.items():
      (new / name).write_bytes(content)
