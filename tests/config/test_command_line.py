"""Flags in the spellings that people use; config files of their own."""

import json
import os
import random

import pytest
from absl import flags

from memae_jax import cli
from memae_jax import config as config_lib
from memae_jax.config import command_line, config_file, flag_file
from memae_jax.runtime import errors
from tests import helpers

DIGITS = 'configs/digits.py:smoke'
EVAL = ['--mode=eval', '--workdir=r', '--steps=all']


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
  monkeypatch.chdir(helpers.ROOT)


def _read(*argv):
  """The flags of a command, without the one of our own file."""
  found = command_line.read(['main', *argv])
  ours = f'--config={config_file.__file__}:'
  return [word.replace(ours, '--config=') for word in found.words[1:]]


@pytest.mark.parametrize(
  'argv',
  [
    EVAL,
    ['-mode=eval', '-workdir=r', '-steps=all'],
    ['-mode', 'eval', '-workdir', 'r', '-steps', 'all'],
    ['--mode', 'eval', '--workdir', 'r', '--steps', 'all'],
    ['--', *EVAL],
    [EVAL[0], '--', *EVAL[1:]],
    ['–mode=eval', '—workdir=r', '-steps=all'],  # noqa: RUF001
  ],
)
def test_flags_are_read_however_they_are_spelled(argv):
  assert _read(f'--config={DIGITS}', *argv) == [f'--config={DIGITS}', *EVAL]


@pytest.mark.parametrize(
  'argv, words',
  [
    (['--config', DIGITS], []),
    (['-config', DIGITS], []),
    (['--', '--config', DIGITS], []),
    (['--nowatch'], ['--watch=false']),
    (['-nowatch'], ['--watch=false']),
    (['--watch'], ['--watch']),
    (['--watch', 'true'], ['--watch=true']),
    (['--watch', 'False'], ['--watch=False']),
    (['--process', '-1'], ['--process=-1']),
    (['--config.train.epochs', '3'], ['--config.train.epochs=3']),
    (['-config.train.epochs=3'], ['--config.train.epochs=3']),
    (['--config.train.batch-size=3'], ['--config.train.batch_size=3']),
    (['--noconfig.eval.pseudo'], ['--config.eval.pseudo=false']),
    (['--config.eval.pseudo', '--watch'], ['--config.eval.pseudo', '--watch']),
    (['--config.fleet.slots', '3,4'], ['--config.fleet.slots=(3, 4)']),
    (['stray'], ['stray']),
    (['--', '-stray'], ['--', '-stray']),
    (['--unknown', 'x'], ['--unknown', 'x']),
  ],
)
def test_forms_of_flags(argv, words):
  named = [] if any('config' == w.lstrip('-') for w in argv) else [
    f'--config={DIGITS}'
  ]  # fmt: skip
  assert _read(*argv, *named) == [f'--config={DIGITS}', *words]


@pytest.mark.parametrize(
  'argv, line',
  [
    (['--workdir'], 'flag --workdir has no value; write --workdir=VALUE'),
    (['--workdir', '--mode=eval'], 'flag --workdir has no value'),
    (['--config.train.epoch=3'], 'did you mean "epochs"'),
    (['--noconfig.eval.pseud'], 'did you mean "pseudo"'),
    (['--config.train.epochs[0]=3'], 'has no members'),
    (['--flagfile'], 'flag --flagfile has no value'),
    (['--flagfile=nowhere'], '--flagfile=nowhere: there is no such file'),
    (['--flagfile=configs'], 'there is no such file'),
    (['--config=gs://bucket/c.py'], 'an address'),
    (['--workdir=s3://bucket/run', '--mode=eval'], 'mount the bucket'),
  ],
)
def test_what_cannot_be_read_is_named(argv, line):
  with pytest.raises(errors.UserError, match=line.replace('.', r'\.')):
    _read(*argv)


FLAG_FILES = {
  'plain': '--mode=eval\n--workdir=r\n--steps=all\n',
  'one dash': '-mode=eval\n-workdir=r\n-steps=all\n',
  'blanks and comments': '\n# mode\n--mode=eval\n// x\n --workdir=r \n\n'
  '--steps=all',
  'a blank for "="': '--mode eval\n--workdir r\n--steps all\n',
  "a shell's quotes": '--mode="eval"\n--workdir=\'r\'\n--steps=all\n',
  "a shell's line breaks": '--mode=eval \\\n--workdir=r \\\n--steps=all\n',
  'Windows': '--mode=eval\r\n--workdir=r\r\n--steps=all\r\n',
}


@pytest.mark.parametrize('name', FLAG_FILES)
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_flag_files(tmp_path, name, encoding):
  path = tmp_path / 'flags.txt'
  path.write_bytes(FLAG_FILES[name].encode(encoding))
  for words in ([f'--flagfile={path}'], ['-flagfile', str(path)]):
    assert flag_file.expanded(['a', *words, 'b']) == ['a', *EVAL, 'b'] or (
      name == 'one dash'
    )
    assert _read(f'--config={DIGITS}', *words)[1:] == EVAL


def test_flag_files_in_flag_files(tmp_path):
  one, two = tmp_path / 'one', tmp_path / 'two'
  one.write_text(f'--mode=eval\n--flagfile={two}\n')
  two.write_text("--config.data.normal_labels=('a,b','c')\n--workdir=r\n")
  assert _read(f'--flagfile={one}', f'--config={DIGITS}') == [
    f'--config={DIGITS}',
    '--mode=eval',
    "--config.data.normal_labels=('a,b', 'c')",
    '--workdir=r',
  ]
  two.write_text(f'--flagfile={one}\n')
  with pytest.raises(errors.UserError, match='names itself'):
    _read(f'--flagfile={one}')


@pytest.mark.parametrize('content', [b'\xe9\xe8=\n', b'--a\0b', b'x' * 2**21])
def test_flag_files_that_are_no_text(tmp_path, content):
  path = tmp_path / 'flags'
  path.write_bytes(content)
  with pytest.raises(errors.UserError, match=f'--flagfile={path}'):
    _read(f'--flagfile={path}')


def _parsed(*argv):
  """The config that a command means, or the line that refuses it."""
  flags.FLAGS.unparse_flags()
  for name in [n for n in flags.FLAGS if n.startswith('config.')]:
    delattr(flags.FLAGS, name)
  for name in ('config', 'workdir', 'mode', 'watch'):
    flags.FLAGS[name].unparse()
  try:
    cli.parse(['main', *argv])
    return flags.FLAGS.config
  finally:
    flags.FLAGS.mark_as_parsed()


@pytest.fixture(autouse=True)
def same_argv(monkeypatch):
  monkeypatch.setattr('sys.argv', ['main'])


@pytest.mark.parametrize(
  'words, field, meant',
  [
    (['model.widths[0]=16'], 'model.widths', (16, 32)),
    (['model.widths[-1]=16'], 'model.widths', (64, 16)),
    (['model.widths[0]=1', 'model.widths[1]=2'], 'model.widths', (1, 2)),
    (['model.widths=3,4,5', 'model.widths[2]=6'], 'model.widths', (3, 4, 6)),
    (['data.normal_labels=1'], 'data.normal_labels', ('1',)),
    (['data.normal_labels=007'], 'data.normal_labels', ('007',)),
    (['data.normal_labels=a', 'data.normal_labels=b'], 'data.normal_labels',
     ('a', 'b')),
    (['fleet.variants=memae,ae'], 'fleet.variants', ('memae', 'ae')),
    (['eval.films=01,02'], 'eval.films', ('01', '02')),
    (['train.epochs=3'], 'train.epochs', 3.0),
    (['data.path=a,b'], 'data.path', 'a,b'),
  ],
)  # fmt: skip
def test_overrides(words, field, meant):
  argv = [f'--config.{word}' for word in words]
  for each in ([f'--config={DIGITS}', *argv], [*argv, f'--config={DIGITS}']):
    group, key = field.split('.')
    assert _parsed(*each)[group][key] == meant


@pytest.mark.parametrize(
  'word, line',
  [
    ('model.widths[2]=6', '--config.model.widths=64,32'),
    ('model.widths[0]=1,2', '--config.model.widths=64,32'),
    ('model.code=' + '(' * 100_000, 'config.model.code'),
    ('data=' + '[' * 100_000, 'config.data'),
    ('data={"name":1', 'config.data'),
  ],
)
def test_overrides_that_do_not_fit(word, line, capsys):
  with pytest.raises(SystemExit) as stop:
    _parsed(f'--config={DIGITS}', f'--config.{word}')
  said = capsys.readouterr().err
  assert stop.value.code == 2 and line in said
  assert said.startswith('error: ') and said.count('\n') == 1


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
    config = _parsed(
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
    assert _parsed(f'--config={tmp_path / name / "c.py"}').name == name


def test_the_config_of_a_run(tmp_path):
  config = helpers.digits()
  (tmp_path / 'config.json').write_text(config_lib.to_json(config))
  for given in (tmp_path, tmp_path / 'config.json'):
    found = _parsed(f'--config={given}', '--config.eval.bootstrap=7')
    fields = {**config_lib.flatten(config.to_dict()), 'eval.bootstrap': 7}
    assert config_lib.flatten(config_lib.resolve(found).to_dict()) == fields
  found = _parsed(f'--workdir={tmp_path}', '-mode', 'eval')
  assert config_lib.resolve(found) == config
  part = tmp_path / 'part.json'
  part.write_text('{"train": {"epochs": 2}}')
  assert _parsed(f'--config={part}').train.epochs == 2.0


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
    _parsed(f'--config={path}{arg}')
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
  commands = [[f'--config={path}']]
  if name == 'config.json':
    commands += [[f'--workdir={tmp_path}', '--mode=eval']]
  for argv in commands:
    with pytest.raises(SystemExit) as stop:
      _parsed(*argv)
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
    _parsed(f'--config={given}')
  said = capsys.readouterr().err
  assert stop.value.code == 2 and words in said and said.count('\n') == 1


def test_a_folder_with_a_colon(tmp_path):
  folder = tmp_path / '12:30'
  folder.mkdir()
  text = 'def get_config(arg=""): return {"name": arg or "none"}'
  (folder / 'c.py').write_text(text)
  assert _parsed(f'--config={folder}/c.py').name == 'none'
  assert _parsed(f'--config={folder}/c.py:a:b').name == 'a:b'


def test_a_word_that_lacks_its_dashes(capsys):
  with pytest.raises(SystemExit):
    _parsed(f'--config={DIGITS}', 'workdir=r')
  assert 'write --workdir=r' in capsys.readouterr().err


def test_eval_by_a_flag_file(tmp_path):
  """The stored config, as if the flags stood on the command line."""
  config = helpers.digits()
  (tmp_path / 'config.json').write_text(config_lib.to_json(config))
  path = tmp_path / 'flags.txt'
  path.write_text(
    f'--mode=eval\n--workdir={tmp_path}\n--config.eval.bootstrap=3\n'
  )
  found = _parsed(f'--flagfile={path}')
  assert found.eval.bootstrap == 3 and flags.FLAGS.mode == 'eval'
  assert json.loads(found.to_json())['name'] == 'test'


_MUTANTS = 2000 if os.environ.get('MEMAE_TEST_THOROUGH') == '1' else 150
_TORN = [b'', b'[' * 9999, b'\xff\xfe', b'\0', b'{', b'"', b'\n--', b'1e999']


def _mutant(rng, content):
  """Bytes that are cut, changed, repeated or have others put in."""
  at, to = sorted(rng.randrange(len(content)) for _ in range(2))
  kind = rng.randrange(4)
  if kind == 0:
    return content[:at]
  if kind == 1:
    return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
  if kind == 2:
    return content[:to] + content[at:]
  return content[:at] + rng.choice(_TORN) + content[at:]


@pytest.mark.parametrize('name', ['config.json', 'flags'])
def test_mutants(tmp_path, name):
  """Each is one line that names the file, or is read as it stands."""
  path, rng = tmp_path / name, random.Random(0)
  config = config_lib.to_json(helpers.digits())
  good = config if name == 'config.json' else '\n'.join(
    ['--mode=eval', '--workdir=r', "--config.data.normal_labels='a,b',c",
     '--config.model.widths=(3,4)', '# --nowatch', '--config.eval.bootstrap 3']
  )  # fmt: skip
  for _ in range(_MUTANTS):
    content = _mutant(rng, good.encode())
    path.write_bytes(content)
    try:
      if name == 'flags':
        _read(f'--config={DIGITS}', f'--flagfile={path}')
        continue
      found = config_lib.flatten(config_file.get_config(str(path)).to_dict())
    except errors.UserError as error:
      line = str(error)
      assert name == 'flags' or str(path) in line
      assert len(line) < 2000
    else:
      meant = config_lib.flatten(json.loads(content))
      same = lambda a: list(a) if isinstance(a, tuple) else a
      for field, value in meant.items():
        assert same(found[field]) == value or str(value) in str(found[field])
