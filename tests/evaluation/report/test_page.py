import collections
import copy
import html.parser
import json
import re

import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.evaluation.metrics import pixels
from memae_jax.evaluation.report import figures, findings, wording
from memae_jax.evaluation.report import page as report
from memae_jax.evaluation.results import measure

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
    if tag not in ('meta', 'link', 'img', 'br'):
      self.open.append(tag)
    links = [v for k, v in attributes if k in ('src', 'href')]
    self.links += links

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    if self.open[-1:] not in (['style'], ['script']):
      self.text.append(data)


@pytest.fixture(scope='module')
def shown(digits):
  return figures.draw(**digits)


def test_page_stands_alone_and_says_the_numbers(digits, shown):
  page = _render(digits, shown)
  seen = _Page(page)
  assert all(link.startswith(('data:', '#part-')) for link in seen.links)
  assert not {'iframe', 'object', 'video'} & set(seen.tags)
  assert not re.search(r'https?://(?!www\.w3\.org)', page)
  results = digits['results']
  for summary in (*results['methods'].values(), *results['baselines'].values()):
    assert f'{summary["auroc"]["mean"]:.3f}' in seen.all
  variants = collections.Counter(
    r['fields']['variant'] for r in results['replicas']
  )
  data = results['dataset']
  for words in (
    *findings.sentences(results),
    *(f'{n} {wording.label(name)}' for name, n in variants.items()),
    *map(wording.label, results['baselines']),
    'MemAE − AE',
    data['label_sha256'],
    data['data_sha256'],
    f'{data["dropped"][0]["count"]}: {data["dropped"][0]["why"]}',
    str(results['highest']['memae']['rows'][0]['row']),
  ):
    assert words in seen.all, words
  assert 'nan' not in seen.all.lower().split()
  assert len(page) < 3e6


def test_page_is_reproducible(digits):
  few = {**digits, 'replicas': digits['replicas'][:1], 'logs': ()}
  pages = [_render(few) for _ in range(2)]
  assert pages[0] == pages[1]


def test_sixty_tables_beside_the_paper(make_replica, make_run):
  variants = 'memae', 'nonspar', 'ae'
  made = [make_replica(v, 'table', 0, s) for v in variants for s in range(20)]
  run = make_run(made, 'kdd', 'kddcup99', with_baselines=False)
  page = _render(run)
  seen = _Page(page)
  assert len(page) < 3e6
  results = run['results']
  assert len(results['replicas']) == 60
  published = results['paper']['variants']
  assert published['memae']['f1_at_ratio'] == 0.9641
  for metrics in published.values():
    assert f'{metrics["f1_at_ratio"]:.4f}' in seen.all
  first, second, *_ = findings.sentences(results)
  assert 'F1' in first and '0.9641' in second
  assert f'{first} {second}' in seen.all
  assert 'slots_memae' in _figures(run)
  assert seen.all.count('memae/seed=') == 22  # Each run, the head, the slots.


def test_unlabelled_data_get_dashes_and_reasons(make_replica, make_run):
  replica, train, test = make_replica('memae', 'table')
  replica = replica._replace(anomalous=np.zeros_like(replica.anomalous))
  run = make_run([(replica, train, test)])
  seen = _Page(_render(run))
  (row,) = run['results']['replicas']
  assert row['metrics']['auroc'] is None
  assert row['reasons']['auroc'] in seen.all and '—' in seen.all
  for line in run['results']['warnings']:
    assert line in seen.all
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
  assert 'the data have no labels' in seen.all


def test_unfinished_training_is_said(digits):
  run = {**digits, 'results': copy.deepcopy(digits['results'])}
  run['results']['checkpoint']['step'] = 600
  run['results']['warnings'] = findings.warnings(run['results'])
  seen = _Page(_render(run, ()))
  (warning,) = run['results']['warnings']
  assert '600 of 1,200' in warning and warning in seen.all


def test_one_network_shows_its_bootstrap_interval(make_replica, make_run):
  run = make_run([make_replica('memae', 'image', 8)])
  row = run['results']['replicas'][0]
  low, high = row['interval']['auroc']
  seen = _Page(_render(run))
  assert f'[{low:.3f}, {high:.3f}]' in seen.all
  assert '95% bootstrap interval' in seen.all
  assert 'Is one method better' not in seen.all
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
  assert findings.sentences(results)[0] in seen.all


def test_a_sweep_has_its_picture_and_its_caveat(make_replica, make_run):
  made = [make_replica(slots=n, seed=s) for n in (5, 50) for s in (0, 1)]
  run = make_run(made, with_baselines=False)
  assert 'sweep_slots' in _figures(run)
  seen = _Page(_render(run, ()))
  assert 'over all values of the number of slots (5, 50)' in seen.all


def test_the_page_shows_the_stored_warnings_and_no_others(digits):
  run = {**digits, 'results': copy.deepcopy(digits['results'])}
  assert 'Read this first' not in _render(run, ())
  run['results']['replicas'][0]['memory']['dead_read_rate'] = 0.95
  run['results']['warnings'] = ['take care']
  seen = _Page(_render(run, ()))
  assert 'take care' in seen.all and 'reads are dead' not in seen.all


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


def test_names_are_escaped(digits):
  run = {**digits, 'results': copy.deepcopy(digits['results'])}
  run['results']['name'] = '<b>&"'
  run['results']['config']['name'] = '</pre><script>x</script>'
  page = _render(run, ())
  assert page.count('<script') == 1 and '<b>' not in page
  assert '&lt;b&gt;' in page and '&lt;script' in page


def test_results_survive_json(digits):
  results = json.loads(json.dumps(digits['results'], allow_nan=False))
  _Page(_render({**digits, 'results': results}, ()))


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
  assert run['results']['averaged_classes'] == 2
  for words in (
    *findings.sentences(run['results']),
    'AUROC class by class',
    'VAE, as published 0.9643',
    'OC-SVM, as published 0.9499',
  ):
    assert words in seen.all, words
  assert run['results']['paper']['variants']['memae']['auroc'] == 0.9751
  assert '0.9751' in seen.all
