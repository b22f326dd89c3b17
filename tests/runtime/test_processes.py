"""Addresses that processes meet at, and others that do not come."""

import socket
import time

import pytest

from memae_jax.runtime import errors, processes
from tests import helpers


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
  for name in ('COORDINATOR_ADDRESS', 'NUM_PROCESSES', 'PROCESS_ID'):
    monkeypatch.delenv(f'JAX_{name}', raising=False)


@pytest.mark.parametrize(
  'text, found',
  [
    ('localhost:1', ('localhost', 1)),
    ('host-0.job.ns.svc:65535', ('host-0.job.ns.svc', 65535)),
    ('10.0.0.1:1234', ('10.0.0.1', 1234)),
    ('[::1]:1234', ('::1', 1234)),
    ('[fe80::1%eth0]:1234', ('fe80::1%eth0', 1234)),
  ],
)
def test_addresses(text, found):
  assert processes.address(text) == found


@pytest.mark.parametrize(
  'text, words',
  [
    ('localhost', 'give HOST:PORT'),
    (':1234', 'give HOST:PORT'),
    ('localhost:', 'number from 1 to 65535, such as localhost:1234'),
    ('localhost:port', 'number from 1 to 65535'),
    ('localhost:0', 'number from 1 to 65535'),
    ('localhost:65536', 'number from 1 to 65535'),
    ('localhost:-1', 'number from 1 to 65535'),
    ('localhost:1234.0', 'number from 1 to 65535'),
    ('localhost:²', 'number from 1 to 65535'),
    ('::1:1234', 'in brackets'),
    ('::1', 'in brackets'),
    ('gs://bucket:1234', 'give HOST:PORT'),
    ('http://host:1234', 'give HOST:PORT'),
    ('me@host:1234', 'give HOST:PORT'),
    ('two hosts:1234', 'give HOST:PORT'),
  ],
)
def test_what_is_no_address(text, words):
  with pytest.raises(errors.UserError, match=f'is "{text}".*{words}'):
    processes.join(text, 2, 0)


def _refused(words, *how, **options):
  begun = time.monotonic()
  with pytest.raises(errors.UserError, match=words):
    processes.join(*how, **options)
  return time.monotonic() - begun


def test_numbers_of_processes(monkeypatch):
  _refused('needs all of', 'localhost:1234', 0, 0)
  _refused('not below', 'localhost:1234', 2, 2)
  _refused('--processes is "-3", not a number', 'localhost:1234', -3, 0)
  monkeypatch.setenv('JAX_PROCESS_ID', '²')
  _refused('JAX_PROCESS_ID is "²"', 'localhost:1234', 2, -1)
  processes.join('localhost:1234', 1, 0)  # Alone: nothing to join.


def test_hosts_that_are_not_there(monkeypatch):
  def unknown(*_, **__):
    raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')

  monkeypatch.delenv('KUBERNETES_SERVICE_HOST', raising=False)
  monkeypatch.setattr(socket, 'getaddrinfo', unknown)
  seconds = _refused('host "nowhere" is unknown', 'nowhere:1234', 2, 1)
  assert seconds < 5


def test_a_port_that_another_program_has():
  with socket.socket() as other:
    other.bind(('', 0))
    other.listen()
    port = other.getsockname()[1]
    _refused('another program has this port', f'localhost:{port}', 2, 0)


@pytest.mark.parametrize('error', [RuntimeError('bad\nnews'), ValueError()])
def test_what_jax_refuses(monkeypatch, error):
  def refuse(*_, **__):
    raise error

  monkeypatch.setattr(processes.jax.distributed, 'initialize', refuse)
  _refused('cannot join .* at localhost:1234: ', 'localhost:1234', 2, 1)


def test_the_address_is_named_while_waiting(monkeypatch, caplog):
  monkeypatch.setattr(processes, 'TELL_EVERY', 0.05)
  monkeypatch.setattr(
    processes.jax.distributed, 'initialize', lambda *_, **__: time.sleep(0.5)
  )
  with caplog.at_level('INFO', 'memae_jax'):
    processes.join('localhost:1234', 2, 1)
  assert 'waiting for the other processes' in caplog.text
  assert 'localhost:1234' in caplog.text
  assert not processes.is_joining()


@pytest.mark.slow
@pytest.mark.parametrize('process', [0, 1])
def test_the_others_do_not_come(process, tmp_path):
  with socket.socket() as probe:
    probe.bind(('', 0))
    port = probe.getsockname()[1]
  found = helpers.start(
    '--config=configs/digits.py:smoke', f'--workdir={tmp_path}/run',
    f'--coordinator=localhost:{port}', '--processes=2',
    f'--process={process}', '--patience=2',
  )  # fmt: skip
  out, err = found.communicate(timeout=120)
  assert found.returncode == 2 and not out
  assert err.startswith('error: ') and err.count('\n') == 1
  assert f'localhost:{port} within 2 seconds' in err


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    (['--processes=2'], 'needs all of --coordinator'),
    (['--coordinator=h:1', '--processes=2', '--process=2'], 'not below'),
    (['--coordinator=h:1', '--process=0'], 'needs all of'),
  ],
)
def test_flags_of_a_distributed_run(flags, message):
  code, _, err = helpers.run(
    '--config=configs/digits.py', '--workdir=x', *flags
  )
  assert code == 2 and message in err


def test_variables_of_a_distributed_run(monkeypatch):
  monkeypatch.setenv('JAX_NUM_PROCESSES', 'two')
  code, _, err = helpers.run('--config=configs/digits.py', '--workdir=x')
  assert code == 2 and 'JAX_NUM_PROCESSES is "two"' in err
