"""Streams that cannot hold a character, are closed, or that nobody reads."""

import os
import subprocess
import sys

import pytest

from tests import helpers

_START = 'from memae_jax.runtime import streams\nstreams.prepare()\n'


def _run(script, redirect='', **variables):
  """Runs a script under a shell: (exit code, stdout, stderr) as bytes."""
  environment = {k: v for k, v in os.environ.items() if k != 'PYTHONUTF8'}
  environment |= {'PYTHONPATH': str(helpers.ROOT), **variables}
  found = subprocess.run(
    ['sh', '-c', f'"$0" -c "$1" {redirect}', sys.executable, _START + script],
    env=environment,
    capture_output=True,
    timeout=60,
  )
  return found.returncode, found.stdout, found.stderr


@pytest.mark.parametrize(
  'encoding, said',
  [
    ('ascii', b'0.5 +- 0.1 \\u4e2d \\xe9\n'),
    ('ascii:strict', b'0.5 +- 0.1 \\u4e2d \\xe9\n'),
    ('ascii:replace', b'0.5 ? 0.1 ? ?\n'),
    ('latin-1', b'0.5 \xb1 0.1 \\u4e2d \\xe9\n'),
    ('cp1252', b'0.5 \xb1 0.1 \\u4e2d \\xe9\n'),
    ('cp437', b'0.5 \xf1 0.1 \\u4e2d \\xe9\n'),
    ('utf-8', b'0.5 \xc2\xb1 0.1 \xe4\xb8\xad \\xe9\n'),
  ],
)
def test_characters_that_a_stream_does_not_have(encoding, said):
  script = (
    'import sys\nfor s in sys.stdout, sys.stderr:\n'
    '  print("0.5 \\xb1 0.1 \\u4e2d \\udce9", file=s)'
  )
  code, out, err = _run(script, PYTHONIOENCODING=encoding)
  assert code == 0 and out == said, err
  if 'strict' not in encoding and 'replace' not in encoding:
    assert err == said


def test_the_plain_locale():
  environment = {'LC_ALL': 'C', 'PYTHONCOERCECLOCALE': '0', 'PYTHONUTF8': '0'}
  code, out, err = _run('print("1 \\xb1 2")', **environment)
  assert (code, out, err) == (0, b'1 +- 2\n', b'')


@pytest.mark.parametrize('size', [1, 10, 100_000])
def test_a_reader_that_goes(size):
  script = (
    f'import sys\nfor i in range(3):\n  print("x" * {size}, flush=True)\n'
    '  print("y", end="")\nprint("done", file=sys.stderr)'
  )
  code, out, err = _run(script, '| head -c 1')
  assert (code, out, err) == (0, b'x', b'done\n')
  code, out, err = _run(f'{script}\nsys.exit(3)', '2>&1 | head -c 1; exit 3')
  assert (code, out, err) == (3, b'x', b'')


@pytest.mark.parametrize('closed', ['>&-', '2>&-', '>&- 2>&-', '<&-'])
def test_closed_streams(closed, tmp_path):
  """What is printed does not go into the next file that is opened."""
  script = (
    'import os, sys\n'
    f'f = open({str(tmp_path / "file")!r}, "w")\n'
    'print("out"); print("err", file=sys.stderr); sys.stdout.flush()\n'
    'os.write(1, b"o"); os.write(2, b"e"); f.write("mine")'
  )
  code, out, err = _run(script, closed)
  assert code == 0 and (tmp_path / 'file').read_text() == 'mine'
  assert out == (b'' if '>&- ' in f'{closed} '.replace('2>&-', '') else out)
  assert b'Traceback' not in err


def test_a_full_disk_is_no_missing_reader():
  if not os.path.exists('/dev/full'):
    pytest.skip('needs /dev/full')
  code, _, err = _run('print("x", flush=True)', '>/dev/full')
  assert code == 1 and b'No space left' in err
