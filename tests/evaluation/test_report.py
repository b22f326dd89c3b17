import copy
import html.parser
import json
import re

import matplotlib
import numpy as np
import pytest

from memae_jax.evaluation import plots, report, scores

VARIANTS = ('memae', 'nonspar', 'ae')


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
  return report.exhibits(**digits)


def test_page_stands_alone_and_says_the_numbers(digits, shown):
  page = report.render(**digits, shown=shown)
  seen = _Page(page)
  assert all(link.startswith('data:image/') for link in seen.links)
  assert not {'script', 'link', 'iframe', 'object'} & set(seen.tags)
  assert not re.search(r'https?://(?!www\.w3\.org)', page)
  results = digits['results']
  mean = results['variants']['memae']['auroc']['mean']
  assert f'{mean:.3f}' in seen.all
  for words in (
    '6 networks (2 MemAE, 2 MemAE-nonSpar, 2 AE)',
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
    'the first by name',
    'lower is better',
  ):
    assert words in seen.all, words
  assert 'nan' not in seen.all.lower().split()
  assert len(page) < 3e6


def test_page_is_reproducible(digits):
  few = {**digits, 'replicas': digits['replicas'][:1], 'events': ()}
  pages = [report.render(**few) for _ in range(2)]
  assert pages[0] == pages[1]


def test_figures_and_no_global_state(digits, shown):
  before = dict(matplotlib.rcParams)
  figures = report.figures(**digits)
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
  for exhibit in shown:
    assert exhibit.title.endswith('?') and exhibit.caption.endswith('.')


def test_sixty_tables_beside_the_paper(make_replica, make_run):
  made = [make_replica(v, 'table', 0, s) for v in VARIANTS for s in range(20)]
  run = make_run(made, 'kdd', 'kddcup99', with_baselines=False)
  page = report.render(**run)
  seen = _Page(page)
  assert len(page) < 3e6
  assert '60 networks' in seen.all and '20 pairs' in seen.all
  for published in ('0.9641', '0.9627', '0.9342', '0.7399'):
    assert published in seen.all
  assert 'The paper reports 0.9641 (difference' in seen.all
  assert 'MemAE reaches F1 at the ratio' in seen.all
  assert 'slots_memae' in report.figures(**run)
  assert seen.all.count('memae/seed=') == 21  # Once a run, and the slots.


def test_unlabelled_data_get_dashes_and_reasons(make_replica, make_run):
  replica, train, test = make_replica('memae', 'table')
  replica = replica._replace(anomalous=np.zeros_like(replica.anomalous))
  run = make_run([(replica, train, test)])
  seen = _Page(report.render(**run))
  assert 'AUROC of MemAE is undefined' in seen.all
  assert 'undefined in 1 of 1 runs, because every one of' in seen.all
  assert 'none of which is labelled anomalous' in seen.all
  assert 'Read this first' in seen.all and '—' in seen.all
  assert 'curves' not in report.figures(**run)


def test_one_network_shows_its_bootstrap_interval(make_replica, make_run):
  run = make_run([make_replica('memae', 'image', 8)])
  row = run['results']['replicas'][0]
  low, high = row['interval']['auroc']
  seen = _Page(report.render(**run))
  assert f'[{low:.3f}, {high:.3f}]' in seen.all
  assert '95% bootstrap interval' in seen.all
  assert 'Is one variant better' not in seen.all
  assert 'It then scored' in seen.all


def test_ae_alone_has_no_memory_section(make_replica, make_run):
  run = make_run([make_replica('memae')], with_baselines=False)
  fields = {**run['replicas'][0].fields, 'variant': 'ae'}
  run['replicas'] = [make_replica('ae')[0]]
  results = run['results']
  results['replicas'][0]['fields'] = fields
  results['variants'] = {'ae': results['variants']['memae']}
  results |= {'headline': 'ae', 'memory': {}, 'throughput': {}}
  seen = _Page(report.render(**run, shown=()))
  assert 'Health of the memory' not in seen.all
  assert 'AE reaches AUROC' in seen.all


def test_a_sweep_has_its_picture_and_its_caveat(make_replica, make_run):
  made = [make_replica(slots=n, seed=s) for n in (5, 50) for s in (0, 1)]
  run = make_run(made, with_baselines=False)
  assert 'sweep_slots' in report.figures(**run)
  seen = _Page(report.render(**run, shown=()))
  assert 'over all values of the number of slots (5, 50)' in seen.all


def test_warnings(digits):
  results = copy.deepcopy(digits['results'])
  assert report.warnings(results) == []
  results['memory']['memae']['dead_read_rate'] = {'mean': 0.95, 'std': 0.01}
  results['checkpoint']['rule'] = 'oracle'
  results['warnings'] = ['take care']
  results['replicas'][0]['metrics']['f1_at_ratio_tie_span'] = 0.4
  found = report.warnings(results)
  assert found[0] == 'take care'
  joined = ' '.join(found)
  for words in ('95% of the reads are dead', 'test labels', 'by up to 0.40'):
    assert words in joined


def test_names_are_escaped(digits):
  run = {**digits, 'results': copy.deepcopy(digits['results'])}
  run['results']['name'] = '<b>&"'
  run['results']['config']['name'] = '</pre><script>x</script>'
  page = report.render(**run, shown=())
  assert '<script' not in page and '&lt;b&gt;' in page


def test_results_survive_json(digits):
  results = json.loads(json.dumps(digits['results'], allow_nan=False))
  _Page(report.render(**{**digits, 'results': results}, shown=()))


@pytest.mark.parametrize('form', ['list', 'mapping', 'named', 'indexed'])
def test_events_in_every_form(form, digits):
  replicas = digits['replicas'][:2]
  names = [r.name for r in replicas]
  values = [[1.0, 3.0], [0.5, float('nan')]]
  events = [
    {'step': 5, 'split': 'validation', 'dead_read_rate': None},
    {'step': 6, 'split': 'train', 'dead_read_rate': 0.5},
  ]
  for step, pair in enumerate(values):
    event = {'step': step, 'split': 'train'}
    if form == 'list':
      events.append({**event, 'loss': pair})
    elif form == 'mapping':
      events.append({**event, 'loss': dict(zip(names, pair))})
    else:
      for i, value in enumerate(pair):
        replica = names[i] if form == 'named' else i
        events.append({**event, 'loss': value, 'replica': replica})
  curves = report.curves_of(events, replicas)
  assert list(curves) == ['loss'] and list(curves['loss']) == ['memae']
  steps, table = curves['loss']['memae']
  np.testing.assert_array_equal(steps, [0, 1])
  np.testing.assert_array_equal(table, [[1, 3], [0.5, np.nan]])


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
  figure = plots.score_distributions([replica], 0.95)
  figure.canvas.draw()
  heights = [
    p.get_data().values for p in figure.axes[0].patches if p.get_fill()
  ]
  assert [h.sum() for h in heights] == pytest.approx([1, 1])


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
  plots.reconstruction_gallery(gallery).canvas.draw()
  usage = np.r_[1.0, np.zeros(6)]
  figure = plots.slot_images(image(7), usage)
  texts = [t.get_text() for t in figure.axes[0].texts]
  assert texts == ['100.0%'] + ['unused'] * 6
  figure = plots.slot_usage({'memae': usage, 'nonspar': np.zeros(7)})
  assert '6 of 7 slots unused' in figure.axes[0].get_title(loc='left')
