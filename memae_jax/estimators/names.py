"""Names that `import memae_jax` offers, from the registry of methods.

It imports no JAX: `import memae_jax` finds names in milliseconds.
"""

import importlib
import re
from typing import Any

from memae_jax.methods import registry
from memae_jax.runtime import errors

# Names that are no methods, by the module that has them.
_OTHERS = {
  'Detector': 'detector',
  'Run': 'run',
  'train': 'run',
  'card': 'released',
  'load': 'released',
  'released': 'released',
}


def class_name(entry: registry.Entry) -> str:
  """Returns the name of an estimator: the label without marks and blanks.

  Args:
    entry: of the method; "Deep SVDD" becomes DeepSVDD.
  """
  words = re.findall(r'[A-Za-z0-9]+', entry.label)
  return ''.join(word[0].upper() + word[1:] for word in words)


def methods() -> dict[str, str]:
  """Returns the name of each method by that of its estimator.

  Methods that fit each test picture by itself have no `fit`, so none.
  """
  entries = map(registry.find, registry.names())
  return {class_name(e): e.name for e in entries if not e.alone}


def public() -> list[str]:
  """Returns all names that `memae_jax` offers beside its modules."""
  return sorted([*_OTHERS, *methods()])


def find(name: str) -> Any:
  """Returns the class or function of a public name.

  Raises:
    AttributeError: there is none, or the method has no estimator.
  """
  if name in _OTHERS:
    module = importlib.import_module(f'memae_jax.estimators.{_OTHERS[name]}')
    return getattr(module, name)
  method = methods().get(name)
  if method is not None:
    module = importlib.import_module('memae_jax.estimators.detector')
    return module.of_method(method)
  alone = [
    entry.name
    for entry in map(registry.find, registry.names())
    if entry.alone and class_name(entry) == name
  ]
  if alone:
    raise AttributeError(
      f'method "{alone[0]}" fits each test picture by itself, so it has no'
      ' estimator; use the command with data.protocol "alone"'
    )
  raise AttributeError(
    f'memae_jax has no "{name}"' + errors.did_you_mean(name, public())
  )
