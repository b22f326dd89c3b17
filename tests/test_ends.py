"""What one JAX wrote, another reads, or refuses with one line."""

import json
import os
import shutil
import subprocess

import jax
import numpy as np
import pytest

from memae_jax.exported import expiry
from tests import ends, helpers

_ZIPS = sorted(helpers.GOLDEN.glob('written_by_jax_*.zip'))
_OTHER = 'MEMAE_TEST_OTHER_PYTHON'


def _agree(found, want):
  """The numbers of the writer; only of a newer JAX a scorer may be refused."""
  close = {'rtol': 1e-5, 'atol': 0}
  np.testing.assert_allclose(found['checkpoint'], want['checkpoint'], **close)
  if 'refused' not in found:
    np.testing.assert_allclose(found['scorer'], want['scorer'], **close)
    return
  line, writer, reader = found['refused'], want['jax'], found['jax']
  assert expiry.parts(writer) > expiry.parts(reader), line
  assert '\n' not in line
  assert f'was written by jax {writer}, readable by that JAX' in line
  assert f'jax {reader} cannot read it' in line
  assert line.endswith(f', or score with jax {writer}')
  mends = 'export the run again with this jax', 'memae_jax.export --refresh='
  assert any(mend in line for mend in mends), line


@pytest.mark.parametrize('path', _ZIPS, ids=lambda path: path.stem)
def test_files_of_each_end_are_read(path, tmp_path):
  shutil.unpack_archive(path, tmp_path)
  want = ends.written(tmp_path)
  assert path.stem == f'written_by_jax_{want["jax"]}'
  found = ends.read(tmp_path)
  assert found['jax'] == jax.__version__
  _agree(found, want)


def test_both_ends_have_left_files():
  assert {path.stem.rpartition('_')[2] for path in _ZIPS} >= {
    '0.10.2',
    '0.12.0.1',
  }


def _in_other(job, folder):
  """What the other Python prints of a job of tests/ends.py."""
  environment = {k: v for k, v in os.environ.items() if 'CACHE' not in k}
  done = subprocess.run(
    [os.environ[_OTHER], '-m', 'tests.ends', job, str(folder)],
    cwd=helpers.ROOT,
    env=environment | {'PYTHONPATH': str(helpers.ROOT)},
    capture_output=True,
    text=True,
    timeout=600,
  )
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(
  _OTHER not in os.environ,
  reason=f'{_OTHER} is not set: a Python with the other JAX of setup.cfg',
)
def test_the_other_python_reads_ours_and_we_its(tmp_path):
  ours = ends.write(tmp_path / 'ours')
  theirs = _in_other('write', tmp_path / 'theirs')
  assert ours['jax'] != theirs['jax'], 'both Pythons have the same JAX'
  assert 'refused' not in {*ours, *theirs}
  _agree(ends.read(tmp_path / 'theirs'), theirs)
  _agree(_in_other('read', tmp_path / 'ours'), ours)
  # Rebuilt, no end may refuse: an older JAX a newer program, and the reverse.
  for found, want in (
    (ends.refresh(tmp_path / 'theirs'), theirs),
    (_in_other('refresh', tmp_path / 'ours'), ours),
  ):
    assert 'refused' not in found
    _agree(found, want)
