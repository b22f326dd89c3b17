"""What is installed works in an empty folder, without the clone."""

import os
import pathlib
import shutil
import site
import subprocess
import sys
import venv
import zipfile

import numpy as np
import pytest
from sklearn import datasets

from tests import helpers

_TREES = 'memae_jax', 'configs'
_NOT_SHIPPED = shutil.ignore_patterns('__pycache__', '*.egg-info')
# Of pip, where it reaches no index: the build needs setuptools.
_OFFLINE = 'No matching distribution', 'No module named pip', 'Connection'
# Runs a module and refuses to open any file of the trees of a clone.
_WATCHED = """
import runpy, sys
trees = tuple(sys.argv[1].split(':'))
def watch(event, args):
  if event == 'open' and str(args[0]).startswith(trees):
    raise AssertionError(f'{args[0]} is of the clone')
sys.addaudithook(watch)
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
"""


def _pip(*words):
  """Runs pip; skips the test where there is none, or no index."""
  done = subprocess.run(
    [sys.executable, '-m', 'pip', '--no-input', *words],
    env=_environment(),
    capture_output=True,
    text=True,
  )
  said = done.stdout + done.stderr
  if done.returncode and any(word in said for word in _OFFLINE):
    pytest.skip(f'pip cannot install here: {said.strip().splitlines()[-1]}')
  assert done.returncode == 0, said


def _environment():
  return {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}


@pytest.fixture(scope='module')
def clone(tmp_path_factory):
  """A copy of what is built from, as a build writes beside it."""
  folder = tmp_path_factory.mktemp('clone')
  for tree in _TREES:
    shutil.copytree(helpers.ROOT / tree, folder / tree, ignore=_NOT_SHIPPED)
  for name in ('setup.py', 'setup.cfg', 'pyproject.toml'):
    shutil.copy(helpers.ROOT / name, folder)
  for name in ('README.md', 'LICENSE'):
    shutil.copy(helpers.ROOT / name, folder)
  return folder


@pytest.fixture(scope='module')
def wheel(clone):
  """The wheel of the package."""
  _pip('wheel', '--no-deps', f'--wheel-dir={clone / "dist"}', str(clone))
  (path,) = (clone / 'dist').glob('*.whl')
  return path


def _installed(folder, *what):
  """Installs the package into an environment; returns its Python.

  The dependencies are those of the environment that runs the tests.
  """
  venv.create(folder, with_pip=False)
  python = folder / 'bin' / 'python'
  (packages,) = (folder / 'lib').glob('python*/site-packages')
  (packages / 'dependencies.pth').write_text('\n'.join(site.getsitepackages()))
  _pip(f'--python={python}', 'install', '--no-deps', *what)
  return python


def _run(python, folder, trees, *words):
  """Runs a module of the package in a folder; returns what it prints."""
  watched = ':'.join(str(tree) + os.sep for tree in trees)
  done = subprocess.run(
    [python, '-c', _WATCHED, watched, *words],
    cwd=folder,
    env=_environment() | {'JAX_NUM_CPU_DEVICES': '1'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout


@pytest.mark.slow
def test_a_wheel_holds_every_file(clone, wheel):
  held = set(zipfile.ZipFile(wheel).namelist())
  there = {
    path.relative_to(clone).as_posix()
    for tree in _TREES
    for path in (clone / tree).rglob('*')
    if path.is_file()
  }
  lacking = {
    name
    for name in there
    if name not in held and f'memae_jax/{name}' not in held
  }
  assert not lacking
  assert {name.partition('/')[0].partition('-')[0] for name in held} == {
    'memae_jax'
  }, 'nothing lies beside the package'


@pytest.mark.slow
def test_a_wheel_in_an_empty_folder(clone, wheel, tmp_path):
  """The quickstart, a study's plan, an export, and the scorer on some rows."""
  python, here = _installed(tmp_path / 'venv', str(wheel)), tmp_path / 'here'
  here.mkdir()
  trees = [root / tree for root in (helpers.ROOT, clone) for tree in _TREES]
  run = lambda *words: _run(python, here, trees, *words)
  run('memae_jax.main', '--config=digits:smoke', '--workdir=run')
  assert (here / 'run' / 'report.html').stat().st_size
  plan = run(
    *('memae_jax.study', '--config=memory_size_digits:smoke'),
    *('--workdir=sizes', '--dry_run'),
  )
  assert '3 points in 1 run' in plan
  run(
    *('memae_jax.export', 'run', '--to=zeros.scorer'),
    '--replica=memae/normal_class=0',
  )
  images = datasets.load_digits().images[:6, ..., None] * 255 / 16
  np.save(here / 'images.npy', np.round(images).astype('uint8'))
  run('memae_jax.scorer', 'zeros.scorer', 'images.npy', '--to=scores.csv')
  lines = (here / 'scores.csv').read_text().splitlines()
  assert len(lines) == 1 + len(images)


@pytest.mark.slow
def test_an_editable_install_in_an_empty_folder(clone, tmp_path):
  python, here = _installed(tmp_path / 'venv', '-e', str(clone)), tmp_path / 'h'
  here.mkdir()
  trees = [helpers.ROOT / tree for tree in _TREES]
  words = '--config=memory_size_digits:smoke', '--workdir=sizes', '--dry_run'
  plan = _run(python, here, trees, 'memae_jax.study', *words)
  assert '3 points in 1 run' in plan and pathlib.Path(clone, 'configs').is_dir()
