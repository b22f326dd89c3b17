"""Publishers' files are fetched complete or not at all."""

import functools
import http.server
import threading

import pytest

from memae_jax.data import prepare, sources
from memae_jax.data.prepare.builders import kddcup99
from memae_jax.runtime import errors


def _load(data_config, folder):
  return sources.load(
    data_config(name='kddcup99', protocol='random_rows', data_dir=str(folder))
  )


@pytest.fixture
def server(kddcup99_files, monkeypatch):
  """Serves the raw folder on this machine in place of the publisher."""
  handler = functools.partial(
    http.server.SimpleHTTPRequestHandler, directory=kddcup99_files
  )
  monkeypatch.setattr(
    http.server.SimpleHTTPRequestHandler, 'log_message', lambda *_: None
  )
  monkeypatch.setenv('NO_PROXY', '127.0.0.1')
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as serving:
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    url = f'http://127.0.0.1:{serving.server_port}/{kddcup99.FILES[0]}'
    monkeypatch.setattr(kddcup99.Kddcup99TenPercent, 'URLS', (url,))
    yield kddcup99_files
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
