"""Figures of samples: which there are, and what their captions say."""

import numpy as np

from memae_jax.evaluation.report import figures
from memae_jax.evaluation.scoring import scores


def test_methods_that_saw_the_same_odd_pictures_are_drawn_together(digits):
  replicas, gallery = [], digits['replicas'][0].gallery
  for replica in digits['replicas']:
    is_other = replica.fields['variant'] == 'ae'
    odd = gallery._replace(
      inputs=gallery.inputs + is_other,
      sample=np.where(gallery.anomalous, -1, 5),
    )
    replicas.append(replica._replace(odd=odd, gallery=None))
  results = digits['results']
  shown = {f.name: f for f in figures.draw(results, replicas)}
  both, other = (shown[f'odd_inputs_{i}'] for i in (0, 1))
  texts = lambda shown: ' '.join(
    t.get_text() for t in shown.figure.axes[0].texts
  )
  assert 'MemAE\n' in texts(both) and 'MemAE-nonSpar' in texts(both)
  assert 'AE\nthreshold' in texts(other) and 'Mem' not in texts(other)
  assert 'ae/class=0/seed=0' in other.caption and '95%' in other.caption
  assert both.title.endswith('?') and both.caption.endswith('.')


def _beside(limit):
  column = scores.Column(
    'ae', np.ones((2, 4, 4)), np.ones(2), limit, (0.0, 1.0)
  )
  return scores.SideBySide(
    np.zeros((2, 4, 4, 1), np.uint8),
    (0.0, 255.0),
    np.ones((2, 4, 4), bool),
    np.array([False, True]),
    np.arange(2),
    ('good', 'hole'),
    (column,),
  )


def test_the_figure_of_all_methods_says_whether_a_threshold_is_shown(digits):
  results, replicas = digits['results'], digits['replicas']
  for limit in (None, 0.5):
    shown = scores.Pictures(side_by_side=_beside(limit))
    drawn = figures.draw(results, replicas, shown=shown)
    (figure,) = [f for f in drawn if f.name == 'side_by_side']
    assert ('Outlined in green' in figure.caption) == (limit is not None)


def test_memories_in_two_dimensions_stand_beside_their_use(digits):
  one = scores.Embedding(
    'memae',
    np.zeros((3, 2)),
    np.arange(3) > 1,
    np.ones((2, 2)),
    np.ones(2),
    (0.5, 0.1),
    4,
    2,
  )
  drawn = figures.draw(**digits, shown=scores.Pictures(embeddings=[one]))
  (figure,) = [f for f in drawn if f.name == 'embedding']
  assert figure.section == 'memory'
