"""The methods by name: facts alone, so that it imports no JAX.

A method is a name that `fleet.variants` takes. Those of one family train side
by side in one program; another family is trained after it.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from memae_jax.runtime import catalogue, errors


@dataclasses.dataclass(frozen=True)
class Entry:
  """What is known of a method without building it.

  Attributes:
    name: in configs, results and commands.
    label: its name for a reader.
    style: colour, line and marker in figures; empty: chosen by the name.
    family: methods of the same family share a program.
    build: (config, input_shape, replicas) -> `base.Method` of its family.
    reads: beginnings of the config fields that only some methods read, and
      this one does.
    fixed: fields among these with a value of its own instead.
    memories: whether what it decodes or scores comes out of slots.
    rivals: methods that it is compared with in pairs, wherever both are.
    couples_batch: whether its loss depends on a batch as a whole, so that a
      batch cannot be taken in parts.
    settings: fields of the family's own, `methods.FAMILY.NAME` in configs, by
      NAME: see `config.fields`. One that is named as a field of `train`,
      such as epochs, takes its place for this family.
    released: whether the released PyTorch network holds its weights.
    exportable: whether `predict` can be a program of its own.
    classical: whether it is a reference, which figures draw thinner.
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


def _check(entry: Entry) -> None:
  """Raises UserError for a name that configs and folders could not hold."""
  if not entry.name.isidentifier():
    raise errors.UserError(
      f'method "{entry.name}" needs a name of letters, digits and "_"'
    )


_ENTRIES = catalogue.Catalogue[Entry]('method', _check)
names, find, get = _ENTRIES.names, _ENTRIES.find, _ENTRIES.get
# Fields of each family, which are the group `methods` of a config.
SETTINGS: dict[str, dict[str, Any]] = {}


def register(*entries: Entry) -> None:
  """Makes methods known, and the settings of their families.

  Raises:
    UserError: a name is taken, or is no name.
  """
  for entry in entries:
    _ENTRIES.register(entry)
    if entry.settings:
      SETTINGS.setdefault(entry.family, {}).update(entry.settings)


def reads(name: str, field: str) -> bool:
  """Whether the weights of a method depend on a config field at all.

  Args:
    name: of the method.
    field: such as 'train.alpha'; one that no method has for its own is read
      by all.
  """
  begins = lambda entry: any(field.startswith(part) for part in entry.reads)
  if not any(map(begins, map(find, names()))):
    return True
  entry = find(name)
  return begins(entry) and field not in entry.fixed
