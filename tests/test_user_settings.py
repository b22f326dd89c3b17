"""Estimators work as users set JAX: in 64 bits, with checks, without jit."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import memae_jax
from tests import helpers

_SMALLEST = {
  'epochs': 1,
  'widths': [3],
  'code': 2,
  'slots': 3,
  'batch_size': 8,
  'random_state': 0,
  'verbose': 0,
}
_ALONE = """
import json, sys
from memae_jax import MemAE
import jax
rows, fields = json.loads(sys.argv[1])
found = MemAE(**fields).fit(rows)
value = getattr(jax.config, sys.argv[2].lower())
print(json.dumps([
  found.predict(rows).tolist(), found.anomaly_score(rows).tolist(), value]))
"""


def _rows():
  return np.random.default_rng(0).normal(size=(12, 2))


@pytest.fixture(scope='module')
def usual():
  """Flags and scores of the rows where nothing is set."""
  found = memae_jax.MemAE(**_SMALLEST).fit(_rows())
  return found.predict(_rows()), found.anomaly_score(_rows())


@pytest.mark.slow
@pytest.mark.parametrize(
  'name', ['JAX_ENABLE_X64', 'JAX_DEBUG_NANS', 'JAX_DISABLE_JIT']
)
def test_a_table_is_fitted_and_scored(usual, name):
  content = json.dumps([_rows().tolist(), _SMALLEST])
  environment = {'PYTHONPATH': str(helpers.ROOT), 'JAX_PLATFORMS': 'cpu'}
  done = subprocess.run(
    [sys.executable, '-c', _ALONE, content, name],
    capture_output=True,
    text=True,
    env=os.environ | environment | {name: '1'},
    timeout=900,
  )
  assert done.returncode == 0, done.stderr[-2000:]
  flags, scores, value = json.loads(done.stdout)
  assert value is True  # The variable was read.
  np.testing.assert_allclose(scores, usual[1], rtol=1e-3)
  assert flags == usual[0].tolist()
