"""What a disk refuses is one line that names the folder; the rest stays."""

import errno
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import types

import pytest

from memae_jax import cli
from memae_jax.evaluation import command, whole_run
from memae_jax.runtime import (
  disk,
  errors,
)
from memae_jax.training import checkpoint
from tests import helpers

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _from(error, cause):
  error.__cause__ = cause
  return error


def _after(error, context):
  error.__context__ = context
  return error


_TENSORSTORE = (
  'RESOURCE_EXHAUSTED: Error opening "zarr" driver: Error writing local file'
  ' "/runs/a/checkpoints/2/d/0": [OS error 28: ENOSPC No space left on device]'
)
# An error -> words of its line; '' if no disk has refused anything.
LINES = {
  'full': (FULL, 'RUN: No space left on device; free some space'),
  'quota': (
    OSError(errno.EDQUOT, ''),
    'RUN: Disk quota exceeded; free some of',
  ),
  'broken': (OSError(errno.EIO, ''), 'RUN: Input/output error; check the disk'),
  'read-only': (
    OSError(errno.EROFS, '', '/a/b'),
    'RUN: Read-only file system; choose a folder',
  ),
  'stale': (OSError(errno.ESTALE, ''), 'RUN: Stale file handle; mount'),
  'forbidden': (
    PermissionError(errno.EACCES, '', '/a/b'),
    '/a/b: Permission denied; choose a folder',
  ),
  'absent': (
    FileNotFoundError(errno.ENOENT, '', '/a/b'),
    '/a/b: No such file or directory',
  ),
  'long name': (
    OSError(errno.ENAMETOOLONG, '', '/a/b'),
    '/a/b: File name too long; choose a shorter',
  ),
  'not UTF-8': (
    OSError(errno.ENOENT, '', b'/a/\xe9'),
    r'/a/\xe9: No such file',
  ),
  'tensorstore': (
    ValueError(_TENSORSTORE),
    'RUN: No space left on device; free',
  ),
  'cause': (_from(RuntimeError('save failed'), FULL), 'RUN: No space left'),
  'context': (_after(ValueError('closing'), FULL), 'RUN: No space left'),
  'chain': (
    _from(KeyError('x'), _after(ValueError('y'), ValueError(_TENSORSTORE))),
    'RUN: No space left',
  ),
  'group': (
    ExceptionGroup('many', [ValueError('a'), FULL]),
    'RUN: No space left',
  ),
  'device memory': (
    RuntimeError('RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes'),
    '',
  ),
  'bug': (ValueError('shape'), ''),
  'bug after a missing file': (
    _after(ValueError('shape'), FileNotFoundError(errno.ENOENT, '', '/a')),
    '',
  ),
}


@pytest.mark.parametrize('name', LINES)
def test_lines(name):
  error, words = LINES[name]
  said = disk.line(error, 'RUN')
  assert (
    said.startswith(words) and '\n' not in said and bool(said) == bool(words)
  )
  kind = errors.UserError if words else type(error)
  with pytest.raises(kind), disk.writing(pathlib.Path('RUN')):
    raise error


def test_a_circle_of_errors_ends():
  one, two = ValueError('one'), ValueError('two')
  one.__context__, two.__context__ = two, one
  assert disk.line(one) == ''


@pytest.mark.parametrize(
  ('error', 'words'),
  [
    (ValueError(_TENSORSTORE), 'No space left on device'),
    (FULL, 'No space left on device'),
    (RuntimeError('RESOURCE_EXHAUSTED: 8 bytes'), 'lower train.batch_size'),
  ],
)
def test_a_full_disk_is_no_full_device(error, words, capsys):
  def job():
    raise error

  with pytest.raises(SystemExit) as stop:
    cli.guarded(job)
  said = capsys.readouterr().err.splitlines()
  assert stop.value.code == 2 and len(said) == 1 and words in said[0]


def test_only_tracebacks_of_the_disk_are_left_out(monkeypatch):
  said = []
  loud = [logging.getLogger(name) for name in ('', 'absl', 'asyncio')]
  for logger in loud:
    monkeypatch.setattr(logger, 'filters', [])
  monkeypatch.setattr(threading, 'excepthook', lambda a: said.append(a))
  monkeypatch.setattr(sys, 'unraisablehook', lambda a: said.append(a))
  monkeypatch.setattr(sys, 'excepthook', lambda *a: said.append(a))
  disk.hush()
  record = lambda text, error=None: logging.LogRecord(
    'orbax', 40, '', 1, text, (), error and (type(error), error, None)
  )
  for error in (FULL, RuntimeError('Event loop is closed')):
    threading.excepthook(types.SimpleNamespace(exc_value=error))
    sys.unraisablehook(types.SimpleNamespace(exc_value=error))
    sys.excepthook(type(error), error, None)
  assert not said
  for logger in loud:
    assert not logger.filter(record('save failed', FULL))
    assert not logger.filter(record(_TENSORSTORE))
  bug = ValueError('bug')
  threading.excepthook(types.SimpleNamespace(exc_value=bug))
  sys.unraisablehook(types.SimpleNamespace(exc_value=bug))
  sys.excepthook(ValueError, bug, None)
  assert len(said) == 3
  assert all(logger.filter(record('save failed', bug)) for logger in loud)


@pytest.mark.parametrize(
  ('free', 'refused', 'warned'),
  [
    (69, True, False),
    (71, False, True),
    (2**24, False, True),
    (2**26, False, False),
  ],
)
def test_room_is_looked_for_before_it_is_needed(
  tmp_path, monkeypatch, caplog, free, refused, warned
):
  caplog.set_level('WARNING', 'memae_jax')
  usage = 2**40, 0, free
  monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)
  if refused:
    with pytest.raises(errors.UserError, match='lower train.keep'):
      disk.check_room(tmp_path, 100, 'lower train.keep')
  else:
    disk.check_room(tmp_path, 100, 'lower train.keep')
  assert bool(caplog.text) == warned
  usage = 0, 0, 0  # A folder that does not tell.
  disk.check_room(tmp_path, 100, '')


def test_a_folder_removed_while_evaluating(tmp_path, monkeypatch):
  run = tmp_path / 'run'

  def removed(exp, workdir, again):
    shutil.rmtree(run)
    return 'report'

  monkeypatch.setattr(command, 'after_training', removed)
  with pytest.raises(errors.UserError, match='train again'):
    whole_run.train(helpers.digits(), run)


@pytest.fixture
def small_disk(tmp_path):
  """Mounts a disk of a few bytes, where that is possible."""
  folder = tmp_path / 'disk'
  folder.mkdir()

  def mount(size):
    command = ['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', folder]
    if subprocess.run(command, capture_output=True).returncode:
      pytest.skip('no disk can be mounted here')
    return folder

  yield mount
  subprocess.run(['umount', folder], capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize(
  ('size', 'words'),
  [
    ('200k', 'the checkpoints take about'),  # Before training.
    ('400k', 'checkpoints: No space left'),  # While training.
    ('1200k', 'eval/7: No space left'),  # While evaluating.
  ],
)
def test_a_disk_that_is_full(small_disk, size, words):
  run = small_disk(size) / 'run'
  process = helpers.start(
    '--config=configs/digits.py:smoke,classes=1,variant=memae',
    f'--workdir={run}',
  )
  _, err = process.communicate(timeout=300)
  last = err.splitlines()[-1]
  assert process.returncode == 2 and last.startswith('error: '), err
  assert words in last and 'Traceback' not in err, err
  kept = list((run / 'checkpoints').glob('[0-9]'))
  assert bool(kept) == (size != '200k')
  assert all((folder / checkpoint.CHECKSUMS).exists() for folder in kept)
  for event in (run / 'metrics.jsonl').read_text().splitlines() if kept else ():
    json.loads(event)
