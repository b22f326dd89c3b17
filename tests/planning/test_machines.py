"""Topologies that are known, and the libtpu that compiles for them."""

import importlib.metadata
import importlib.util
import re

import jax
import pytest

from memae_jax.planning import machines
from tests import helpers

SMOKE = '--config=configs/digits.py:smoke'


@pytest.mark.parametrize(
  'topology', ['v5e', 'v9:2x2', 'cpu:0', 'cpu:2x2', 'v5e:4x0', 'v5e:2x2x2x2']
)
def test_unknown_topologies(topology, tmp_path):
  code, _, err = helpers.run(
    '--mode=plan', SMOKE, f'--topology={topology}', f'--workdir={tmp_path}'
  )
  assert code == 2
  assert topology in err and machines.KNOWN in err.splitlines()[-1]
  assert not list(tmp_path.iterdir())


def test_too_many_simulated_devices(tmp_path):
  code, _, err = helpers.run('--mode=plan', SMOKE, '--topology=cpu:9')
  assert code == 2 and 'needs 9 devices' in err


def test_libtpu_is_missing(monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  code, _, err = helpers.run('--mode=plan', SMOKE, '--topology=v5e:4x4')
  assert code == 2 and "pip install 'memae_jax[plan]'" in err


def _pin():
  """The libtpu that the JAX in use names, as 0.0.42."""
  lines = importlib.metadata.requires('jax')
  return next(
    found[1]
    for line in lines
    if (found := re.match(r'libtpu==([\d.]+)\.\*;', line))
  )


@pytest.mark.parametrize('last', ['', '1', '99'])
def test_the_libtpu_of_this_jax_is_taken(monkeypatch, last):
  found = f'{_pin()}.{last}'.removesuffix('.')
  monkeypatch.setattr(importlib.metadata, 'version', lambda name: found)
  machines.check_libtpu()


@pytest.mark.parametrize('other', ['0.0.4', '0.0.41.1', '1.0', '0.0.421'])
def test_another_libtpu_is_refused(monkeypatch, other):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: True)
  monkeypatch.setattr(importlib.metadata, 'version', lambda name: other)
  code, _, err = helpers.run(
    '--mode=plan', '--config=configs/digits.py:smoke', '--topology=v5e:4x4'
  )
  line = err.splitlines()[-1]
  assert code == 2 and f'libtpu {other} does not belong' in line
  assert f'jax {jax.__version__}' in line
  assert f"pip install 'libtpu=={_pin()}.*'" in line


def test_the_extra_names_the_libtpu_of_each_end():
  """The newest JAX of a Python is what pip takes there."""
  text = (helpers.ROOT / 'setup.cfg').read_text()
  pins = re.findall(r'libtpu==([\d.]+)\.\*; python_version', text)
  assert len(pins) == 2
  ends = {'hlo_jax_0.10.2': pins[0], 'hlo_jax_0.12.0.1': pins[1]}
  stem = f'hlo_jax_{jax.__version__}'
  if stem in ends:
    assert ends[stem] == _pin()
