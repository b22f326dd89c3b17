"""Imports run downwards only, and no module is too large to be read."""

import ast
import functools
import pathlib

from tests import helpers

PACKAGE = helpers.ROOT / 'memae_jax'
# From below: a module imports its own layer and those before it. The longest
# name that a module begins with says which is its own.
LAYERS = (
  ('runtime',),
  ('losses', 'memory'),
  ('models',),
  ('methods', 'data.registry'),
  ('plugins',),
  ('config',),
  ('data',),
  ('exported',),
  ('training',),
  ('evaluation.metrics',),
  ('evaluation.scoring',),
  ('evaluation.results',),
  ('evaluation.report',),
  ('evaluation.media',),
  ('evaluation',),
  ('comparison',),
  ('planning', 'studies'),
  (
    'cli',
    'compare',
    'convert',
    'data.prepare.__main__',
    'export',
    'main',
    'scorer',
    'study',
  ),
)


@functools.cache
def _modules() -> dict[str, pathlib.Path]:
  """{'data.types': its file}; of a package, its `__init__`."""
  found = {}
  for path in PACKAGE.rglob('*.py'):
    parts = path.relative_to(PACKAGE).with_suffix('').parts
    found['.'.join(part for part in parts if part != '__init__')] = path
  del found['']
  return found


@functools.cache
def _tree(path: pathlib.Path) -> ast.Module:
  return ast.parse(path.read_text())


def _imports(path: pathlib.Path) -> set[str]:
  """The modules of the package that a file imports, at its top or later."""
  known, found = _modules(), set()
  for node in ast.walk(_tree(path)):
    if isinstance(node, ast.Import):
      names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      names = [f'{node.module}.{alias.name}' for alias in node.names]
    else:
      continue
    for name in names:
      name = name.removeprefix('memae_jax.')
      parent = name.rpartition('.')[0]
      found |= {name if name in known else parent} & known.keys()
  return found


def _layer(module: str) -> int:
  """The number of the layer with the longest name that a module is within."""
  names = {name: i for i, layer in enumerate(LAYERS) for name in layer}
  within = [n for n in names if f'{module}.'.startswith(f'{n}.')]
  return names[max(within, key=len)]


def test_imports_run_downwards():
  upwards = [
    f'{module} imports {other}'
    for module, path in _modules().items()
    for other in _imports(path)
    if _layer(other) > _layer(module)
  ]
  assert not upwards
  assert _layer('data.registry') < _layer('config') < _layer('data.types')


def test_imports_run_in_no_circle():
  done, open_ = set(), []

  def visit(module):
    assert module not in open_, ' -> '.join([*open_, module])
    if module in done:
      return
    open_.append(module)
    for other in _imports(_modules()[module]) - {module}:
      # A package only says what is public of its modules.
      if not f'{module}.'.startswith(f'{other}.'):
        visit(other)
    done.add(open_.pop())

  for module in _modules():
    visit(module)
