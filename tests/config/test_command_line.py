"""Flags in the spellings that people use."""

import json
import os
import random

import pytest

from memae_jax import config as config_lib
from memae_jax.config import config_file
from memae_jax.runtime import errors
from tests import helpers
from tests.config import commands

pytestmark = pytest.mark.usefixtures('in_the_project', 'same_argv')


@pytest.mark.parametrize(
  'argv',
  [
    commands.EVAL,
    ['-mode=eval', '-workdir=r', '-steps=all'],
    ['-mode', 'eval', '-workdir', 'r', '-steps', 'all'],
    ['--mode', 'eval', '--workdir', 'r', '--steps', 'all'],
    ['--', *commands.EVAL],
    [commands.EVAL[0], '--', *commands.EVAL[1:]],
    ['–mode=eval', '—workdir=r', '-steps=all'],  # noqa: RUF001
  ],
)
def test_flags_are_read_however_they_are_spelled(argv):
  assert commands.read(f'--config={commands.DIGITS}', *argv) == [
    f'--config={commands.DIGITS}',
    *commands.EVAL,
  ]


@pytest.mark.parametrize(
  'argv, words',
  [
    (['--config', commands.DIGITS], []),
    (['-config', commands.DIGITS], []),
    (['--', '--config', commands.DIGITS], []),
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
    f'--config={commands.DIGITS}'
  ]  # fmt: skip
  assert commands.read(*argv, *named) == [f'--config={commands.DIGITS}', *words]


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
    commands.read(*argv)


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
  for each in (
    [f'--config={commands.DIGITS}', *argv],
    [*argv, f'--config={commands.DIGITS}'],
  ):
    group, key = field.split('.')
    assert commands.parsed(*each)[group][key] == meant


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
    commands.parsed(f'--config={commands.DIGITS}', f'--config.{word}')
  said = capsys.readouterr().err
  assert stop.value.code == 2 and line in said
  assert said.startswith('error: ') and said.count('\n') == 1


def test_a_word_that_lacks_its_dashes(capsys):
  with pytest.raises(SystemExit):
    commands.parsed(f'--config={commands.DIGITS}', 'workdir=r')
  assert 'write --workdir=r' in capsys.readouterr().err


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
        commands.read(f'--config={commands.DIGITS}', f'--flagfile={path}')
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
