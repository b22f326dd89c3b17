"""Runs a launcher's command line as a user does."""

import os
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = pathlib.Path(__file__).parent / 'golden'


def start(launcher: str, *argv: str, **env: str) -> subprocess.Popen:
  """Starts `python -m launch.LAUNCHER`.

  It hears Ctrl-C even if this process does not, as under nohup.
  """
  heard = signal.signal(signal.SIGINT, signal.default_int_handler)
  try:
    return subprocess.Popen(
      [sys.executable, '-m', f'launch.{launcher}', *argv],
      cwd=ROOT,
      env={**os.environ, 'PYTHONPATH': str(ROOT), **env},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
      start_new_session=True,
    )
  finally:
    signal.signal(signal.SIGINT, heard)


def launch(launcher: str, *argv: str, **env: str) -> tuple[int, str, str]:
  """Runs a launcher to its end: (exit code, stdout, stderr)."""
  process = start(launcher, *argv, **env)
  out, err = process.communicate(timeout=60)
  return process.returncode, out, err


def assert_golden(name: str, text: str) -> None:
  """Compares with a file of golden/; UPDATE_GOLDEN=1 writes it."""
  path = GOLDEN / name
  if os.environ.get('UPDATE_GOLDEN') == '1':
    path.write_text(text)
  assert text == path.read_text(), f'{path} differs; UPDATE_GOLDEN=1 renews it'
