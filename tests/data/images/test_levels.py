"""Levels by which pictures of 16 bits become pictures of 8."""

import numpy as np
import pytest

from memae_jax import export
from memae_jax.data.images import levels as levels_lib
from memae_jax.evaluation.scoring import collect
from memae_jax.runtime import errors
from memae_jax.training import experiment
from tests import helpers
from tests.data.images import pictures


# Values of the pictures that train, and the levels that follow.
@pytest.mark.parametrize(
  ('low', 'high', 'want'),
  [
    (0, 65535, (0, 65535)),
    (100, 16700, (0, 65535)),
    (40000, 60000, (0, 65535)),
    (0, 4095, (0, 4095)),
    (10, 1050, (0, 4095)),
    (0, 1023, (0, 1023)),
    (0, 300, (0, 1023)),
    (5, 16000, (0, 16383)),
    (0, 255, (0, 255)),
    (3, 20, (0, 255)),  # As if in a file of 8 bits.
    (1523, 2205, (1182, 2546)),  # 42 levels of 12 bits.
    (29000, 31000, (28000, 32000)),  # A thermal camera.
    (30000, 30010, (29877, 30133)),  # At least one level per value.
    (0, 8000, (0, 16383)),
    (9000, 9000, (0, 16383)),
  ],
)
def test_levels_by_the_range_of_those_that_train(low, high, want):
  values = np.linspace(low, high, 1000).astype(np.uint16)
  choice = levels_lib.choose(levels_lib.counts(values))
  assert choice.levels == want and choice.warnings == ()
  assert f'hold {low} to {high}' in choice.remarks[0]


def test_levels_without_16_bits():
  assert levels_lib.choose(np.zeros(2**16, int)) == ((0, 65535), (), ())


def test_one_hot_pixel_is_warned_of():
  values = np.append(np.linspace(1000, 2000, 5000), 65535).astype(np.uint16)
  choice = levels_lib.choose(levels_lib.counts(values))
  assert choice.levels == (0, 65535)
  (line,) = choice.warnings
  assert 'which become 4 of 256 grey levels, because a few lie in' in line


@pytest.mark.parametrize('asked', [(4095,), (4095, 0), (1, 2, 3), (5, 5)])
def test_levels_asked_for_are_checked(asked):
  with pytest.raises(errors.UserError, match='data.levels.*the lower first'):
    levels_lib.choose(np.zeros(2**16, int), asked)


def test_levels_of_the_config(tmp_path, load_pictures):
  values = pictures.twelve_bit_folder(tmp_path, high=900)
  assert load_pictures(tmp_path).levels == (0, 1023)
  source = load_pictures(tmp_path, levels=(0, 4095))
  assert source.levels == (0, 4095)
  assert any('4095 becomes 255' in line for line in source.remarks)
  name = source.places['file'][0]
  np.testing.assert_array_equal(
    source.inputs[0, ..., 0], pictures.scaled(values[name], 0, 4095)
  )


def test_levels_go_with_the_network(tmp_path):
  """A scorer's file has the levels, and other data are evaluated by them."""
  build = lambda folder, stored=None, **fields: experiment.build(
    helpers.digits(**{
      'data.name': 'image_folder', 'data.path': str(folder),
      'data.protocol': 'given', 'fleet.normal_classes': (), **fields,
    }), stored,
  )  # fmt: skip
  pictures.twelve_bit_folder(tmp_path / 'a')
  pictures.twelve_bit_folder(tmp_path / 'b', high=900)
  trained = build(tmp_path / 'a')
  stored = trained.meta
  assert stored['inputs']['levels'] == [0, 4095]
  calibrated = collect.Calibration(0.5, (), np.zeros(9))
  meta = export.meta(trained, 0, calibrated, 1, 1)
  assert meta['input']['levels'] == [0, 4095]
  assert build(tmp_path / 'b').source.levels == (0, 1023)
  assert build(tmp_path / 'b', stored).source.levels == (0, 4095)
  with pytest.raises(errors.UserError, match='trained on levels .0, 4095.; se'):
    build(tmp_path / 'b', stored, **{'data.levels': (0, 1023)})
