"""Galleries of methods that reconstruct, map their errors, or do neither."""

import json
import types

import numpy as np
import pytest

from memae_jax.data import transforms
from memae_jax.data import types as data_types
from memae_jax.evaluation.media import pictures
from memae_jax.evaluation.report import figures
from memae_jax.evaluation.report.plots import images
from memae_jax.evaluation.scoring import scores
from memae_jax.methods import base, tasks
from tests import fakes, helpers
from tests.evaluation import stand_ins

_SHAPE = 12, 8, 6, 1  # Twelve images: six normal ones, then six anomalies.


def _deviation(x):
  """Map [K, H, W] of the toy method: the distance of each pixel to grey."""
  return np.abs(np.asarray(x, np.float32)[..., 0] / 255 - 0.5)


def _experiment(fields):
  """A stand-in with one replica, whose prediction has the large `fields`."""
  inputs = np.random.default_rng(0).integers(0, 256, _SHAPE).astype(np.uint8)
  source = data_types.Source(
    'x',
    inputs,
    np.repeat(np.int32([0, 1]), 6),
    ('fine', 'odd'),
    masks=inputs[..., 0] > 200,
    has_mask=np.ones(12, bool),
  )
  transform = data_types.Transform(*np.float32([[1 / 255], [0], [0], [9]]))
  split = data_types.Split(
    np.arange(3), np.arange(3), np.arange(12), np.arange(12) > 5, transform
  )

  def score(weights, rows, wanted):
    del weights
    assert len(wanted) == 1  # The other large field would cost memory.
    predicted = base.Prediction({'toy': np.zeros((1, len(rows[0])))})
    x = inputs[rows[0]]
    if 'maps' in wanted and 'maps' in fields:
      predicted = predicted._replace(maps={'toy': _deviation(x)[None]})
    if 'output' in wanted and 'output' in fields:
      predicted = predicted._replace(output=np.zeros((1, *x.shape)))
    return predicted

  return types.SimpleNamespace(
    source=source,
    splits=[split],
    replicas=[types.SimpleNamespace(variant='toy', name='toy')],
    programs=types.SimpleNamespace(score=score),
    rule='toy',
    map_rule='toy',
    task=tasks.Task(),
  )


def _scored(score=None, limit=None):
  """Scores of the toy replica; None: in the order of the samples."""
  score = np.arange(12.0) if score is None else score
  of = score, np.zeros(len(score), bool), np.arange(len(score)), np.zeros(3)
  pixels = None if limit is None else ({'defect_threshold': limit}, {})
  return scores.ReplicaScores('toy', {'variant': 'toy'}, *of, pixels=pixels)


def _rows_of(figure):
  """Returns the titles of the rows of a gallery."""
  figure.canvas.draw()
  names = [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()]
  return [' '.join(name.split()) for name in names]


def test_maps_without_an_output_have_a_gallery_of_two_rows():
  exp, score = _experiment(['maps']), np.arange(12.0)
  gallery = pictures.gallery(exp, None, 0, _scored(score))
  assert gallery.reconstructions is None
  np.testing.assert_array_equal(gallery.score[:2], [0, 1])
  np.testing.assert_array_equal(gallery.sample[-2:], [10, 11])
  inputs = exp.source.inputs[gallery.sample]
  np.testing.assert_allclose(gallery.inputs, inputs / 255, atol=1e-6)
  np.testing.assert_array_equal(gallery.errors, _deviation(inputs))
  figure = images.sample_gallery(gallery)
  assert _rows_of(figure) == ['input', 'error map']
  assert len(figure.axes) == 2 * 12 + 1
  drawn = [bool(ax.collections) for ax in figure.axes[: 2 * 12]]
  assert drawn == [False] * 12 + [True] * 12  # Masks are outlined in the maps.
  figure = images.one_sample(gallery, 3)
  assert [ax.get_title() for ax in figure.axes] == ['input', 'error map']


def test_an_output_has_a_gallery_of_three_rows():
  gallery = pictures.gallery(
    _experiment(['output', 'maps']), None, 0, _scored()
  )
  assert gallery.maps is None and not gallery.reconstructions.any()
  np.testing.assert_allclose(
    gallery.errors, gallery.inputs[..., 0] ** 2, rtol=1e-6
  )
  assert _rows_of(images.sample_gallery(gallery)) == [
    'input',
    'recon- struction',
    'squared error',
  ]


def test_a_threshold_of_maps_shows_what_it_flags():
  exp = _experiment(['output', 'maps'])
  gallery = pictures.gallery(exp, None, 0, _scored(limit=0.4))
  inputs = exp.source.inputs[gallery.sample]
  np.testing.assert_array_equal(gallery.errors, _deviation(inputs))
  assert gallery.reconstructions is not None and gallery.limit == 0.4
  figure = images.sample_gallery(gallery)
  assert _rows_of(figure)[-1] == 'error map'
  flagged = [bool(ax.collections) for ax in figure.axes[2 * 12 : 3 * 12]]
  assert all(flagged)  # Some pixel of each random picture is.
  no_more = images.sample_gallery(gallery._replace(limit=2.0))
  assert not any(ax.collections for ax in no_more.axes[2 * 12 : 3 * 12])


def test_neither_output_nor_maps_have_no_gallery():
  assert pictures.gallery(_experiment([]), None, 0, _scored()) is None
  assert pictures.other_classes([(_experiment_of_classes(), None)]) == []


def _experiment_of_classes():
  exp = _experiment(['maps'])
  exp.replicas = [types.SimpleNamespace(variant='toy', seed=0, normal_class=0)]
  return exp


def test_the_caption_says_what_the_map_is(digits):
  gallery = pictures.gallery(_experiment(['maps']), None, 0, _scored())
  replica = scores.ReplicaScores(
    name='toy',
    fields={'variant': 'toy'},
    score=np.arange(12.0),
    anomalous=np.arange(12) > 5,
    sample=np.arange(12),
    validation_score=np.zeros(3),
    gallery=gallery,
  )
  results = digits['results'] | {
    'headline': 'toy',
    'flags': {'toy': {'sample': 11}},
  }
  drawn = {figure.name: figure for figure in figures.draw(results, [replica])}
  figure = drawn['gallery_toy']
  assert figure.section == 'errors'
  assert 'reconstructs nothing' in figure.caption
  assert 'Outlined in the map' in figure.caption
  assert 'rebuild' not in drawn['worst'].caption


@pytest.mark.slow
def test_a_method_without_maps_is_evaluated_on_pictures_with_masks(tmp_path):
  folder = fakes.pictures(tmp_path / 'pictures')
  config = helpers.ROOT / 'configs/image_folder.py'
  code, _, err = helpers.run(
    f'--config={config}:smoke,path={folder}',
    f'--workdir={tmp_path / "run"}',
    '--config.fleet.variants=kde,mean',
    '--config.eval.baselines=()',
    '--config.eval.pictures=2',
  )
  assert code == 0, err
  results = json.loads((tmp_path / 'run/results.json').read_text())
  has_pixels = ['aupro' in results['methods'][name] for name in ('kde', 'mean')]
  assert has_pixels == [False, True]
  drawn = (tmp_path / 'run/eval').glob('*/gallery_*.png')
  assert [path.name for path in drawn] == ['gallery_mean.png']
  assert len([*(tmp_path / 'run/eval').glob('*/pictures/*.png')]) == 2


def _shown(inputs, test, transform, train):
  """Returns the pictures of test samples as a gallery shows them."""
  exp = types.SimpleNamespace(
    source=data_types.Source('x', inputs, np.zeros(3, np.int32), ('a',)),
    splits=[data_types.Split(train, train, test, test < 0, transform)],
    programs=types.SimpleNamespace(
      score=lambda _, rows, __: base.Prediction(
        {'toy': np.zeros((1, len(rows[0])))}
      )._replace(output=np.zeros((1, len(rows[0]), *inputs.shape[1:])))
    ),
    replicas=[types.SimpleNamespace(variant='toy', name='toy')],
    rule='toy',
    map_rule='toy',
    task=tasks.Task(),
  )
  gallery = pictures.gallery(exp, None, 0, _scored(np.zeros(len(test))))
  samples, first = np.unique(gallery.sample, return_index=True)
  np.testing.assert_array_equal(samples, test)
  return gallery.inputs[first]


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_pictures_have_the_range_of_their_source(dtype):
  inputs = np.array([0, 51, 255]).reshape(3, 1, 1, 1).astype(dtype)
  if dtype is np.float32:
    inputs = inputs / 255 * 4 - 2
  transform = data_types.Transform(*np.float32([[0.5], [-1], [0], [999]]))
  image = _shown(inputs, np.arange(3), transform, train=np.array([0, 2]))
  np.testing.assert_allclose(image.ravel(), [0, 0.2, 1], atol=1e-6)


def test_one_outlier_does_not_pale_pictures_of_normalised_contrast():
  inputs = np.arange(48).reshape(3, 4, 4, 1).astype(np.uint8)
  inputs[2] = 0
  inputs[2, 0, 0] = 255  # The range of the training samples is its.
  source = data_types.Source('x', inputs, np.zeros(3, np.int32), ('a',))
  transform = transforms.fit(
    source, np.arange(3), helpers.digits(**{'data.scaling': 'contrast'}).data
  )
  image = _shown(inputs, np.arange(3), transform, train=np.arange(3))
  np.testing.assert_allclose(image[0], image[1], atol=1e-6)
  # Black and white are three mean deviations from grey.
  away = np.abs(image[0] - 0.5).mean()
  np.testing.assert_allclose(away, 0.5 / 3, atol=1e-6)
  assert image[2].max() == 1


def test_samples_of_other_classes_through_each_variant(digits):
  exp = stand_ins.experiment_of_images()
  (samples,) = pictures.other_classes([(exp, None)])
  assert (samples.normal, samples.labels) == ('cat', ('dog', 'bird'))
  assert list(samples.reconstructions) == ['memae', 'ae']
  inputs = exp.source.inputs
  np.testing.assert_allclose(samples.inputs, inputs[[2, 4]] / 255, atol=1e-6)
  shown = figures.draw(**digits, shown=scores.Pictures([samples]))
  (figure,) = [e for e in shown if e.name == 'other_classes_0']
  figure.figure.canvas.draw()
  names = [ax.get_ylabel() for ax in figure.figure.axes]
  assert [name for name in names if name] == ['input', 'MemAE', 'AE']
