"""The figures of a run."""

import matplotlib
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
