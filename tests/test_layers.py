"""The house: imports run downwards, as docs/code.md draws them; sizes."""

import ast
import collections
import functools
import pathlib
import re

from tests import helpers

PACKAGE = helpers.ROOT / 'memae_jax'
# From below: a module imports its own layer and those before it. The longest
# name that a module begins with says which is its own.
LAYERS = (
  ('runtime',),
  ('conformal', 'image_errors', 'memory'),
  ('losses',),
  ('models',),
  ('features',),
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
  ('planning', 'refereeing', 'studies'),
  (
    'board',
    'cli',
    'compare',
    'convert',
    'data.prepare.__main__',
    'estimators',
    'export',
    'main',
    'referee',
    'release',
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


COMMANDS = 'commands'
# Modules of the root that are no commands.
PLAIN = ('conformal', 'image_errors', 'plugins')


def _room(module: str) -> str:
  """The folder of a module, its own name, or `COMMANDS` for all of these."""
  room = module.partition('.')[0]
  is_room = (PACKAGE / room).is_dir() or room in PLAIN
  return room if is_room else COMMANDS


def _drawn() -> set[tuple[str, str]]:
  """The arrows of the picture in docs/code.md, from above to below."""
  text = (helpers.ROOT / 'docs' / 'code.md').read_text()
  (picture,) = re.findall('```mermaid\n(.*?)```', text, re.DOTALL)
  return set(re.findall(r'(\w+) --> (\w+)', picture))


def _needed() -> set[tuple[str, str]]:
  """The arrows between rooms, without those that follow from others."""
  below = collections.defaultdict(set)
  for module, path in _modules().items():
    # Data sets register below everything, and prepare is a command, too.
    if module not in ('data.registry', 'data.prepare.__main__'):
      below[_room(module)] |= {
        _room(other) for other in _imports(path) if other != 'data.registry'
      } - {_room(module)}

  @functools.cache
  def reached(room):
    return below[room].union(*(reached(other) for other in below[room]))

  return {
    (room, other)
    for room in list(below)
    for other in below[room]
    if not any(other in reached(third) for third in below[room] - {other})
  }


def test_the_picture_equals_the_imports():
  assert _drawn() == _needed()


def test_the_answers_in_the_docs_are_there():
  text = (helpers.ROOT / 'docs' / 'code.md').read_text()
  _, _, answers = text.partition('## Where is it decided')
  answers = re.findall(r'^\d+\. .*', answers.partition('## Sizes')[0], re.M)
  assert len(answers) == 10
  for answer in answers:
    folder, files = re.match(r'.*\? `(?:([\w/]+/)`: `)?(.*)', answer).groups()
    for name in re.findall(r'(\w+\.py)`', files):
      assert (PACKAGE / (folder or '') / name).is_file(), answer


MOST = {'modules': 20, 'lines': 400, 'of a function': 60, 'arguments': 7}


def _sizes() -> list[tuple[str, str, int]]:
  """(kind, place, size) of each folder, module, function and signature."""
  sizes = []
  folders = collections.Counter(path.parent for path in _modules().values())
  for folder, count in folders.items():
    place = str(folder.relative_to(PACKAGE.parent))
    # Beside the module that makes it a package.
    sizes.append(('modules', place, count - (folder / '__init__.py').exists()))
  for path in (*_modules().values(), PACKAGE / '__init__.py'):
    place = str(path.relative_to(PACKAGE.parent))
    sizes.append(('lines', place, len(path.read_text().splitlines())))
    for node in ast.walk(_tree(path)):
      if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        called = f'{place}: {node.name}'
        length = node.end_lineno - node.lineno + 1
        # Examples are for readers, and not to be cut short.
        length -= len((ast.get_docstring(node) or '').splitlines())
        names = [
          arg.arg
          for part in (node.args.posonlyargs, node.args.args)
          for arg in part
        ]
        count = len(names) + len(node.args.kwonlyargs)
        count -= names[:1] in (['self'], ['cls'])
        sizes.append(('of a function', called, length))
        sizes.append(('arguments', called, count))
  return sizes


def test_sizes(capsys):
  """At most five exceptions, which docs/code.md gives reasons for."""
  sizes = _sizes()
  above = {(kind, place): n for kind, place, n in sizes if n > MOST[kind]}
  with capsys.disabled():
    for kind, most in MOST.items():
      largest = max((n, place) for k, place, n in sizes if k == kind)
      print(
        f'\n{kind}: at most {most}; most: {largest[0]}, {largest[1]}', end=''
      )
  text = (helpers.ROOT / 'docs' / 'code.md').read_text()
  unnamed = [
    f'{place}: {n} {kind}'
    for (kind, place), n in above.items()
    if f'`{place.removeprefix("memae_jax/")}`' not in text
  ]
  assert not unnamed and len(above) <= 5
