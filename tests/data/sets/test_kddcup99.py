import fcntl
import functools
import gzip
import hashlib
import http.server
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from memae_jax.data import prepare, protocols, registry, sources
from memae_jax.data.prepare.builders import kddcup99
from memae_jax.data.tables import columns
from memae_jax.runtime import errors

PARENT = pathlib.Path(__file__).resolve().parents[3]


def _row(i):
  kind = ('normal', 'smurf', 'smurf', 'neptune', 'smurf')[i % 5]
  cells = [str(i % 7)] * len(kddcup99.COLUMNS)
  cells[1:4] = 'tcp', ('http', 'private')[i % 2], 'SF'
  cells[24] = f'{i % 4 / 4:.2f}'
  return ','.join(cells) + f',{kind}.\n'


@pytest.fixture
def fake(tmp_path, monkeypatch):
  """A folder with a raw file of 100 rows that passes as the published one."""
  raw = ''.join(_row(i) for i in range(100)).encode()
  monkeypatch.setattr(kddcup99, 'SHA256', hashlib.sha256(raw).hexdigest())
  monkeypatch.setattr(kddcup99, 'ROWS', 100)
  monkeypatch.setattr(kddcup99, 'BLOCK', 16)
  folder = tmp_path / 'raw'
  folder.mkdir()
  (folder / kddcup99.FILES[0]).write_bytes(gzip.compress(raw))
  return folder


@pytest.fixture
def pose(monkeypatch):
  """Lets any text pass as the published file."""

  def make(folder, raw, rows=100):
    monkeypatch.setattr(kddcup99, 'SHA256', hashlib.sha256(raw).hexdigest())
    monkeypatch.setattr(kddcup99, 'ROWS', rows)
    (folder / kddcup99.FILES[0]).write_bytes(gzip.compress(raw))

  return make


def _load(data_config, folder):
  return sources.load(
    data_config(name='kddcup99', protocol='random_rows', data_dir=str(folder))
  )


def test_vocabularies_are_sorted():
  assert [len(v) for v in kddcup99.CATEGORIES.values()] == [3, 66, 11]
  for names in (*kddcup99.CATEGORIES.values(), kddcup99.LABELS):
    assert list(names) == sorted(set(names))
  assert len(kddcup99.COLUMNS) == 41 and len(kddcup99.NUMERIC) == 38


def test_prepare_and_load(fake, tmp_path, data_config):
  path = prepare.prepare('kddcup99', tmp_path / 'sets', fake)
  assert path == tmp_path / 'sets/kddcup99_ten_percent/1.0.0'
  source = _load(data_config, tmp_path / 'sets')
  assert source.inputs.shape == (100, 122)
  np.testing.assert_array_equal(source.inputs[:, 0], np.arange(100) % 7)
  names = [column.name for column in source.columns]
  assert names == list(kddcup99.COLUMNS)
  counts = source.notes['label_counts']
  assert (counts['normal'], counts['smurf'], counts['neptune']) == (20, 60, 20)
  normal = source.label_names.index('normal')
  assert len(source.normal_labels) == 22 and normal not in source.normal_labels


def test_prepare_again_keeps_what_is_there(fake, tmp_path):
  path = prepare.prepare('kddcup99', tmp_path, fake)
  before = {p: p.stat().st_mtime_ns for p in path.iterdir()}
  assert prepare.prepare('kddcup99', tmp_path) == path
  assert {p: p.stat().st_mtime_ns for p in path.iterdir()} == before


def test_the_unpacked_file_is_accepted(fake, tmp_path):
  packed = fake / kddcup99.FILES[0]
  (fake / kddcup99.FILES[1]).write_bytes(gzip.decompress(packed.read_bytes()))
  packed.unlink()
  assert prepare.prepare('kddcup99', tmp_path, fake).is_dir()


def test_tfds_reads_the_prepared_set(fake, tmp_path):
  import tensorflow_datasets as tfds

  path = prepare.prepare('kddcup99', tmp_path, fake)
  records = tfds.builder_from_directory(path).as_data_source('train')
  blocks = [len(record['label']) for record in records]
  assert blocks == [16] * 6 + [4]


@pytest.fixture
def server(fake, monkeypatch):
  """Serves the raw folder on this machine in place of the publisher."""
  handler = functools.partial(
    http.server.SimpleHTTPRequestHandler, directory=fake
  )
  monkeypatch.setattr(
    http.server.SimpleHTTPRequestHandler, 'log_message', lambda *_: None
  )
  monkeypatch.setenv('NO_PROXY', '127.0.0.1')
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as serving:
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    url = f'http://127.0.0.1:{serving.server_port}/{kddcup99.FILES[0]}'
    monkeypatch.setattr(kddcup99.Kddcup99TenPercent, 'URLS', (url,))
    yield fake
    serving.shutdown()


def test_download(server, tmp_path, data_config):
  prepare.prepare('kddcup99', tmp_path / 'sets')
  assert len(_load(data_config, tmp_path / 'sets').inputs) == 100


def test_a_bad_download_is_not_kept(server, tmp_path):
  file = server / kddcup99.FILES[0]
  good = file.read_bytes()
  file.write_bytes(b'<html>log in to the network</html>')
  with pytest.raises(errors.UserError, match='not the published file'):
    prepare.prepare('kddcup99', tmp_path / 'sets')
  file.write_bytes(good)
  prepare.prepare('kddcup99', tmp_path / 'sets')


@pytest.mark.parametrize('url', ['http://127.0.0.1:9/file.gz', 'nonsense'])
def test_no_network(tmp_path, monkeypatch, url):
  monkeypatch.setenv('NO_PROXY', '127.0.0.1')
  monkeypatch.setattr(kddcup99.Kddcup99TenPercent, 'URLS', (url,))
  _refused(tmp_path, None, f'{url} cannot be fetched.*--manual_dir')


def test_publisher_has_no_such_file(server, tmp_path):
  (server / kddcup99.FILES[0]).unlink()
  _refused(tmp_path, None, 'cannot be fetched.*404.*--manual_dir')


def test_a_download_that_comes_short(server, tmp_path, monkeypatch):
  def short(self):
    self.send_response(200)
    self.send_header('Content-Length', '1000')
    self.end_headers()
    self.wfile.write(b'x' * 10)

  monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, 'do_GET', short)
  _refused(tmp_path, None, 'cannot be fetched.*10 of 1,000 bytes')
  assert not list((tmp_path / 'sets/downloads').rglob('*.gz'))


def _refused(tmp_path, folder, match):
  with pytest.raises(errors.UserError, match=match) as caught:
    prepare.prepare('kddcup99', tmp_path / 'sets', folder)
  assert '\n' not in str(caught.value)
  assert not (tmp_path / 'sets/kddcup99_ten_percent/1.0.0').exists()


def test_other_content(fake, tmp_path):
  (fake / kddcup99.FILES[0]).write_bytes(gzip.compress(b'1,2,3\n'))
  _refused(tmp_path, fake, 'not the published file.*expected')


@pytest.mark.parametrize('cut', [1, 30, -5])
def test_truncated_raw_file(fake, tmp_path, cut):
  file = fake / kddcup99.FILES[0]
  file.write_bytes(file.read_bytes()[:cut])
  _refused(tmp_path, fake, 'kddcup.data_10_percent.gz')


def test_wrong_number_of_rows(fake, pose, tmp_path):
  pose(fake, _row(0).encode() * 99)
  _refused(tmp_path, fake, 'has 99 rows, expected 100')


def test_unknown_category_in_the_raw_file(fake, pose, tmp_path):
  pose(fake, (_row(0) * 99 + _row(1).replace('tcp', 'tcq')).encode())
  _refused(tmp_path, fake, 'line 100.*"protocol_type" is "tcq"')


def test_text_in_a_number(fake, pose, tmp_path):
  pose(fake, (_row(0) * 99 + 'x' + _row(1)).encode())
  _refused(tmp_path, fake, 'kddcup.data_10_percent.gz.*99')


def test_ragged_raw_file(fake, pose, tmp_path):
  pose(fake, (_row(0) * 99 + '1,' + _row(1)).encode())
  _refused(tmp_path, fake, 'kddcup.data_10_percent.gz.*columns')


def test_manual_folder_without_the_file(tmp_path):
  empty = tmp_path / 'empty'
  empty.mkdir()
  _refused(tmp_path, empty, 'holds no file kddcup.data_10_percent.gz')


def test_manual_folder_is_missing(tmp_path):
  _refused(tmp_path, tmp_path / 'nowhere', 'manual_dir.*nowhere')


def test_unknown_data_set(tmp_path):
  with pytest.raises(errors.UserError, match='"kddcup".*mean "kddcup99"'):
    prepare.prepare('kddcup', tmp_path)


def test_data_dir_is_a_file(fake, tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(errors.UserError, match='could not be prepared.*file'):
    prepare.prepare('kddcup99', tmp_path / 'file', fake)


@pytest.mark.parametrize('exists', [False, True])
def test_not_prepared_names_the_command(tmp_path, data_config, exists):
  folder = tmp_path / 'sets'
  if exists:
    folder.mkdir()
  with pytest.raises(
    errors.UserError,
    match='not prepared.*python -m memae_jax.data.prepare kddcup99'
    ' --data_dir=.*sets',
  ):
    _load(data_config, folder)


@pytest.mark.parametrize(
  'damage', ['cut records', 'no records', 'no info', 'bad info']
)
def test_a_damaged_set_is_named_and_made_again(
  fake, tmp_path, data_config, damage
):
  path = prepare.prepare('kddcup99', tmp_path / 'sets', fake)
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
  prepare.prepare('kddcup99', tmp_path / 'sets', fake)
  assert len(_load(data_config, tmp_path / 'sets').inputs) == 100


def test_left_overs_of_a_killed_run_are_removed(fake, tmp_path):
  left = tmp_path / 'kddcup99_ten_percent/incomplete.ABC_1.0.0'
  left.mkdir(parents=True)
  (left / 'half').write_text('x')
  prepare.prepare('kddcup99', tmp_path, fake)
  assert not left.exists()


def test_an_interrupt_leaves_nothing(fake, tmp_path, monkeypatch):
  def interrupted(*_):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(
      kddcup99.Kddcup99TenPercent, '_generate_examples', interrupted
    )
    with pytest.raises(KeyboardInterrupt):
      prepare.prepare('kddcup99', tmp_path, fake)
  assert not list((tmp_path / 'kddcup99_ten_percent').glob('*'))
  assert prepare.prepare('kddcup99', tmp_path, fake).is_dir()


def test_two_at_once(fake, tmp_path):
  with (tmp_path / '.kddcup99.lock').open('w') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(errors.UserError, match='another process.*"kddcup99"'):
      prepare.prepare('kddcup99', tmp_path, fake)


def test_data_dir_rule(monkeypatch, tmp_path):
  monkeypatch.delenv('MEMAE_DATA_DIR', raising=False)
  monkeypatch.setenv('HOME', '/home/me')
  assert registry.data_dir() == pathlib.Path('/home/me/memae_data')
  monkeypatch.setenv('MEMAE_DATA_DIR', '/env')
  assert registry.data_dir() == pathlib.Path('/env')
  assert registry.data_dir('/given') == pathlib.Path('/given')
  monkeypatch.chdir(tmp_path)
  assert registry.data_dir('here') == tmp_path / 'here'


def _command(*args):
  return subprocess.run(
    [sys.executable, '-m', 'memae_jax.data.prepare', *args],
    capture_output=True,
    text=True,
    cwd=PARENT,
    timeout=120,
  )


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
  got = _command(*args)
  assert got.returncode == 2
  assert got.stdout == ''
  assert got.stderr.count('\n') == 1 and got.stderr.startswith('error: ')
  assert word in got.stderr


@pytest.fixture(scope='module')
def real(shared, tmp_path_factory):
  """The real set, prepared by the command."""
  raw = shared / 'data/kddcup99'
  if not raw.is_dir():
    pytest.skip('no folder shared/data/kddcup99 with the real file')
  folder = tmp_path_factory.mktemp('real')
  got = _command('kddcup99', f'--manual_dir={raw}', f'--data_dir={folder}')
  assert got.returncode == 0, got.stderr
  assert 'kddcup99 is ready in' in got.stdout
  assert got.stderr == ''
  return folder


def test_real_counts(real, data_config):
  start = time.perf_counter()
  source = _load(data_config, real)
  seconds = time.perf_counter() - start
  assert source.inputs.shape == (494_021, 122)
  assert source.inputs.dtype == np.float32
  counts = source.notes['label_counts']
  assert counts['normal'] == 97_278 and counts['smurf'] == 280_790
  assert counts['neptune'] == 107_201 and counts['spy'] == 2
  assert source.notes['duplicate_rows'] == 348_437
  assert len(source.label_names) == 23
  one_hot = [column for column in source.columns if column.categories]
  assert [len(c.categories) for c in one_hot] == [3, 66, 11, 2, 2, 2, 2]
  first = dict(zip(columns.input_names(source.columns), source.inputs[0]))
  assert (first['src_bytes'], first['dst_bytes']) == (181, 5450)
  assert first['dst_host_same_src_port_rate'] == np.float32(0.11)
  assert seconds < 30  # About 3 s when left alone.

  config = data_config(
    name='kddcup99',
    protocol='random_rows',
    train_fraction=0.5,
    scaling='minmax',
    unknown_category='zero',
  )
  split = protocols.split(source, config, 0)
  assert len(split.test) == 247_011
  assert split.anomalous.mean() == pytest.approx(0.197, abs=0.002)
  assert len(split.train) + len(split.validation) == pytest.approx(
    396_743 / 2, rel=0.01
  )
  assert split.notes['test_unknown_categories']['service=ntp_u'] > 100
  assert split.notes['test_rows_in_train'] > 150_000
  with pytest.raises(errors.UserError, match='service=.*first sample'):
    protocols.split(
      source,
      data_config(name='kddcup99', protocol='random_rows', scaling='minmax'),
      0,
    )


def test_killing_the_command_leaves_no_set(shared, tmp_path):
  raw = shared / 'data/kddcup99'
  if not raw.is_dir():
    pytest.skip('no folder shared/data/kddcup99 with the real file')
  args = ['kddcup99', f'--manual_dir={raw}', f'--data_dir={tmp_path}']
  process = subprocess.Popen(
    [sys.executable, '-m', 'memae_jax.data.prepare', *args],
    cwd=PARENT,
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
