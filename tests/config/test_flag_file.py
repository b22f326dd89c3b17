"""Files of flags, as people write them."""

import json

import pytest
from absl import flags

from memae_jax import config as config_lib
from memae_jax.config import flag_file
from memae_jax.runtime import errors
from tests import helpers
from tests.config import commands

pytestmark = pytest.mark.usefixtures('in_the_project', 'same_argv')


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
    assert flag_file.expanded(['a', *words, 'b']) == [
      'a',
      *commands.EVAL,
      'b',
    ] or (name == 'one dash')
    assert (
      commands.read(f'--config={commands.DIGITS}', *words)[1:] == commands.EVAL
    )


def test_flag_files_in_flag_files(tmp_path):
  one, two = tmp_path / 'one', tmp_path / 'two'
  one.write_text(f'--mode=eval\n--flagfile={two}\n')
  two.write_text("--config.data.normal_labels=('a,b','c')\n--workdir=r\n")
  assert commands.read(f'--flagfile={one}', f'--config={commands.DIGITS}') == [
    f'--config={commands.DIGITS}',
    '--mode=eval',
    "--config.data.normal_labels=('a,b', 'c')",
    '--workdir=r',
  ]
  two.write_text(f'--flagfile={one}\n')
  with pytest.raises(errors.UserError, match='names itself'):
    commands.read(f'--flagfile={one}')


@pytest.mark.parametrize('content', [b'\xe9\xe8=\n', b'--a\0b', b'x' * 2**21])
def test_flag_files_that_are_no_text(tmp_path, content):
  path = tmp_path / 'flags'
  path.write_bytes(content)
  with pytest.raises(errors.UserError, match=f'--flagfile={path}'):
    commands.read(f'--flagfile={path}')


def test_eval_by_a_flag_file(tmp_path):
  """The stored config, as if the flags stood on the command line."""
  config = helpers.digits()
  (tmp_path / 'config.json').write_text(config_lib.to_json(config))
  path = tmp_path / 'flags.txt'
  path.write_text(
    f'--mode=eval\n--workdir={tmp_path}\n--config.eval.bootstrap=3\n'
  )
  found = commands.parsed(f'--flagfile={path}')
  assert found.eval.bootstrap == 3 and flags.FLAGS.mode == 'eval'
  assert json.loads(found.to_json())['name'] == 'test'
