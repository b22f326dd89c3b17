"""The command that prepares a set, in a process of its own."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]


def run(*args):
  return subprocess.run(
    [sys.executable, '-m', 'memae_jax.data.prepare', *args],
    capture_output=True,
    text=True,
    cwd=ROOT,
    timeout=120,
  )
