"""Files that are whole or not there."""

import os
import subprocess
import sys

import pytest

from memae_jax.runtime import atomic, errors
from tests import helpers


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / 'a' / 'file'
  atomic.write(path, 'old')

  def fail(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'replace', fail)
  with pytest.raises(errors.UserError, match='a: No space left'):
    atomic.write(path, 'new')
  assert path.read_text() == 'old'
  assert os.listdir(path.parent) == ['file']


def test_what_is_no_utf8_costs_no_file(tmp_path):
  """The byte 0xE9 of a file's name, as Python carries it in text."""
  atomic.write(tmp_path / 'a', 'gr\udce9n größe\n')
  assert (tmp_path / 'a').read_bytes() == b'gr\\udce9n gr\xc3\xb6\xc3\x9fe\n'


def test_writing_takes_no_device(tmp_path):
  """Or a study would hold the accelerators that its runs need."""
  code = (
    'import pathlib\n'
    'from memae_jax.runtime import atomic\n'
    f'atomic.write(pathlib.Path({str(tmp_path / "a")!r}), "x")\n'
    'from jax._src import xla_bridge\n'
    'assert not xla_bridge.backends_are_initialized()\n'
  )
  subprocess.run([sys.executable, '-c', code], check=True, cwd=helpers.ROOT)
  assert (tmp_path / 'a').read_text() == 'x'


def test_text_that_is_no_utf8_is_written(tmp_path):
  atomic.write(tmp_path / 'a', 'caf\udce9 é')
  assert (tmp_path / 'a').read_bytes() == 'caf\\udce9 é'.encode()


def test_a_folder_is_replaced_as_a_whole(tmp_path):
  folder = tmp_path / 'a' / 'b'
  with atomic.replacing_folder(folder) as new:
    (new / 'one').write_text('1')
  with pytest.raises(ValueError, match='stop'):
    with atomic.replacing_folder(folder) as new:
      (new / 'two').write_text('2')
      raise ValueError('stop')
  assert os.listdir(folder) == ['one'] and os.listdir(folder.parent) == ['b']
  with atomic.replacing_folder(folder) as new:
    (new / 'two').write_text('2')
  assert os.listdir(folder) == ['two'] and os.listdir(folder.parent) == ['b']
