"""Pictures of no class: what they are, and what is made of them."""

import dataclasses

import numpy as np
import pytest

from memae_jax.data import transforms
from memae_jax.evaluation.media import odd_inputs
from memae_jax.training import experiment, step
from tests import helpers

NAMES = [
  *('uniform noise', 'Gaussian noise', 'inverted', 'empty'),
  *('ring', 'cross', 'stripes', 'checker'),
]


@pytest.mark.parametrize('shape', [(8, 8, 1), (28, 28, 1), (9, 16, 3)])
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_made_pictures_have_shape_and_range_of_the_data(shape, dtype):
  low, high = (0, 255) if dtype is np.uint8 else (-2.0, 3.0)
  rng = np.random.default_rng(0)
  image = rng.uniform(low, high, shape).astype(dtype)
  made = odd_inputs.make(image, low, high)
  assert list(made) == NAMES
  again = odd_inputs.make(image, low, high)
  for name, picture in made.items():
    assert picture.shape == shape and picture.dtype == dtype
    assert picture.min() >= low and picture.max() <= high
    np.testing.assert_array_equal(picture, again[name])
    if name not in ('empty', 'inverted'):
      assert picture.max() - picture.min() > 0.8 * (high - low)
  others = [made[name] for name in NAMES]
  assert len({picture.tobytes() for picture in others}) == len(NAMES)


def test_each_picture_is_what_it_says():
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (32, 32, 1)).astype(np.uint8)
  made = odd_inputs.make(image, 0, 255)
  np.testing.assert_array_equal(made['inverted'], 255 - image)
  assert not made['empty'].any()
  ring, cross = made['ring'][..., 0], made['cross'][..., 0]
  for shape in (ring, cross):
    for same in (shape[::-1], shape[:, ::-1], shape.T):
      np.testing.assert_array_equal(shape, same)
    assert shape[0, 0] == 0  # Black around it.
  assert ring[16, 16] == 0 and cross[16, 16] == 255
  stripes, checker = made['stripes'][..., 0], made['checker'][..., 0]
  np.testing.assert_array_equal(stripes[:4], 0)
  np.testing.assert_array_equal(stripes[4:8], 255)
  np.testing.assert_array_equal(stripes[8:], stripes[:-8])
  np.testing.assert_array_equal(checker[:, 4:], 255 - checker[:, :-4])
  np.testing.assert_array_equal(checker[4:], 255 - checker[:-4])
  noise = made['uniform noise'].astype(float)
  assert abs(noise.mean() - 127.5) < 10  # Six deviations of the mean are 14.
  assert abs(noise.std() - 255 / 12**0.5) < 8
  gaussian = made['Gaussian noise'].astype(float)
  assert abs(gaussian.std() - 255 / 4) < 8


@pytest.fixture(scope='module')
def exp():
  return experiment.build(
    helpers.digits(
      **{
        'fleet.variants': ('ae',),
        'fleet.seeds': 2,
        'fleet.normal_classes': (0,),
        'eval.odd_inputs': True,
      }
    )
  )


def test_replicas_make_of_them_what_their_network_makes(exp):
  weights = step.weights(exp.programs.init())
  (index, odd), *more = odd_inputs.galleries(exp, weights, [1]).items()
  assert index == 1 and not more
  split = exp.splits[1]
  digits = exp.source.labels[split.test[split.anomalous]]
  others = map(str, sorted(set(digits.tolist()))[:4])
  assert odd.title == (*'0000', *others, *NAMES)
  assert odd.anomalous.tolist() == [False] * 4 + [True] * 12
  assert odd.sample.tolist()[8:] == [-1] * 8
  rows = odd.sample[:8]
  assert np.isin(rows[:4], split.test[~split.anomalous]).all()
  assert np.isin(rows[4:], split.test[split.anomalous]).all()
  inputs = exp.source.inputs
  made = odd_inputs.make(inputs[rows[0]], 0, 255)
  raw = np.concatenate([inputs[rows], np.stack([*made.values()])])
  np.testing.assert_allclose(odd.inputs, raw / 255, atol=1e-6)
  x = transforms.apply(raw, split.transform)
  one, knobs = exp.programs.one(weights, 1), exp.programs.method_hyper(1).knobs
  out = exp.trainer.method.model.apply(one.variables, x, knobs)
  rebuilt = np.asarray(out.reconstruction)
  np.testing.assert_allclose(
    odd.score, np.square(rebuilt - x).mean(axis=(1, 2, 3)), rtol=1e-4
  )
  np.testing.assert_allclose(
    odd.reconstructions, np.clip((rebuilt + 1) / 2, 0, 1), atol=1e-5
  )


def test_without_them_or_an_output_there_are_none(exp):
  config = helpers.digits(**{'eval.odd_inputs': False})
  without = dataclasses.replace(exp, config=config)
  assert odd_inputs.galleries(without, None, [0]) == {}
  table = exp.source._replace(inputs=np.zeros((5, 3)))
  without = dataclasses.replace(exp, source=table)
  assert odd_inputs.galleries(without, None, [0]) == {}
