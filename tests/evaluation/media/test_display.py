"""Model inputs become pictures, whatever their channels."""

import numpy as np
import pytest

from memae_jax.data import types
from memae_jax.data.videos import clips, motion, views
from memae_jax.evaluation.media import display


def _source(kind, colours=1):
  fields = np.zeros((3, 2, 4, 2), np.float16)
  fields[1, 0, 1] = 3, 4
  pictures = np.full((3, 2, 4, colours), 51, np.uint8)
  how = views.Recipe(kind, 0.0, motion.Settings('blocks'))
  inputs = clips.Gathered(how.view(pictures, fields), np.arange(3))
  return types.Source('made', inputs, np.zeros(3, int), ('normal',))


def _shown(source, scale=1.0, shift=0.0):
  one = lambda value: np.asarray([value], np.float32)
  transform = types.Transform(one(scale), one(shift), one(0), one(1e9))
  split = types.Split(*[np.arange(3)] * 4, transform)
  x = source.inputs[:] * transform.scale + transform.shift
  return display.as_image(x, source, split)


def test_speed_is_bright_and_scaling_is_undone():
  for scale in ((1.0, 0.0), (0.1, 2.0)):
    shown = _shown(_source('speed'), *scale)
    assert shown.shape == (3, 2, 4, 1) and shown.dtype == np.float32
    assert shown[1, 0, 1, 0] == pytest.approx(1)
    assert np.abs(shown).sum() == pytest.approx(1, abs=1e-4)


def test_motion_is_coloured_and_rest_is_grey():
  shown = _shown(_source('motion'))
  assert shown.shape == (3, 2, 4, 3)
  assert shown[1, 0, 1].tolist() == pytest.approx([0.8, 0.9, 0.5])
  shown[1, 0, 1] = 0.5
  assert (shown == 0.5).all()


@pytest.mark.parametrize('colours', [1, 3])
def test_beside_a_picture_it_stands_or_is_left_out(colours):
  shown = _shown(_source('both', colours))
  assert shown.shape == (3, 2, 4, 3)
  assert shown[0, 0, 0, 0] == pytest.approx(0.2)
  if colours == 1:
    assert shown[1, 0, 1].tolist() == pytest.approx([0.2, 0.8, 0.9])
  else:
    np.testing.assert_allclose(shown, 0.2)


def test_bytes_and_numbers_of_images():
  x = np.array([[0, 255], [51, 102]], np.uint8).reshape(1, 2, 2, 1)
  for inputs in (x, x.astype(np.float32)):
    source = types.Source('made', inputs, np.zeros(1, int), ('normal',))
    one = lambda value: np.asarray([value], np.float32)
    transform = types.Transform(one(1 / 127.5), one(-1), one(0), one(9))
    split = types.Split(*[np.arange(1)] * 4, transform)
    shown = display.as_image(x / np.float32(127.5) - 1, source, split)
    np.testing.assert_allclose(shown, x / 255, atol=1e-6)
