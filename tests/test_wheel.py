"""What is installed works in an empty folder, without the clone."""

import os
import pathlib
import shutil
import site
import subprocess
import sys
import tarfile
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

# Scores by released weights of every fleet, in an empty folder.
_USE = """
import numpy as np
import memae_jax

names = memae_jax.released()
for fleet in sorted({name.partition('/')[0] for name in names}):
  for method in ('', '/bank'):
    found = memae_jax.load(f'{fleet}/3{method}')
    images = np.zeros((4, *found.fitted_.shape), np.uint8)
    if fleet == 'digits':
      images = np.load('images.npy')
    assert np.isfinite(found.anomaly_score(images)).all()
    print(fleet, found.predict(images).tolist())
  assert '## Intended use' in memae_jax.card(fleet)
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
  for name in ('setup.py', 'setup.cfg', 'pyproject.toml', 'MANIFEST.in'):
    shutil.copy(helpers.ROOT / name, folder)
  for path in (*helpers.ROOT.glob('*.md'), helpers.ROOT / 'LICENSE'):
    shutil.copy(path, folder)
  return folder


@pytest.fixture(scope='module')
def wheel(clone):
  """The wheel of the package."""
  _pip('wheel', '--no-deps', f'--wheel-dir={clone / "dist"}', str(clone))
  (path,) = (clone / 'dist').glob('*.whl')
  return path


@pytest.fixture(scope='module')
def sdist(clone, tmp_path_factory):
  """The source distribution of the package."""
  folder = tmp_path_factory.mktemp('setuptools')
  venv.create(folder, with_pip=False)
  python = folder / 'bin' / 'python'
  _pip(f'--python={python}', 'install', 'setuptools>=77')
  code = "from setuptools import build_meta; build_meta.build_sdist('dist')"
  done = subprocess.run(
    [python, '-c', code],
    cwd=clone,
    env=_environment(),
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  (path,) = (clone / 'dist').glob('*.tar.gz')
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


def _files(clone):
  """Names of the files of the trees of a clone."""
  return {
    path.relative_to(clone).as_posix()
    for tree in _TREES
    for path in (clone / tree).rglob('*')
    if path.is_file()
  }


@pytest.mark.slow
def test_a_wheel_holds_every_file(clone, wheel):
  held = set(zipfile.ZipFile(wheel).namelist())
  there = _files(clone)
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
def test_released_weights_in_an_empty_folder(clone, wheel, tmp_path):
  python, here = _installed(tmp_path / 'venv', str(wheel)), tmp_path / 'here'
  here.mkdir()
  digits = datasets.load_digits()
  images = np.round(digits.images[:10] * 255 / 16).astype('uint8')
  np.save(here / 'images.npy', images)
  (here / 'use.py').write_text(_USE)
  trees = [root / tree for root in (helpers.ROOT, clone) for tree in _TREES]
  said = _run(python, here, trees, 'use').splitlines()
  assert len(said) >= 2 and said[0].startswith('digits [')


@pytest.mark.slow
def test_a_source_distribution(clone, sdist, wheel, tmp_path):
  """It holds every file, and the wheel made of it is the one of the clone."""
  with tarfile.open(sdist) as archive:
    held = {name.partition('/')[2] for name in archive.getnames()}
  pages = {path.name for path in clone.glob('*.md')}
  assert {'README.md', 'CHANGELOG.md', 'AGENTS.md'} <= pages
  needed = {'LICENSE', 'setup.py', 'setup.cfg', 'pyproject.toml', *pages}
  assert not (_files(clone) | needed) - held
  assert 'memae_jax/weights/digits/weights.safetensors' in held
  _pip('wheel', '--no-deps', f'--wheel-dir={tmp_path}', str(sdist))
  (again,) = tmp_path.glob('*.whl')
  names = [sorted(zipfile.ZipFile(path).namelist()) for path in (again, wheel)]
  assert names[0] == names[1]


@pytest.mark.slow
def test_an_editable_install_in_an_empty_folder(clone, tmp_path):
  python, here = _installed(tmp_path / 'venv', '-e', str(clone)), tmp_path / 'h'
  here.mkdir()
  trees = [helpers.ROOT / tree for tree in _TREES]
  words = '--config=memory_size_digits:smoke', '--workdir=sizes', '--dry_run'
  plan = _run(python, here, trees, 'memae_jax.study', *words)
  assert '3 points in 1 run' in plan and pathlib.Path(clone, 'configs').is_dir()
