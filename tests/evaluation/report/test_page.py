import copy
import html.parser
import json
import re
import types

import matplotlib
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.data import transforms
from memae_jax.data import types as data_types
from memae_jax.evaluation import evaluate
from memae_jax.evaluation.media import pictures
from memae_jax.evaluation.metrics import pixels
from memae_jax.evaluation.report import (
  figures,
  findings,
  tables,
  training_log,
)
from memae_jax.evaluation.report import page as report
from memae_jax.evaluation.report.plots import detection, images, memory
from memae_jax.evaluation.results import describe, measure
from memae_jax.evaluation.scoring import scores
from tests import helpers

VARIANTS = ('memae', 'nonspar', 'ae')
CONFIG = {'data': {'name': 'digits'}, 'fleet': {'normal_classes': (0,)}}


def _render(run, shown=None):
  return report.render(
    run['results'], figures.draw(**run) if shown is None else shown
  )


def _figures(run):
  return {shown.name: shown.figure for shown in figures.draw(**run)}


class _Page(html.parser.HTMLParser):
  """Collects text and addresses, and checks that tags close."""

  def __init__(self, page):
    super().__init__()
    self.open, self.text, self.links, self.tags = [], [], [], []
    self.feed(page)
    self.close()
    assert not self.open, self.open
    self.all = ' '.join(' '.join(self.text).split())

  def handle_starttag(self, tag, attributes):
    self.tags.append(tag)
    if tag not in ('meta', 'img', 'br'):
      self.open.append(tag)
    links = [v for k, v in attributes if k in ('src', 'href')]
    self.links += links

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    self.text.append(data)


@pytest.fixture(scope='module')
def digits(make_replica, make_run):
  return make_run(
    [make_replica(v, 'image', c) for v in VARIANTS for c in (0, 8)]
  )


@pytest.fixture(scope='module')
def shown(digits):
  return figures.draw(**digits)


def test_page_stands_alone_and_says_the_numbers(digits, shown):
  page = _render(digits, shown)
  seen = _Page(page)
  assert all(link.startswith('data:image/') for link in seen.links)
  assert not {'script', 'link', 'iframe', 'object'} & set(seen.tags)
  assert not re.search(r'https?://(?!www\.w3\.org)', page)
  results = digits['results']
  mean = results['methods']['memae']['auroc']['mean']
  assert f'{mean:.3f}' in seen.all
  for words in (
    '6 detectors (2 MemAE, 2 MemAE-nonSpar, 2 AE)',
    '2 classes took their turn',
    'MemAE reaches AUROC',
    'The best baseline on the same samples is',
    'Against AE on the same data and seeds',
    'MemAE − AE',
    'Isolation forest',
    '4f' * 32,
    'a0' * 32,
    'the weights at the end of training; nothing was chosen',
    '2: not a number',
    'Which samples have the highest scores?',
    '1234',
    'the first by name',
    'lower is better',
  ):
    assert words in seen.all, words
  assert 'nan' not in seen.all.lower().split()
  assert len(page) < 3e6


def test_page_is_reproducible(digits):
  few = {**digits, 'replicas': digits['replicas'][:1], 'logs': ()}
  pages = [_render(few) for _ in range(2)]
  assert pages[0] == pages[1]


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


def test_sixty_tables_beside_the_paper(make_replica, make_run):
  made = [make_replica(v, 'table', 0, s) for v in VARIANTS for s in range(20)]
  run = make_run(made, 'kdd', 'kddcup99', with_baselines=False)
  page = _render(run)
  seen = _Page(page)
  assert len(page) < 3e6
  assert '60 detectors' in seen.all and '20 pairs' in seen.all
  for published in ('0.9641', '0.9627', '0.9342', '0.7399'):
    assert published in seen.all
  assert 'The paper reports 0.9641 (difference' in seen.all
  assert 'MemAE reaches F1 at the ratio' in seen.all
  assert 'slots_memae' in _figures(run)
  assert seen.all.count('memae/seed=') == 22  # Each run, the head, the slots.


def test_unlabelled_data_get_dashes_and_reasons(make_replica, make_run):
  replica, train, test = make_replica('memae', 'table')
  replica = replica._replace(anomalous=np.zeros_like(replica.anomalous))
  run = make_run([(replica, train, test)])
  seen = _Page(_render(run))
  assert 'AUROC of MemAE is undefined' in seen.all
  assert 'undefined in 1 of 1 runs, because every one of' in seen.all
  assert 'none of which is labelled anomalous' in seen.all
  assert 'Read this first' in seen.all and '—' in seen.all
  assert 'curves' not in _figures(run)


def test_data_without_labels_have_no_metric_at_all(make_replica, make_run):
  replica, _, _ = make_replica('memae', 'table')
  run = make_run([make_replica('memae', 'table')], with_baselines=False)
  results = run['results']
  results['dataset'] |= {'labelled': False, 'base_rate': None}
  config = config_lib.resolve(CONFIG)
  replica = replica._replace(anomalous=np.zeros_like(replica.anomalous))
  results |= measure.measure([replica], [], {}, config.eval, has_labels=False)
  (row,) = results['replicas']
  assert not any(v is not None for v in row['metrics'].values())
  assert set(row['reasons'].values()) == {'the data have no labels'}
  seen = _Page(_render(run, ()))
  assert 'because the data have no labels' in seen.all
  assert 'unknown: no labels' in seen.all


def test_unfinished_training_is_said(digits):
  run = {**digits, 'results': copy.deepcopy(digits['results'])}
  run['results']['checkpoint']['step'] = 600
  run['results']['warnings'] = findings.warnings(run['results'])
  seen = _Page(_render(run, ()))
  assert 'Training is not finished: step 600 of 1,200.' in seen.all
  assert 'at the end of training' not in seen.all


def test_a_pause_is_no_training():
  times = [0, 1, 2, 3, 1000, 1001, 1002]
  events = [
    {'split': 'train', 'step': 10 * i, 'time': t} for i, t in enumerate(times)
  ]
  exp = types.SimpleNamespace(
    config=config_lib.resolve(CONFIG),
    replicas=(0,),
    programs=types.SimpleNamespace(name='resident', resident_bytes=9),
  )
  speed = describe.training_speed(exp, events)
  assert speed['training_seconds'] == 15
  assert speed['fleet_steps_per_second'] == 10


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_pictures_have_the_range_of_their_source(dtype):
  inputs = np.array([0, 51, 255]).reshape(3, 1, 1, 1).astype(dtype)
  if dtype is np.float32:
    inputs = inputs / 255 * 4 - 2
  source = data_types.Source('x', inputs, np.zeros(3, np.int32), ('a',))
  transform = data_types.Transform(*np.float32([[0.5], [-1], [0], [999]]))
  split = data_types.Split(
    np.array([0, 2]), np.array([]), np.array([1]), np.zeros(1, bool), transform
  )
  image = pictures._as_image(transforms.apply(inputs, transform), source, split)
  np.testing.assert_allclose(image.ravel(), [0, 0.2, 1], atol=1e-6)


def test_one_outlier_does_not_pale_pictures_of_normalised_contrast():
  inputs = np.arange(48).reshape(3, 4, 4, 1).astype(np.uint8)
  inputs[2] = 0
  inputs[2, 0, 0] = 255  # The range of the training samples is its.
  source = data_types.Source('x', inputs, np.zeros(3, np.int32), ('a',))
  transform = transforms.fit(
    source, np.arange(3), helpers.digits(**{'data.scaling': 'contrast'}).data
  )
  split = data_types.Split(*[np.arange(3)] * 4, transform)
  image = pictures._as_image(transforms.apply(inputs, transform), source, split)
  np.testing.assert_allclose(image[0], image[1], atol=1e-6)
  away = np.abs(image[0] - 0.5).mean()
  np.testing.assert_allclose(away, 0.5 / pictures._CONTRAST, atol=1e-6)
  assert image[2].max() == 1


def test_a_failing_figure_costs_no_results(tmp_path, digits, monkeypatch):
  monkeypatch.setattr(report, 'render', lambda *_: 1 / 0)
  results, replicas = digits['results'], digits['replicas']
  assert evaluate._score_arrays(replicas)
  places = [tmp_path, tmp_path / 'eval']
  evaluate._write_numbers(results, places)
  with pytest.raises(ZeroDivisionError):
    evaluate._write_page(results, (), tmp_path / 'eval', places)
  for folder in places:
    assert json.loads((folder / 'results.json').read_text())['name']


def test_dollars_in_names_are_no_formula():
  columns = [data_types.Column(n) for n in ('a$_{b$', '$\\frac$', 'x_$')]
  figure = memory.slot_table(np.eye(3), np.ones(3), columns)
  figure.canvas.draw()
  shown = {t.get_text() for t in figure.axes[0].get_xticklabels()}
  assert shown <= {'a\\$_{b\\$', '\\$\\frac\\$', 'x_\\$'} and shown


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_slots_of_any_count_of_channels(channels):
  memory.slot_images(np.ones((3, 8, 8, channels)), np.ones(3)).canvas.draw()


def test_one_network_shows_its_bootstrap_interval(make_replica, make_run):
  run = make_run([make_replica('memae', 'image', 8)])
  row = run['results']['replicas'][0]
  low, high = row['interval']['auroc']
  seen = _Page(_render(run))
  assert f'[{low:.3f}, {high:.3f}]' in seen.all
  assert '95% bootstrap interval' in seen.all
  assert 'Is one method better' not in seen.all
  assert 'It then scored' in seen.all
  assert 'class 8 is the normal one' in seen.all
  assert 'replicas' not in _figures(run)


def test_ae_alone_has_no_memory_section(make_replica, make_run):
  run = make_run([make_replica('memae')], with_baselines=False)
  fields = {**run['replicas'][0].fields, 'variant': 'ae'}
  run['replicas'] = [make_replica('ae')[0]]
  results = run['results']
  results['replicas'][0]['fields'] = fields
  results['methods'] = {'ae': results['methods']['memae']}
  results |= {'headline': 'ae', 'memory': {}, 'throughput': {}}
  seen = _Page(_render(run, ()))
  assert 'Health of the memory' not in seen.all
  assert 'AE reaches AUROC' in seen.all


def test_a_sweep_has_its_picture_and_its_caveat(make_replica, make_run):
  made = [make_replica(slots=n, seed=s) for n in (5, 50) for s in (0, 1)]
  run = make_run(made, with_baselines=False)
  assert 'sweep_slots' in _figures(run)
  seen = _Page(_render(run, ()))
  assert 'over all values of the number of slots (5, 50)' in seen.all


def test_warnings(digits):
  results = copy.deepcopy(digits['results'])
  assert findings.warnings(results) == []
  results['replicas'][0]['memory']['dead_read_rate'] = 0.95
  results['checkpoint']['rule'] = 'oracle'
  for replica in results['replicas']:
    explained = 0.08 if replica['fields']['variant'] == 'memae' else 0.8
    replica['metrics']['variance_explained'] = explained
  results['replicas'][0]['metrics']['f1_at_ratio_tie_span'] = 0.4
  joined = ' '.join(findings.warnings(results))
  for words in (
    '1 of 4 memories',
    '95% of the reads are dead',
    'test labels',
    'by up to 0.40',
    'MemAE reconstructs little: 8% of the variance',
  ):
    assert words in joined
  assert joined.count('reconstructs little') == 1
  results['dataset']['labelled'] = False
  assert 'no labels: scores only' in ' '.join(findings.warnings(results))
  assert 'steps of training' not in joined and 'not the data of' not in joined
  results['checkpoint'] |= {'step': 63, 'of_steps': 63}
  results['dataset']['trained_on'] = 'b1' * 32
  first, second, *_ = findings.warnings(results)
  assert 'Only 63 steps of training' in first and 'not the data of' in second


def test_the_page_shows_the_stored_warnings_and_no_others(digits):
  run = {**digits, 'results': copy.deepcopy(digits['results'])}
  assert 'Read this first' not in _render(run, ())
  run['results']['replicas'][0]['memory']['dead_read_rate'] = 0.95
  run['results']['warnings'] = ['take care']
  seen = _Page(_render(run, ()))
  assert 'take care' in seen.all and 'reads are dead' not in seen.all


def test_the_findings_name_every_baseline_that_is_not_beaten(digits):
  results = copy.deepcopy(digits['results'])
  for name, value in (('pca', 0.99), ('ocsvm', 0.98), ('random', 0.2)):
    results['baselines'][name]['auroc']['mean'] = value
  results['baselines']['isolation_forest']['auroc']['mean'] = 0.4
  results['methods']['memae']['auroc']['mean'] = 0.45
  said = ' '.join(findings.sentences(results))
  assert 'less often than a coin' in said
  assert 'is PCA with 0.990, which MemAE does not beat.' in said
  assert 'Nor does it beat: One-class SVM (0.980).' in said
  results['methods']['memae']['auroc']['mean'] = 0.995
  said = ' '.join(findings.sentences(results))
  assert 'which is lower' in said and 'beat' not in said


def test_facts_are_written_for_a_reader(digits):
  seen = _Page(_render(digits, ()))
  for words in (
    '1,764 to 1,821',
    'samples of each label 0: 1,000, 1: 1,001',
    'and 4 more',
    'inputs constant in training none',
    'test rows that equal a training row 1,418 to 1,435',
    'jax: 0.10.2',
    '1.50 GiB',
    'because there are no validation normals',
  ):
    assert words in seen.all, words
  measured = seen.all.partition('How it was measured')[2]
  assert '{' not in measured.partition('Configuration')[0]


def test_notes_of_differing_splits_are_joined():
  assert describe.over_splits([3, 3]) == 3
  assert describe.over_splits([3, 5]) == {'min': 3, 'max': 5}
  assert describe.over_splits([['a'], ['b', 'a']]) == ['a', 'b']
  assert describe.over_splits([{'a': 1}, {'a': 1, 'b': 2}]) == {
    'a': 1,
    'b': {'min': 0, 'max': 2},
  }


def test_names_are_escaped(digits):
  run = {**digits, 'results': copy.deepcopy(digits['results'])}
  run['results']['name'] = '<b>&"'
  run['results']['config']['name'] = '</pre><script>x</script>'
  page = _render(run, ())
  assert '<script' not in page and '&lt;b&gt;' in page


def test_results_survive_json(digits):
  results = json.loads(json.dumps(digits['results'], allow_nan=False))
  _Page(_render({**digits, 'results': results}, ()))


def test_curves_of_a_fleet(digits):
  memae, ae = digits['replicas'][:2], digits['replicas'][-1]
  event = lambda step, split, **values: {
    'step': step,
    'split': split,
    'loss': 9.0,  # The mean over the fleet is not a curve.
    'replicas': values,
  }
  curves = training_log.curves(
    [
      event(0, 'train', loss=[1.0, 2.0, 3.0]),
      event(0, 'validation', dead_read_rate=[None, None, None]),
      event(1, 'train', loss=[0.5, float('nan'), 1.0], mean_kept=[4, 5, None]),
      event(1, 'validation', mean_kept=[6, 7, None]),
    ],
    [*memae, ae],
  )
  assert list(curves) == ['loss', 'mean_kept']
  assert list(curves['loss']) == ['memae', 'ae']
  steps, table = curves['loss']['memae']
  np.testing.assert_array_equal(steps, [0, 1])
  np.testing.assert_array_equal(table, [[1, 2], [0.5, np.nan]])
  np.testing.assert_array_equal(curves['loss']['ae'][1], [[3], [1]])
  # One curve, not a mixture of two splits; none of what has no memory.
  assert list(curves['mean_kept']) == ['memae']
  np.testing.assert_array_equal(curves['mean_kept']['memae'][1], [[6, 7]])


def test_curves_of_a_lone_replica_are_numbers(digits):
  events = [
    {'step': 0, 'split': 'train', 'loss': 2.0},
    {'step': 5, 'split': 'train', 'loss': 1.0, 'dead_read_rate': 0.5},
  ]
  curves = training_log.curves(events, digits['replicas'][:1])
  assert list(curves) == ['loss', 'dead_read_rate']
  steps, table = curves['loss']['memae']
  np.testing.assert_array_equal(steps, [0, 5])
  np.testing.assert_array_equal(table, [[2], [1]])
  assert training_log.curves((), digits['replicas']) == {}


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


def _of_source(masks=None):
  """A stand-in for an experiment on 6 images of 3 classes; rebuilds zeros."""
  rng = np.random.default_rng(0)
  source = data_types.Source(
    'x',
    rng.integers(0, 256, (6, 4, 5, 3)).astype(np.uint8),
    np.array([0, 0, 1, 1, 2, 2], np.int32),
    ('cat', 'dog', 'bird'),
    masks=masks,
    has_mask=None if masks is None else np.arange(6) != 3,
  )
  transform = data_types.Transform(*np.float32([[1 / 255], [0], [0], [9]]))
  split = data_types.Split(
    np.array([0]),
    np.array([0]),
    np.array([1, 2, 3, 4, 5]),
    np.array([0, 1, 1, 1, 1], bool),
    transform,
  )
  replica = lambda variant: types.SimpleNamespace(
    variant=variant, seed=0, normal_class=0
  )
  return types.SimpleNamespace(
    config=config_lib.resolve({**CONFIG, 'eval': {'batch_size': 2}}),
    source=source,
    rule='mse',
    splits=[split] * 2,
    replicas=[replica('memae'), replica('ae')],
  )


@pytest.fixture
def rebuilds_zeros(monkeypatch):
  def output(exp, weights, index, rows):
    del weights, index
    return np.zeros(exp.source.inputs[rows].shape, np.float32)

  monkeypatch.setattr(pictures, '_output', output)


def test_error_maps_are_of_the_samples_with_a_mask():
  exp = _of_source(np.zeros((6, 4, 5), bool))
  facts = describe.error_maps(exp)
  assert facts['samples'] == {'min': 4, 'max': 4}
  assert facts['ranking'] == 'exact'
  assert describe.error_maps(_of_source()) is None


def test_samples_of_other_classes_through_each_variant(rebuilds_zeros, digits):
  (samples,) = pictures.other_classes([(_of_source(), None)])
  assert (samples.normal, samples.labels) == ('cat', ('dog', 'bird'))
  assert list(samples.reconstructions) == ['memae', 'ae']
  inputs = _of_source().source.inputs
  np.testing.assert_allclose(samples.inputs, inputs[[2, 4]] / 255, atol=1e-6)
  shown = figures.draw(**digits, other_classes=[samples])
  (figure,) = [e for e in shown if e.name == 'other_classes_0']
  figure.figure.canvas.draw()
  names = [ax.get_ylabel() for ax in figure.figure.axes]
  assert [name for name in names if name] == ['input', 'MemAE', 'AE']


def test_masks_and_metrics_of_pixels_are_shown(make_replica, make_run):
  replica, train, test = make_replica('memae', 'image', 8)
  masks = np.zeros(replica.gallery.inputs.shape[:3], bool)
  masks[4:, :3, 2:6] = True
  maps = np.random.default_rng(0).random(masks.shape, np.float32) + masks
  replica = replica._replace(
    gallery=replica.gallery._replace(masks=masks),
    pixels=pixels.evaluate(maps, masks),
    pseudo={'flip': 0.7, 'blend': 0.5},
  )
  run = make_run([(replica, train, test)])
  summaries = run['results']['methods']['memae']
  assert summaries['aupro']['mean'] == replica.pixels[0]['aupro']
  assert summaries['pseudo_auroc']['mean'] == pytest.approx(0.6)
  seen = _Page(_render(run))
  assert 'Pixel AUROC' in seen.all and 'the true mask' in seen.all
  assert 'Upside down Lighter of two Pseudo-AUROC MemAE 0.700 0.500 0.600' in (
    seen.all
  )


def test_classes_and_seeds_have_their_table(make_replica, make_run):
  made = [
    make_replica(v, 'image', c, s)
    for v in ('memae', 'ae')
    for c in (0, 8)
    for s in (0, 1)
  ]
  run = make_run(made, 'mnist', 'mnist', with_baselines=False)
  seen = _Page(_render(run, ()))
  for words in (
    '2 seeds × 2 classes',
    'AUROC class by class',
    'That is the mean over 2 classes and 2 seeds.',
    'only the seed is resampled',
    '0.9751',
    'VAE, as published 0.9643',
    'OC-SVM, as published 0.9499',
  ):
    assert words in seen.all, words


def test_a_variant_that_lacks_a_rule_of_clips_has_a_dash():
  summary = lambda mean: {'auroc_normalised': {'mean': mean, 'n': 1}}
  results = {
    'config': {'eval': {'score': 'mse'}},
    'paper': None,
    'rules': {
      'memae': {'mse': summary(0.5), 'mse_centre': summary(0.25)},
      'kde': {'kde': summary(0.75)},
    },
  }
  rows = [
    (title, [cell['mean'] for cell in cells])
    for title, cells in tables.rules(results)
  ]
  assert rows == [
    ('Mean squared error (the score)', ['0.500', '—']),
    ('Mean squared error of the scored frame', ['0.250', '—']),
    ('Kernel density', ['—', '0.750']),
  ]


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
