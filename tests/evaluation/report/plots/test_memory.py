"""Slots as pictures and as tables, of any shape."""

import numpy as np
import pytest

from memae_jax.data import types as data_types
from memae_jax.evaluation.report.plots import images, memory
from memae_jax.evaluation.scoring import scores


def test_dollars_in_names_are_no_formula():
  columns = [data_types.Column(n) for n in ('a$_{b$', '$\\frac$', 'x_$')]
  figure = memory.slot_table(np.eye(3), np.ones(3), columns)
  figure.canvas.draw()
  shown = {t.get_text() for t in figure.axes[0].get_xticklabels()}
  assert shown <= {'a\\$_{b\\$', '\\$\\frac\\$', 'x_\\$'} and shown


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_slots_of_any_count_of_channels(channels):
  memory.slot_images(np.ones((3, 8, 8, channels)), np.ones(3)).canvas.draw()


def test_colour_images_and_dead_slots():
  rng = np.random.default_rng(0)
  image = lambda k: rng.random((k, 16, 16, 3)).astype(np.float32)
  gallery = scores.Gallery(
    image(3),
    image(3),
    np.arange(3.0),
    np.array([0, 0, 1], bool),
    ('normal, best', 'normal, worst', 'anomalous, worst'),
  )
  images.sample_gallery(gallery).canvas.draw()
  usage = np.r_[1.0, np.zeros(6)]
  figure = memory.slot_images(image(7), usage)
  texts = [t.get_text() for t in figure.axes[0].texts]
  assert texts == ['100.0%'] + ['unused'] * 6
  figure = memory.slot_usage({'memae': usage, 'nonspar': np.zeros(7)})
  assert '6 of 7 slots unused' in figure.axes[0].get_title(loc='left')
