"""Methods by name, with facts about them; it imports no JAX.

A method is a name that `fleet.variants` takes. The methods of one family train
side by side in one program; another family is trained after it.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from memae_jax.runtime import catalogue, errors


@dataclasses.dataclass(frozen=True)
class Entry:
  """Facts about a method that need not build it.

  Attributes:
    name: in configs, results and commands.
    label: its name in figures and tables.
    style: colour, line and marker in figures; empty: chosen by the name.
    family: methods of the same family share a program.
    build: (config, input_shape, replicas) -> `base.Method` of its family.
    reads: beginnings of the config fields that this method reads, of those
      that only some methods read.
    fixed: values of fields among these that this method sets itself.
    memories: whether what it decodes or scores comes out of slots.
    rivals: methods with which it is compared in pairs, where both were run.
    couples_batch: whether its loss depends on the batch as a whole, so that a
      batch cannot be taken in parts.
    settings: config fields of the family, `methods.FAMILY.NAME`, by NAME: see
      `config.fields`. A field with the name of one of `train`, such as epochs,
      replaces that one for this family.
    released: whether the released PyTorch network holds its weights.
    exportable: whether `predict` can be a program of its own.
    classical: whether it is a reference, which figures draw thinner.
    predicts: whether it can predict a part of a sample from the others, see
      `tasks`.
    reconstructs: whether it can do anything else.
    alone: whether it fits each test picture by itself, as the protocol of that
      name says, and no other method does.
    twin: family that trains in the same way, and only scores otherwise. A run
      that has both with the same settings trains once.
  """

  name: str
  label: str
  family: str
  build: Callable[[Any, tuple[int, ...], Sequence[Any]], Any]
  style: tuple[str, str, str] | tuple[()] = ()
  reads: tuple[str, ...] = ()
  fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  memories: bool = False
  rivals: tuple[str, ...] = ()
  couples_batch: bool = False
  settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  released: bool = False
  exportable: bool = True
  classical: bool = False
  predicts: bool = False
  reconstructs: bool = True
  alone: bool = False
  twin: str = ''


def _check(entry: Entry) -> None:
  """Raises UserError for a name that configs and folders could not hold."""
  if not entry.name.isidentifier():
    raise errors.UserError(
      f'method "{entry.name}" needs a name of letters, digits and "_"'
    )


_ENTRIES = catalogue.Catalogue[Entry]('method', _check)
names, find, get = _ENTRIES.names, _ENTRIES.find, _ENTRIES.get
# Config fields by family and name: the group `methods` of a config.
SETTINGS: dict[str, dict[str, Any]] = {}


def register(*entries: Entry) -> None:
  """Makes methods known, and the settings of their families.

  Raises:
    UserError: a name is taken, or is not an identifier.
  """
  for entry in entries:
    _ENTRIES.register(entry)
    if entry.settings:
      SETTINGS.setdefault(entry.family, {}).update(entry.settings)


def reads(name: str, field: str) -> bool:
  """Returns whether the weights of a method depend on a config field.

  Args:
    name: of the method.
    field: such as 'train.alpha'. All methods read a field that no entry names
      in its `reads`.
  """
  begins = lambda entry: any(field.startswith(part) for part in entry.reads)
  if not any(map(begins, map(find, names()))):
    return True
  entry = find(name)
  return begins(entry) and field not in entry.fixed
