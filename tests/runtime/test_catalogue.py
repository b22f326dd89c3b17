"""Items by name."""

import types

import pytest

from memae_jax.runtime import catalogue, errors


def _item(name, **flags):
  return types.SimpleNamespace(name=name, **{'large': False, **flags})


def test_items_keep_their_order_and_are_found_by_name():
  things = catalogue.Catalogue('thing')
  two, one = _item('two', large=True), _item('one')
  things.register(two, one)
  assert things.names() == ('two', 'one') and things.names('large') == ('two',)
  assert things.find('one') is things.get('one') is one
  assert things.get('three') is None
  with pytest.raises(errors.UserError, match='thing "tow" is .*mean "two"'):
    things.find('tow')


def test_what_cannot_be_registered_is_not_known_afterwards():
  def check(item):
    if item.large:
      raise errors.UserError('too large')

  things = catalogue.Catalogue('thing', check, 'no {kind} {name}')
  things.register(_item('one'))
  with pytest.raises(errors.UserError, match='"one" is registered twice'):
    things.register(_item('one', large=True))
  with pytest.raises(errors.UserError, match='too large'):
    things.register(_item('two', large=True))
  assert things.names() == ('one',)
  with pytest.raises(errors.UserError, match='^no thing two'):
    things.find('two')
