"""Galleries as they are drawn."""

import numpy as np
import pytest

from memae_jax.evaluation.report.plots import images
from memae_jax.evaluation.scoring import scores


@pytest.mark.parametrize('low', [0.0, -3.0])
def test_maps_of_any_sign_are_drawn(low):
  maps = np.linspace(low, 5, 4 * 48, dtype=np.float32).reshape(4, 8, 6)
  gallery = scores.Gallery(
    np.zeros((4, 8, 6, 1), np.float32),
    None,
    np.arange(4.0),
    np.arange(4) > 1,
    ('normal, lowest score',) * 4,
    maps=maps,
  )
  figure = images.sample_gallery(gallery)
  figure.canvas.draw()
  bar = figure.axes[-1]
  assert bar.get_ylim() == pytest.approx((np.quantile(maps, 0.05), 5))
