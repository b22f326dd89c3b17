"""Config files of their own, and the faults that they may have."""

import pytest

from memae_jax import config as config_lib
from tests import helpers
from tests.config import commands

pytestmark = pytest.mark.usefixtures('in_the_project', 'same_argv')


HEAD = 'from memae_jax import config as config_lib\n'


PART = (
  "{'data': {'name': 'digits'}, 'fleet': {'normal_classes': [0]},"
  " 'train': {'epochs': 1}}"
)


FILES = {
  'a dict': f'def get_config(): return {PART}',
  'a ConfigDict': 'import ml_collections\n'
  f'def get_config(): return ml_collections.ConfigDict({PART})',
  'a FrozenConfigDict': 'import ml_collections\n'
  f'def get_config(): return ml_collections.FrozenConfigDict({PART})',
  'groups one by one': 'import ml_collections\ndef get_config():\n'
  '  c = ml_collections.ConfigDict()\n'
  '  c.data = dict(name="digits")\n  c.fleet = dict(normal_classes=(0,))\n'
  '  c.train = dict(epochs=1)\n  return c\n',
  'all fields': HEAD + 'def get_config(arg=""):\n  c = config_lib.default()\n'
  '  c.fleet.normal_classes = (0,)\n  c.train.epochs = 1.0\n  return c\n',
  'an argument': f'def get_config(arg): return {PART}',
  'any arguments': f'def get_config(*args): return {PART}',
  'an import of its neighbour': 'import helper_of_it\ndef get_config():\n'
  f'  return {PART} | helper_of_it.MORE',
  'an import inside': 'def get_config():\n  import helper_of_it\n'
  f'  return {PART} | helper_of_it.MORE',
  'tabs': f'def get_config():\n\tfound = {PART}\n\treturn found\n',
  'a byte order mark': f'\ufeffdef get_config(): return {PART}',
  'Windows': f'def get_config():\r\n  return {PART}\r\n',
  'a dataclass': 'import dataclasses\n@dataclasses.dataclass\nclass C:\n'
  '  data: dict\n  fleet: dict\n  train: dict\n'
  f'def get_config(): return C(**{PART})',
}


@pytest.mark.parametrize('name', FILES)
def test_own_config_files(tmp_path, name, monkeypatch):
  """Part of the fields, and overrides of others."""
  (tmp_path / 'helper_of_it.py').write_text('MORE = {"name": "mine"}')
  path = tmp_path / 'mine.py'
  path.write_bytes(FILES[name].encode())
  monkeypatch.setenv('HOME', str(tmp_path))
  for given in (str(path), '~/mine.py', f'{path}:'):
    config = commands.parsed(
      f'--config={given}',
      '--config.eval.bootstrap=0',
      '--config.train.learning_rate=1',
    )
    found = config_lib.resolve(config)
    assert found.eval.bootstrap == 0 and found.train.learning_rate == 1.0
    assert found.train.epochs == 1.0 and found.fleet.normal_classes == (0,)


def test_neighbours_of_one_name(tmp_path):
  for name in ('one', 'two'):
    (tmp_path / name).mkdir()
    (tmp_path / name / 'helper_of_it.py').write_text(f'NAME = "{name}"')
    (tmp_path / name / 'c.py').write_text(
      'import helper_of_it\ndef get_config():'
      ' return {"name": helper_of_it.NAME}'
    )
    assert commands.parsed(f'--config={tmp_path / name / "c.py"}').name == name


def test_the_config_of_a_run(tmp_path):
  config = helpers.digits()
  (tmp_path / 'config.json').write_text(config_lib.to_json(config))
  for given in (tmp_path, tmp_path / 'config.json'):
    found = commands.parsed(f'--config={given}', '--config.eval.bootstrap=7')
    fields = {**config_lib.flatten(config.to_dict()), 'eval.bootstrap': 7}
    assert config_lib.flatten(config_lib.resolve(found).to_dict()) == fields
  found = commands.parsed(f'--workdir={tmp_path}', '-mode', 'eval')
  assert config_lib.resolve(found) == config
  part = tmp_path / 'part.json'
  part.write_text('{"train": {"epochs": 2}}')
  assert commands.parsed(f'--config={part}').train.epochs == 2.0


# What stands in the file, arguments, what the line says beside its name.
FAULTS = {
  'nothing': ('', '', 'defines no get_config()'),
  'no function': ('x = 1', '', 'defines no get_config()'),
  'something else': ('get_config = 1', '', 'defines no get_config()'),
  'None': ('def get_config(): pass', '', 'did you forget `return`'),
  'no fields': ('def get_config(): return {}', '', 'returns no fields'),
  'a list': ('def get_config(): return [1]', '', 'returns list'),
  'an unknown field': (
    'def get_config(): return {"tran": {}}', '', 'mean "train"'
  ),
  'a wrong value': (
    'def get_config(): return {"train": {"epochs": "x"}}', '', 'train.epochs'
  ),
  'no argument': (f'def get_config(): return {PART}', ':smoke', '":smoke"'),
  'a syntax error': ('x = 1\ndef get_config(:\n', '', 'line 2'),
  'tabs and blanks': (
    'def get_config():\n\tx = 1\n        return x', '', 'TabError'
  ),
  'an unknown name': (
    'def get_config():\n  return nonsense\n', '', 'line 2: NameError'
  ),
  'an unknown module': ('import nosuchmodule', '', 'nosuchmodule'),
  'the end of Python': ('import sys\nsys.exit(0)', '', 'line 2: SystemExit'),
  'a missing file': ('open("nowhere.txt")', '', 'nowhere.txt'),
  'two arguments': (
    'def get_config(a, b): return {}', ':x', "argument: 'b'"
  ),
  'bytes': ('x = "\0"', '', 'null bytes'),
  'Latin-1': (b'x = "\xe9"\n', '', "can't decode"),
  'brackets': ('x = ' + '(' * 100_000, '', 'config file'),
  'recursion': ('def f(): f()\nf()', '', 'RecursionError'),
}  # fmt: skip


@pytest.mark.parametrize('name', FAULTS)
def test_faults_of_config_files(tmp_path, name, capsys):
  content, arg, words = FAULTS[name]
  path = tmp_path / 'mine.py'
  path.write_bytes(content if isinstance(content, bytes) else content.encode())
  with pytest.raises(SystemExit) as stop:
    commands.parsed(f'--config={path}{arg}')
  said = capsys.readouterr().err
  assert stop.value.code == 2 and str(path) in said and words in said
  assert said.startswith('error: ') and said.count('\n') == 1
  assert len(said) < 600


@pytest.mark.parametrize(
  'name, content, words',
  [
    ('c.yaml', 'train:\n  epochs: 1\n', 'is no Python'),
    ('c.ipynb', '{}', 'is no Python'),
    ('config.json', '{"train": ', 'not a readable config'),
    ('config.json', '[' * 100_000, 'not a readable config'),
    ('config.json', '[]', 'holds no fields'),
    ('config.json', '{"theirs": 1}', '"theirs" is unknown'),
    ('config.json', '\x80\xff', 'not a readable config'),
  ],
)
def test_other_files(tmp_path, name, content, words, capsys):
  path = tmp_path / name
  path.write_bytes(content.encode('latin-1'))
  calls = [[f'--config={path}']]
  if name == 'config.json':
    calls += [[f'--workdir={tmp_path}', '--mode=eval']]
  for argv in calls:
    with pytest.raises(SystemExit) as stop:
      commands.parsed(*argv)
    said = capsys.readouterr().err
    assert stop.value.code == 2 and str(path) in said and words in said
    assert said.count('\n') == 1


@pytest.mark.parametrize(
  'given, words',
  [
    ('', 'is empty'),
    ('configs', 'configs is a folder and no run'),
    ('configs/digit.py', 'did you mean "configs/digits.py"'),
    ('~nosuchuser/c.py', 'not a home folder'),
    ('configs/digits.py:smoke,clases=1', 'clases'),
    ('configs/digits.py:classes=' + '(' * 100_000, 'classes'),
  ],
)
def test_config_files_that_are_not_there(given, words, capsys):
  with pytest.raises(SystemExit) as stop:
    commands.parsed(f'--config={given}')
  said = capsys.readouterr().err
  assert stop.value.code == 2 and words in said and said.count('\n') == 1


def test_a_folder_with_a_colon(tmp_path):
  folder = tmp_path / '12:30'
  folder.mkdir()
  text = 'def get_config(arg=""): return {"name": arg or "none"}'
  (folder / 'c.py').write_text(text)
  assert commands.parsed(f'--config={folder}/c.py').name == 'none'
  assert commands.parsed(f'--config={folder}/c.py:a:b').name == 'a:b'
