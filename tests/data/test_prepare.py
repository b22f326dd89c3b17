"""Sets are prepared complete or not at all, by a function or the command."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from memae_jax.data import prepare, sources
from memae_jax.data.prepare.builders import kddcup99
from memae_jax.runtime import errors
from tests.data.prepare import command


def _load(data_config, folder):
  return sources.load(
    data_config(name='kddcup99', protocol='random_rows', data_dir=str(folder))
  )


def test_prepare_again_keeps_what_is_there(kddcup99_files, tmp_path):
  path = prepare.prepare('kddcup99', tmp_path, kddcup99_files)
  before = {p: p.stat().st_mtime_ns for p in path.iterdir()}
  assert prepare.prepare('kddcup99', tmp_path) == path
  assert {p: p.stat().st_mtime_ns for p in path.iterdir()} == before


def _refused(tmp_path, folder, match):
  with pytest.raises(errors.UserError, match=match) as caught:
    prepare.prepare('kddcup99', tmp_path / 'sets', folder)
  assert '\n' not in str(caught.value)
  assert not (tmp_path / 'sets/kddcup99_ten_percent/1.0.0').exists()


def test_manual_folder_is_missing(tmp_path):
  _refused(tmp_path, tmp_path / 'nowhere', 'manual_dir.*nowhere')


def test_unknown_data_set(tmp_path):
  with pytest.raises(errors.UserError, match='"kddcup".*mean "kddcup99"'):
    prepare.prepare('kddcup', tmp_path)


def test_data_dir_is_a_file(kddcup99_files, tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(errors.UserError, match='could not be prepared.*file'):
    prepare.prepare('kddcup99', tmp_path / 'file', kddcup99_files)


@pytest.mark.parametrize(
  'damage', ['cut records', 'no records', 'no info', 'bad info']
)
def test_a_damaged_set_is_named_and_made_again(
  kddcup99_files, tmp_path, data_config, damage
):
  path = prepare.prepare('kddcup99', tmp_path / 'sets', kddcup99_files)
  (records,) = path.glob('*array_record*')
  if damage == 'cut records':
    records.write_bytes(records.read_bytes()[:-1000])
  elif damage == 'no records':
    records.unlink()
  elif damage == 'no info':
    (path / 'dataset_info.json').unlink()
  else:
    (path / 'dataset_info.json').write_text('{')
  with pytest.raises(errors.UserError, match='memae_jax.data.prepare'):
    _load(data_config, tmp_path / 'sets')
  prepare.prepare('kddcup99', tmp_path / 'sets', kddcup99_files)
  assert len(_load(data_config, tmp_path / 'sets').inputs) == 100


def test_left_overs_of_a_killed_run_are_removed(kddcup99_files, tmp_path):
  left = tmp_path / 'kddcup99_ten_percent/incomplete.ABC_1.0.0'
  left.mkdir(parents=True)
  (left / 'half').write_text('x')
  prepare.prepare('kddcup99', tmp_path, kddcup99_files)
  assert not left.exists()


def test_an_interrupt_leaves_nothing(kddcup99_files, tmp_path, monkeypatch):
  def interrupted(*_):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(
      kddcup99.Kddcup99TenPercent, '_generate_examples', interrupted
    )
    with pytest.raises(KeyboardInterrupt):
      prepare.prepare('kddcup99', tmp_path, kddcup99_files)
  assert not list((tmp_path / 'kddcup99_ten_percent').glob('*'))
  assert prepare.prepare('kddcup99', tmp_path, kddcup99_files).is_dir()


def test_two_at_once(kddcup99_files, tmp_path):
  with (tmp_path / '.kddcup99.lock').open('w') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(errors.UserError, match='another process.*"kddcup99"'):
      prepare.prepare('kddcup99', tmp_path, kddcup99_files)


@pytest.mark.parametrize(
  ('args', 'word'),
  [
    ((), 'kddcup99'),
    (('kddcup99', 'mnist'), 'unexpected argument "mnist"'),
    (('kdd',), '"kdd" is unknown'),
    (('kddcup99', '--dir=x'), "'dir'"),
    (('kddcup99', '--manual_dir=/nowhere'), '/nowhere is not a folder'),
  ],
)
def test_command_errors_are_one_line(args, word):
  got = command.run(*args)
  assert got.returncode == 2
  assert got.stdout == ''
  assert got.stderr.count('\n') == 1 and got.stderr.startswith('error: ')
  assert word in got.stderr


def test_killing_the_command_leaves_no_set(shared, tmp_path):
  raw = shared / 'data/kddcup99'
  if not raw.is_dir():
    pytest.skip('no folder shared/data/kddcup99 with the real file')
  args = ['kddcup99', f'--manual_dir={raw}', f'--data_dir={tmp_path}']
  process = subprocess.Popen(
    [sys.executable, '-m', 'memae_jax.data.prepare', *args],
    cwd=command.ROOT,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  sets = tmp_path / 'kddcup99_ten_percent'
  while not list(sets.glob('incomplete.*')) and process.poll() is None:
    time.sleep(0.05)
  os.kill(process.pid, signal.SIGKILL)
  process.wait()
  assert not (sets / '1.0.0').exists()
  with pytest.raises(errors.UserError, match='not prepared'):
    prepare.open_prepared('kddcup99', tmp_path)
