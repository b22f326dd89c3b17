"""The figures of a run."""

import matplotlib
import numpy as np
import pytest

from memae_jax.evaluation.report import figures


def _figures(run):
  return {shown.name: shown.figure for shown in figures.draw(**run)}


@pytest.fixture(scope='module')
def shown(digits):
  return figures.draw(**digits)


def test_figures_and_no_global_state(digits, shown):
  before = dict(matplotlib.rcParams)
  figures = _figures(digits)
  assert list(figures) == [
    'replicas',
    'classes',
    'curves',
    'distributions',
    'gallery_memae',
    'gallery_nonspar',
    'gallery_ae',
    'slots_memae',
    'slots_nonspar',
    'usage',
    'training',
  ]
  assert dict(matplotlib.rcParams) == before
  for figure in shown:
    assert figure.title.endswith('?') and figure.caption.endswith('.')


def test_the_picture_of_the_classes_calls_them_by_name(digits):
  named = dict(zip(('cat', 'dog'), digits['results']['classes'].values()))
  results = {**digits['results'], 'classes': named}
  axes = _figures({**digits, 'results': results})['classes'].axes[0]
  assert [label.get_text() for label in axes.get_yticklabels()] == [*named]


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
