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

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import cli, main
from memae_jax.evaluation.scoring import collect
from memae_jax.runtime import (
  atomic,
  disk,
  errors,
  locks,
  metrics_log,
  plain_path,
)
from memae_jax.training import checkpoint, experiment, feeds, loop
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


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_metrics_on_a_full_disk(tmp_path):
  writer = metrics_log.MetricsWriter(tmp_path, -1)
  writer.write(1, 'train', {'loss': [1.0]})
  whole, writer._file = writer._file, open('/dev/full', 'ab', buffering=0)
  with pytest.raises(errors.UserError, match='metrics.jsonl: No space left'):
    writer.write(2, 'train', {'loss': [1.0]})
  whole.close()
  writer.close()  # Has nothing left to write.
  (event,) = metrics_log.read_events(tmp_path / 'metrics.jsonl')
  assert event['step'] == 1


def test_text_that_is_no_utf8_is_written(tmp_path):
  atomic.write(tmp_path / 'a', 'caf\udce9 é')
  assert (tmp_path / 'a').read_bytes() == 'caf\\udce9 é'.encode()


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
  usage = shutil._ntuple_diskusage(2**40, 0, free)
  monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)
  if refused:
    with pytest.raises(errors.UserError, match='lower train.keep'):
      disk.check_room(tmp_path, 100, 'lower train.keep')
  else:
    disk.check_room(tmp_path, 100, 'lower train.keep')
  assert bool(caplog.text) == warned
  usage = shutil._ntuple_diskusage(0, 0, 0)  # A folder that does not tell.
  disk.check_room(tmp_path, 100, '')


NAMES = [
  'widths=[64,32]',
  'a[b',
  'back\\slash',
  'all*of?them',
  'all**of',
  'gs:',
  'new\nline',
  'latin\udce9',
  'not latin é',
  '{a} "b" \'c\' $HOME ;&|<>',
]


@pytest.mark.parametrize('name', NAMES)
def test_folders_of_any_name(tmp_path, name):
  folder = tmp_path / name
  state = {'a': jax.device_put(np.arange(5.0), jax.devices()[0])}
  like = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state
  )
  with checkpoint.Checkpoints(folder) as checkpoints:
    checkpoints.save(3, state, {'x': 1})
  with checkpoint.Checkpoints(folder, read_only=True) as checkpoints:
    assert checkpoints.steps() == [3] and checkpoints.meta(3) == {'x': 1}
    found = checkpoints.restore(3, like)
    assert checkpoints._place.exists()
  np.testing.assert_array_equal(found['a'], np.arange(5))
  plain = checkpoints._place == folder.absolute() / 'checkpoints'
  assert plain == (name == 'not latin é')
  assert plain or not checkpoints._place.parent.exists()
  assert (folder / 'checkpoints/3' / checkpoint.CHECKSUMS).is_file()


def test_several_processes_have_no_link(tmp_path, monkeypatch):
  monkeypatch.setattr(jax, 'process_count', lambda: 2)
  with plain_path.to(tmp_path / 'a=1,b') as path:
    assert path == tmp_path / 'a=1,b'
  with pytest.raises(errors.UserError, match=r'a\[1\] has a character'):
    with plain_path.to(tmp_path / 'a[1]'):
      pass


def test_the_first_checkpoint_is_read_back(tmp_path, monkeypatch):
  def no_content(self, path):
    raise ValueError('NOT_FOUND: no database')

  monkeypatch.setattr(checkpoint.Checkpoints, '_part', no_content)
  state = {'a': jnp.arange(5.0)}
  with pytest.raises(errors.UserError, match='NOT_FOUND.*another --workdir'):
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
      checkpoints.save(3, state, {})


@pytest.fixture(scope='module')
def exp():
  return experiment.build(helpers.digits(**{'train.epochs': 2.0}))


def test_a_run_in_a_folder_of_any_name(tmp_path, exp):
  run = tmp_path / 'widths=[64,32]\\**'
  expected = jax.device_get(loop.train(exp, run))
  again = jax.device_get(loop.train(exp, run))  # Reads the last checkpoint.
  for one, two in zip(jax.tree.leaves(expected), jax.tree.leaves(again)):
    np.testing.assert_array_equal(one, two)
  assert collect.restored(exp, run)[0] == exp.steps
  assert [p.name for p in tmp_path.iterdir()] == [run.name]


def _spoil(monkeypatch, exp, at, spoil):
  """Calls `spoil` after the step `at` of a training."""
  real = feeds.Resident.run

  def run(self, state, start, stop):
    if start < at <= stop:
      spoil()
    return real(self, state, start, stop)

  monkeypatch.setattr(feeds.Resident, 'run', run)


@pytest.mark.parametrize('at', [1, 9, -1])
def test_a_folder_removed_while_training(tmp_path, monkeypatch, exp, at):
  expected = jax.device_get(loop.train(exp, tmp_path / 'whole'))
  run = tmp_path / 'run'
  at = at if at > 0 else exp.steps
  with monkeypatch.context() as patch:
    _spoil(patch, exp, at, lambda: shutil.rmtree(run))
    with pytest.raises(errors.UserError, match='removed while training.*again'):
      loop.train(exp, run)
  resumed = jax.device_get(loop.train(exp, run))
  for one, two in zip(jax.tree.leaves(expected), jax.tree.leaves(resumed)):
    np.testing.assert_array_equal(one, two)


def test_a_folder_that_is_another_run_now(tmp_path, monkeypatch, exp):
  run = tmp_path / 'run'

  def replace():
    shutil.rmtree(run)
    run.mkdir()
    (run / '.lock').write_text('1 1\n')

  with monkeypatch.context() as patch:
    _spoil(patch, exp, 9, replace)
    with pytest.raises(errors.UserError, match='is another run now'):
      loop.train(exp, run)
  assert [p.name for p in run.iterdir()] == ['.lock']


def test_a_folder_removed_while_evaluating(tmp_path, monkeypatch, exp):
  run = tmp_path / 'run'

  class Evaluation:
    check = staticmethod(lambda *_: None)

    @staticmethod
    def after_training(exp, workdir):
      shutil.rmtree(run)
      return 'report'

  monkeypatch.setattr(main, '_evaluation', lambda: Evaluation)
  monkeypatch.setattr(main.experiment, 'build', lambda config: exp)
  with pytest.raises(errors.UserError, match='train again'):
    main.train(exp.config, run)


def test_a_lock_that_others_try_stays_held(tmp_path):
  lock = tmp_path / '.lock'
  with locks.exclusive(lock, 'training') as held:
    with pytest.raises(errors.UserError, match='another process is training'):
      with locks.exclusive(lock, 'training'):
        pass
    assert locks.is_there(held)
    lock.unlink()
    assert not locks.is_there(held)
    with locks.exclusive(lock, 'training') as other:
      assert locks.is_there(other) and not locks.is_there(held)


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
