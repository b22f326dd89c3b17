"""The examples in the docstrings of `memae_jax.memory` give what they say."""

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

from memae_jax import memory


def _functions():
  """Yields each public function of the package, by module and name."""
  for info in pkgutil.iter_modules(memory.__path__):
    module = importlib.import_module(f'{memory.__name__}.{info.name}')
    for name, value in vars(module).items():
      # `jax.jit` and functions with derivatives of their own wrap another.
      function = inspect.unwrap(value)
      is_here = getattr(function, '__module__', None) == module.__name__
      if inspect.isfunction(function) and is_here and name[0] != '_':
        yield pytest.param(module, function, id=f'{info.name}.{name}')


FUNCTIONS = list(_functions())


def test_all_functions_are_looked_at():
  names = {param.id for param in FUNCTIONS}
  assert {'shrinkage.hard_shrink', 'usage.summary', 'reading.read'} <= names


@pytest.mark.parametrize(('module', 'function'), FUNCTIONS)
def test_the_example(module, function):
  finder = doctest.DocTestFinder(recurse=False)
  (example,) = finder.find(function, module=module)
  assert example.examples, 'the docstring has no example'
  report = []
  with np.printoptions(precision=2, suppress=True):
    doctest.DocTestRunner().run(example, out=report.append)
  assert not report, ''.join(report)
