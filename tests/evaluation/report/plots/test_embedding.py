"""Figures of queries and slots."""

import numpy as np

from memae_jax.evaluation.report.plots import embedding
from memae_jax.evaluation.scoring import scores


def _memory(variant, slots, of):
  rng = np.random.default_rng(0)
  usage = np.r_[np.zeros(1), np.arange(1.0, slots)]
  return scores.Embedding(
    variant,
    rng.random((20, 2)),
    np.arange(20) > 11,
    rng.random((slots, 2)),
    usage,
    (0.5, 0.25),
    7,
    of,
  )


def test_a_panel_for_each_memory_with_all_queries_and_slots():
  shown = [_memory('memae', 5, 5), _memory('bank', 3, 9)]
  figure = embedding.draw(shown)
  figure.canvas.draw()
  assert len(figure.axes) == 2
  for ax, one in zip(figure.axes, shown):
    counts = [len(c.get_offsets()) for c in ax.collections]
    assert counts == [12, 8, 1, len(one.slots) - 1]
    read = ax.collections[-1].get_sizes()
    assert (np.diff(read) > 0).all()  # Larger where it is read more.
  titles = [ax.get_title(loc='left') for ax in figure.axes]
  assert titles == ['MemAE: 5 slots', 'Bank: 3 of 9 slots']
  assert '50%' in figure.axes[0].get_xlabel()
  (legend,) = figure.legends
  assert 'query of an anomalous sample' in legend.get_texts()[1].get_text()


def test_four_memories_take_two_rows():
  figure = embedding.draw([_memory('memae', 4, 4)] * 4)
  assert [ax.axison for ax in figure.axes] == [True] * 4 + [False] * 2
