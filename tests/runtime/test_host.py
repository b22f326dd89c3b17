"""SIGTERM has one rule: exit code 75 and a line, from the first second on."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from memae_jax.runtime import errors, host
from tests import helpers

_LINE = host.LINE.decode()
_HEARS = 'import ctypes, os, sys, time; from memae_jax.runtime import host\n'
_READY = 'print("ready", flush=True)'
# A mutex locked twice; a signal would end a sleep.
_IN_C = (
  'c, m = ctypes.CDLL(None), ctypes.create_string_buffer(64); '
  'c.pthread_mutex_lock(m); c.pthread_mutex_lock(m)'
)
CASES = {  # What the process is doing -> SIGTERMs that it takes, stdout.
  'waiting': (f'{_READY}; time.sleep(60)', 1, ''),
  # A handler of Python would come after it: the main thread is in C.
  'in C': (f'{_READY}; {_IN_C}', 1, ''),
  'between': (
    f'with host.stop_requests(): pass\n{_READY}; time.sleep(60)',
    1,
    '',
  ),
  'catching all': (
    f'{_READY}\ntry: time.sleep(60)\nexcept BaseException: print("no")',
    1,
    '',
  ),
  'saving, the second time': (
    'with host.stop_requests() as asked:\n'
    f'  {_READY}\n'
    '  while not asked(): time.sleep(0.01)\n'
    '  print("asked", flush=True)\n'
    '  time.sleep(60)',
    2,
    'asked\n',
  ),
  'saving in C, the second time': (
    f'with host.stop_requests(): {_READY}; {_IN_C}',
    2,
    '',
  ),
  # What is saved is said by whoever saves it.
  'saved': (
    'with host.stop_requests() as asked:\n'
    f'  {_READY}\n'
    '  while not asked(): time.sleep(0.01)\n'
    f'  sys.stderr.write({_LINE!r}); raise SystemExit(75)',
    1,
    '',
  ),
  'nobody asked': (
    f'with host.stop_requests(): {_READY}; time.sleep(1)\nprint("went on")',
    1,
    '',
  ),
  # The child ends as children do, and its parent goes on.
  'after a fork': (
    'if not os.fork(): os.kill(os.getpid(), 15); time.sleep(60)\n'
    f'assert os.wait()[1] == 15; time.sleep(0.1); {_READY}; time.sleep(60)',
    1,
    '',
  ),
}


def _start(code):
  return subprocess.Popen(
    # Not of Python's opinion of a fork beside threads.
    [sys.executable, '-W', 'ignore', '-c', _HEARS + 'host.listen()\n' + code],
    cwd=helpers.ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


@pytest.fixture(scope='module')
def outcomes():
  """{name of a case: exit code, stdout, stderr}; all run at once."""
  started = {name: _start(code) for name, (code, *_) in CASES.items()}
  for process in started.values():
    assert process.stdout.readline() == 'ready\n'
  for again in (0, 1):
    for name, process in started.items():
      if again < CASES[name][1]:
        process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
  found = {}
  for name, process in started.items():
    helpers.STARTED.append(process)
    out, err = process.communicate(timeout=30)
    found[name] = process.returncode, out, err
  return found


@pytest.mark.parametrize('name', CASES)
def test_one_rule(outcomes, name):
  assert outcomes[name] == (75, CASES[name][2], _LINE)


def test_a_library_leaves_sigterm_to_its_program(monkeypatch):
  heard = []
  before = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
  try:
    with host.stop_requests() as asked:
      signal.raise_signal(signal.SIGTERM)
      assert asked() and not heard
    assert heard == [1]
    with pytest.raises(errors.Preempted), host.stop_requests() as asked:
      signal.raise_signal(signal.SIGTERM)
      raise errors.Preempted('saved')
    assert heard == [1]
  finally:
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
  ('words', 'expected'),
  [
    (['python', '-m', 'memae_jax.main', '--mode=eval'], True),
    (['python', '-X', 'utf8', '-m', 'memae_jax.data.prepare', 'x'], True),
    (['python', '-m', 'pytest', '-m', 'memae_jax'], False),
    (['python', '-m', 'memae_jax_tools.main'], False),
    (['python', 'script.py', '-m'], False),
    (['python', '-c', 'import memae_jax'], False),
  ],
)
def test_what_is_a_command_of_ours(monkeypatch, words, expected):
  monkeypatch.setattr(sys, 'orig_argv', words)
  monkeypatch.setattr(sys, 'argv', ['-m'])
  assert host.is_command('memae_jax') == expected
  monkeypatch.setattr(sys, 'argv', ['a library that is imported later'])
  assert not host.is_command('memae_jax')


def _until_it_listens(process):
  """Waits for its handler of SIGTERM, which Python does not set by itself."""
  status = pathlib.Path(f'/proc/{process.pid}/status')
  if not status.exists():
    pytest.skip('no /proc: when a process listens cannot be seen')
  caught = 0
  while not caught >> (signal.SIGTERM - 1) & 1:
    assert process.poll() is None
    (line,) = [x for x in status.read_text().splitlines() if 'SigCgt' in x]
    caught = int(line.split()[1], 16)


@pytest.mark.slow
@pytest.mark.parametrize(
  'module', ['main', 'study', 'compare', 'referee', 'scorer']
)
def test_before_anything_is_imported(module):
  process = helpers.start(module=f'memae_jax.{module}')
  _until_it_listens(process)
  process.send_signal(signal.SIGTERM)
  out, err = process.communicate(timeout=60)
  assert (process.returncode, out) == (75, ''), err
  assert err.splitlines()[-1] + '\n' == _LINE


@pytest.mark.skipif(sys.platform != 'linux', reason='glibc is of Linux')
@pytest.mark.parametrize(
  'variables,keeps', [({}, True), ({'MALLOC_ARENA_MAX': '4'}, False)]
)
def test_freed_memory_is_kept_unless_variables_say_something(variables, keeps):
  code = (
    'import resource, numpy as np; from memae_jax.runtime import host\n'
    'print(host.keep_memory())\n'
    'faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n'
    'np.ones(10**7); before = faults()\n'
    'for _ in range(5): np.ones(10**7)\n'
    'print(faults() - before)'
  )
  env = {k: v for k, v in os.environ.items() if not k.startswith('MALLOC_')}
  done = subprocess.run(
    [sys.executable, '-c', code],
    env=env | variables,
    capture_output=True,
    text=True,
    check=True,
  )
  said, faults = done.stdout.split()
  if keeps and said == 'False':
    pytest.skip('the C library is another than glibc')
  assert said == str(keeps)
  assert (int(faults) < 1000) == keeps  # 80 MB are 20,000 pages.
