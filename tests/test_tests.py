"""Each module has its tests beside it; they use public names alone."""

import ast

from tests import helpers

FOLDER = helpers.ROOT / 'tests'
PACKAGE = helpers.ROOT / 'memae_jax'
# Files of a folder that test no single module of it: what all of its modules
# have in common, damaged files of each of its formats, or whole runs.
TOGETHER = frozenset(
  {
    'data/images/test_picture_mutants.py',
    'data/tables/test_mutants.py',
    'data/videos/test_label_mutants.py',
    'evaluation/report/test_first_screen.py',
    'evaluation/scoring/test_rules_of_images.py',
    'evaluation/test_top_k.py',
    'memory/test_doctests.py',
    'memory/test_sharded.py',
    'methods/test_every_method.py',
    'methods/test_families.py',
    'methods/test_recipes.py',
    'methods/images/test_every_detector.py',
    'methods/videos/test_every_comparator.py',
    'models/test_reference_parity.py',
    'training/test_compute.py',
    'training/test_meshes.py',
    'training/test_several_processes.py',
  }
)
# {module without a file of tests of its name: why it needs none}.
NO_FILE = {
  'config/data_fields.py': 'a table of fields; config/test_fields.py has all',
  'config/method_fields.py': 'a table of fields',
  'config/model_fields.py': 'a table of fields',
  'config/run_fields.py': 'a table of fields',
  'config/image_method_fields.py': 'a table of fields',
  'config/table_method_fields.py': 'a table of fields',
  'evaluation/metrics/entries.py': 'a table, see test_registry.py',
  'evaluation/metrics/alarm_entries.py': 'a table of metrics',
  'evaluation/metrics/event_entries.py': 'a table of metrics',
  'evaluation/metrics/money_entries.py': 'a table of metrics',
  'evaluation/metrics/place_entries.py': 'a table of metrics',
  'exported/score_command.py': 'the command that test_scorer.py runs',
  'main.py': 'the command that test_cli.py runs',
  'methods/entries.py': 'a table of methods; test_every_method.py has all',
  'training/passes.py': 'part of the feeds; methods/test_families.py trains it',
  'training/placed.py': 'base of the feeds, see test_feeds.py',
  'data/prepare/__main__.py': 'flags alone; test_prepare.py runs the command',
  'data/prepare/builders/images.py': 'a base class; see MNIST and CIFAR-10',
}
# Names with an underscore that are public.
PUBLIC = frozenset({'_replace', '_asdict', '_fields'})
# {name: why a test uses it}.
ALLOWED = {
  '_generate_examples': 'TFDS calls it in every builder of a data set',
  '_repr_html_': 'notebooks call it',
}
SETTERS = frozenset({'setattr', 'delattr', 'getattr', 'hasattr'})


def test_files_stand_where_their_modules_do():
  """In folders of the package; the top folder has tests of the whole."""
  folders = {path.parent for path in PACKAGE.rglob('__init__.py')}
  astray = set()
  for path in FOLDER.rglob('test_*.py'):
    place = path.relative_to(FOLDER)
    folder = PACKAGE / place.parent
    module = folder / place.name.removeprefix('test_')
    exists = module.is_file() or module.with_suffix('') in folders
    if folder != PACKAGE and folder in folders and not exists:
      astray.add(place.as_posix())
  assert astray == TOGETHER


def test_modules_have_a_file_of_their_name():
  """So that what a module does is found by its name among the tests."""
  without = set()
  for path in PACKAGE.rglob('*.py'):
    place = path.relative_to(PACKAGE)
    file = FOLDER / place.with_name(f'test_{place.name}')
    if place.name != '__init__.py' and not file.is_file():
      without.add(place.as_posix())
  assert without == NO_FILE.keys()


def _foreign(tree: ast.Module) -> set[str]:
  """Names that a file imports from elsewhere than the package."""
  names = {'self', 'cls'}
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      names |= {(a.asname or a.name).partition('.')[0] for a in node.names}
    elif isinstance(node, ast.ImportFrom):
      if node.module.partition('.')[0] not in ('memae_jax', 'tests'):
        names |= {alias.asname or alias.name for alias in node.names}
  return names - {'memae_jax'}


def _root(node: ast.AST) -> str:
  """Returns the name at the beginning of `a.b.c`, or ''."""
  while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
    node = node.func if isinstance(node, ast.Call) else node.value
  return node.id if isinstance(node, ast.Name) else ''


def _used(tree: ast.Module):
  """Yields (line, name, root) of attributes and of names for `setattr`."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute):
      yield node.lineno, node.attr, _root(node)
    elif isinstance(node, ast.ImportFrom):
      for alias in node.names:
        yield node.lineno, alias.name, (node.module or '').partition('.')[0]
    elif isinstance(node, ast.Call) and len(node.args) > 1:
      name = getattr(node.func, 'attr', getattr(node.func, 'id', ''))
      place, word, *_ = node.args
      if name in SETTERS and isinstance(place, ast.Constant):  # 'a.b.c'
        root, _, rest = str(place.value).partition('.')
        yield node.lineno, rest.rpartition('.')[2], root
      elif name in SETTERS and isinstance(word, ast.Constant):
        yield node.lineno, str(word.value), _root(place)


def _is_private(name: str) -> bool:
  is_special = name.startswith('__') and name.endswith('__')
  return name.startswith('_') and not is_special and name not in PUBLIC


def test_no_private_names_of_the_package():
  """Also not of its objects; what failures are simulated by is public, too."""
  private, allowed = [], set()
  for path in sorted(FOLDER.rglob('*.py')):
    tree = ast.parse(path.read_text())
    foreign = _foreign(tree)
    for line, name, root in _used(tree):
      if not _is_private(name) or root in foreign:
        continue
      if name in ALLOWED:
        allowed.add(name)
      else:
        private.append(f'{path.relative_to(FOLDER)}:{line}: {name}')
  assert not private
  assert allowed == ALLOWED.keys()
