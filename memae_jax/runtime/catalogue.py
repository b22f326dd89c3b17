"""Registries of things by name, such as methods and metrics."""

from collections.abc import Callable
from typing import Generic, TypeVar

from memae_jax.runtime import errors

Item = TypeVar('Item')  # Has a `name`.


class Catalogue(Generic[Item]):
  """Items by name, in the order of their registration; plugins may add some."""

  def __init__(
    self,
    kind: str,
    check: Callable[[Item], None] = lambda item: None,
    unknown: str = '{kind} "{name}" is unknown',
  ):
    """Starts without items.

    Args:
      kind: of the items, for messages, such as 'metric'.
      check: raises UserError for an item that cannot be used.
      unknown: message on a name without item; {kind} and {name} are filled in.
    """
    self._kind, self._check, self._unknown = kind, check, unknown
    self._items: dict[str, Item] = {}

  def register(self, *items: Item) -> None:
    """Makes items known.

    Raises:
      UserError: a name is taken, or an item cannot be used.
    """
    for item in items:
      if item.name in self._items:
        raise errors.UserError(
          f'{self._kind} "{item.name}" is registered twice; give one of'
          ' them another name'
        )
      self._check(item)
      self._items[item.name] = item

  def names(self, flag: str = '') -> tuple[str, ...]:
    """Returns the names of all items, or of those whose `flag` is set."""
    items = self._items.items()
    return tuple(n for n, item in items if not flag or getattr(item, flag))

  def get(self, name: str) -> Item | None:
    """Returns the item of a name, or None."""
    return self._items.get(name)

  def find(self, name: str) -> Item:
    """Returns the item of a name.

    Raises:
      UserError: there is none.
    """
    if name not in self._items:
      raise errors.UserError(
        self._unknown.format(kind=self._kind, name=name)
        + errors.did_you_mean(name, self._items)
      )
    return self._items[name]
