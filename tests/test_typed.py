"""The public modules are typed, and so is what a user makes of them."""

import os
import subprocess
import sys

import pytest

from tests import helpers

_USE = """
import numpy as np

import memae_jax
from memae_jax import DAGMM, MemAE, Run, train

X = np.zeros((3, 2))
detector = MemAE(epochs=2, widths=(3,)).fit(X)
reveal_type(detector)
reveal_type(detector.score_samples(X))
reveal_type(MemAE.load('x'))
reveal_type(memae_jax.load('digits/3'))
run: Run = train('digits:smoke')
reveal_type(run.scores)
memae_jax.DeepSVDD(slots='many')
DAGMM().fit()
"""


@pytest.mark.slow
def test_public_modules_are_typed(tmp_path):
  """By mypy; what it finds in the use of a stranger are the two mistakes."""
  pytest.importorskip('mypy')
  use = tmp_path / 'use.py'
  use.write_text(_USE)
  options = (
    *('--ignore-missing-imports', '--follow-imports=silent'),
    *('--disallow-untyped-defs', '--disallow-incomplete-defs'),
  )
  out = subprocess.run(
    [
      *(sys.executable, '-m', 'mypy', *options),
      f'--cache-dir={tmp_path / "cache"}',
      *('memae_jax/__init__.py', 'memae_jax/estimators', str(use)),
    ],
    cwd=helpers.ROOT,
    env={**os.environ, 'PYTHONPATH': ''},
    capture_output=True,
    text=True,
  ).stdout
  lines = [line for line in out.splitlines() if ' error: ' in line]
  assert len(lines) == 2 and all('use.py' in line for line in lines), out
  assert '"slots"' in lines[0] and 'Missing positional' in lines[1]
  assert out.count('estimators.detector.Detector"') == 3
  assert 'Revealed type is "numpy.ndarray' in out
  assert (helpers.ROOT / 'memae_jax' / 'py.typed').is_file()
