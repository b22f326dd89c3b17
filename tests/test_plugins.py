"""Modules from outside: their names, and what is said where one fails."""

import os
import subprocess
import sys

import pytest

from memae_jax import plugins
from memae_jax.runtime import errors
from tests import helpers


@pytest.mark.parametrize(
  ('words', 'names'),
  [
    ([], []),
    (['--plugin=a', '-plugin', 'b.c', '--plugins=d'], ['a', 'b.c']),
    (['--plugin'], ['']),
  ],
)
def test_names_in_the_words_of_a_command(words, names):
  assert plugins.named(words) == names


def test_each_is_imported_once(tmp_path):
  """In a process of its own: what is loaded stays so, and is in configs."""
  (tmp_path / 'mine.py').write_text('print("imported")')
  script = (
    'from memae_jax import plugins\n'
    'plugins.load(["mine", "mine"])\n'
    'plugins.load(["mine"])\n'
    'plugins.check(["mine"])\n'
    'print(plugins.loaded())\n'
  )
  path = f'{helpers.ROOT}{os.pathsep}{tmp_path}'
  out = subprocess.run(
    [sys.executable, '-c', script],
    env={**os.environ, 'PYTHONPATH': path},
    capture_output=True,
    text=True,
    check=True,
    timeout=60,
  ).stdout
  assert out.splitlines() == ['imported', "('mine',)"]


def test_a_plugin_that_is_missing_is_named():
  with pytest.raises(errors.UserError, match='"a"; add --plugin=a --plugin=b '):
    plugins.check(['a', 'b'])


@pytest.mark.parametrize(
  ('name', 'content', 'words'),
  [
    ('a-b', '', 'is not the name of a module'),
    ('', '', 'is not the name of a module'),
    ('no_such_plugin', '', 'ModuleNotFoundError'),
    ('plugin_that_fails', '1 / 0', 'ZeroDivisionError'),
  ],
)
def test_what_cannot_be_imported(tmp_path, monkeypatch, name, content, words):
  if content:
    (tmp_path / f'{name}.py').write_text(content)
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(errors.UserError, match=f'^--plugin={name} .*{words}'):
    plugins.load([name])
  assert name not in plugins.loaded()
