"""Distributions of scores, however odd."""

import numpy as np
import pytest

from memae_jax.evaluation.report.plots import detection


@pytest.mark.parametrize(
  'score',
  [
    np.ones(40),
    np.zeros(40),
    np.r_[np.zeros(20), np.geomspace(1e-6, 1, 20)],
    np.linspace(-1, 1, 40),
  ],
)
def test_distributions_of_odd_scores(score, digits):
  replica = digits['replicas'][0]._replace(
    score=score.astype(np.float32), anomalous=np.arange(40) > 30
  )
  figure = detection.score_distributions([replica], 0.95)
  figure.canvas.draw()
  heights = [
    p.get_data().values for p in figure.axes[0].patches if p.get_fill()
  ]
  assert [h.sum() for h in heights] == pytest.approx([1, 1])
