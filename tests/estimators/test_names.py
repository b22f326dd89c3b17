import dataclasses
import json
import subprocess
import sys

import pytest

import memae_jax
from memae_jax.estimators import names
from memae_jax.methods import registry


def test_every_method_with_fit_has_a_name():
  found = names.methods()
  assert {'MemAE', 'AE', 'VAE', 'Bank', 'DAGMM', 'DeepSVDD'} <= found.keys()
  fitting = [n for n in registry.names() if not registry.find(n).alone]
  assert sorted(found.values()) == sorted(fitting)  # None is hidden by another.
  assert found.keys() <= set(dir(memae_jax))


def test_a_name_is_the_label_without_marks():
  entry = dataclasses.replace(registry.find('ae'), label='Deep x-AE (2)')
  assert names.class_name(entry) == 'DeepXAE2'


def test_unknown_names_are_told():
  with pytest.raises(AttributeError, match='did you mean "MemAE"'):
    memae_jax.MemAe  # noqa: B018
  with pytest.raises(AttributeError, match='data.protocol "alone"'):
    names.find('NeuralKernelNetwork')
  assert not hasattr(memae_jax, 'nothing')


def test_the_import_takes_no_time_and_brings_no_jax():
  code = (
    'import json, sys, time; start = time.process_time(); import memae_jax;'
    ' seconds = time.process_time() - start; dir(memae_jax);'
    ' print(json.dumps([seconds, "jax" in sys.modules]))'
  )
  out = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=True
  )
  seconds, has_jax = json.loads(out.stdout)
  assert seconds < 1 and not has_jax
