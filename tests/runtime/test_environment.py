"""What results say of the process that made them."""

import importlib.metadata
import json
import subprocess

import jax
import pytest

import memae_jax
from memae_jax.runtime import environment, parallel


@pytest.fixture
def mesh():
  return jax.make_mesh(
    (1, 1, 1),
    parallel.AXES,
    axis_types=(jax.sharding.AxisType.Auto,) * 3,
    devices=jax.devices()[:1],
  )


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
  def version(name):
    if name == 'grain':
      raise importlib.metadata.PackageNotFoundError(name)
    return '1.2'

  monkeypatch.setattr(importlib.metadata, 'version', version)
  versions = environment.versions()
  assert versions['grain'] is None and versions['jax'] == '1.2'
  assert versions['memae_jax'] == memae_jax.__version__


def test_the_facts_are_json(mesh):
  facts = environment.describe(mesh)
  assert json.loads(json.dumps(facts)) == facts
  assert facts['device'] == 'cpu' and facts['processes'] == 1
  assert set(facts['mesh'].values()) == {1}


@pytest.mark.parametrize(
  'error', [FileNotFoundError('git'), subprocess.TimeoutExpired('git', 10)]
)
def test_without_git_there_is_no_commit(mesh, monkeypatch, error):
  def run(*words, **options):
    raise error

  monkeypatch.setattr(subprocess, 'run', run)
  assert environment.describe(mesh)['commit'] is None
