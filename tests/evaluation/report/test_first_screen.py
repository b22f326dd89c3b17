"""The head of the report: what it says, in extreme values too."""

import copy
import html
import re
import types

import numpy as np
import pytest

from memae_jax.data import types as data_types
from memae_jax.evaluation import evaluate
from memae_jax.evaluation.report import figures, findings, tables, wording
from memae_jax.evaluation.report import page as report
from memae_jax.evaluation.report.plots import detection, images, style, training
from memae_jax.evaluation.results import describe, top_samples
from memae_jax.evaluation.scoring import collect, scores
from memae_jax.training import experiment, step
from tests import helpers


@pytest.fixture(scope='module')
def run(make_replica, make_run):
  return make_run([make_replica('memae', 'image', c) for c in (0, 8)])


def _text(page):
  return ' '.join(html.unescape(re.sub('<[^>]*>', ' ', page)).split())


@pytest.mark.parametrize(
  'explained,worse,little',
  [
    ([0.9], '', ''),
    ([0.25, 0.5], '', ''),
    ([0.1, 0.2], '', 'little: 15%'),
    ([0.0], '', 'little: 0%'),
    ([0.0003], '', 'little: 0.030%'),
    ([-0.0004], 'sample (variance explained -0.0004)', ''),
    ([-34144.4], 'sample (variance explained -34,144)', ''),
    ([-1e21], 'sample (variance explained -1e+21)', ''),
    ([-40.0, -2.0], 'sample (variance explained down to -40)', ''),
    ([-40.0, 0.9], 'sample in 1 of 2 runs (variance explained -40)', ''),
    ([-2.0, 0.1], 'sample in 1 of 2 runs', 'little in the other runs: 10%'),
    ([], '', ''),
  ],
)
def test_what_is_said_of_the_variance_explained(run, explained, worse, little):
  results = copy.deepcopy(run['results'])
  (first, *_) = results['replicas']
  results['replicas'] = [
    {**first, 'metrics': {'variance_explained': value}} for value in explained
  ]
  said = [line for line in findings.warnings(results) if 'reconstructs' in line]
  assert len(said) == bool(worse) + bool(little)
  if worse:
    start = 'MemAE reconstructs worse than the mean training '
    assert said[0].startswith(start + worse)
    assert 'close to the distance to the mean' not in said[0]
  if little:
    assert f'MemAE reconstructs {little} of the variance' in said[-1]


@pytest.mark.parametrize(
  'value,text',
  [
    (0, '0.0%'),
    (1, '100.0%'),
    (0.5, '50.0%'),
    (0.1234, '12.3%'),
    (0.0003, '0.030%'),
    (0.99996, '99.9960%'),
    (1e-7, '0.000010%'),
  ],
)
def test_a_share_is_none_or_all_only_where_it_is(value, text):
  assert wording.share(value) == text


@pytest.mark.parametrize(
  'value,text',
  [(0.95, '95%'), (2 / 3, '66.7%'), (0.995, '99.5%'), (0.9995, '99.95%'),
   (0.99999, '99.999%'), (1, '100%'), (0.07, '7%'), (0.00001, '0.001%')],
)  # fmt: skip
def test_a_quantile_of_almost_all_is_not_all(value, text):
  assert describe.percent(value) == text


@pytest.mark.parametrize(
  'value,text',
  [(0.12345, '0.123'), (-0.0001, '0.000'), (999.9999, '1000.000'),
   (-35460.2, '−35,460'), (1e15, '1.00e+15'), (None, '—')],
)  # fmt: skip
def test_numbers_of_any_size(value, text):
  assert wording.number(value) == text


def test_an_interval_of_what_may_be_negative_is_not_cut_at_zero(run):
  results = copy.deepcopy(run['results'])
  for group in tables.methods(results).values():
    for metric in ('auroc', 'variance_explained'):
      group[metric] = {'mean': 0.5, 'std': 1.0, 'n': 3, 'ci95': [-2.0, 3.0]}
  rows = dict(tables.every_metric(results))
  assert rows['Variance explained'][0]['ci'] == '[−2.000, 1.000]'
  assert rows['AUROC'][0]['ci'] == '[0.000, 1.000]'


def test_the_table_says_why_a_metric_is_undefined(make_replica, make_run):
  replica, train, test = make_replica('memae', 'table')
  good = make_replica('memae', 'table', seed=1)
  all_normal = replica._replace(anomalous=np.zeros_like(replica.anomalous))
  run = make_run([(all_normal, train, test)], with_baselines=False)
  said = evaluate.headline(run['results'])
  (line,) = [x for x in said.splitlines() if 'undefined' in x]
  assert line.startswith('undefined in 1 of 1 runs, because every one of the ')
  assert 'is normal' in line and 'AUROC' in line and 'Average prec' in line
  run = make_run([(all_normal, train, test), good], with_baselines=False)
  said = evaluate.headline(run['results'])
  assert 'undefined in 1 of 2 runs, because every one of' in said
  run = make_run([good], with_baselines=False)
  assert 'undefined' not in evaluate.headline(run['results'])
  first = findings.sentences(
    make_run([(all_normal, train, test)], with_baselines=False)['results']
  )
  assert first[0].startswith('AUROC of MemAE is undefined: every one of the')


def _source(**fields):
  return data_types.Source(
    'x', np.zeros((9, 2)), np.array([0] * 8 + [1]), ('fine', 'odd'), **fields
  )


def _scored(score, held=(1.0, 2.0, 3.0)):
  return scores.ReplicaScores(
    name='memae/seed=0',
    fields={'variant': 'memae'},
    score=np.float32(score),
    anomalous=np.zeros(3, bool),
    sample=np.array([4, 8, 2]),
    validation_score=np.float32(held),
  )


@pytest.mark.parametrize(
  'source,held,first',
  [
    (
      _source(places={'file': np.array([f'd/{i}.png' for i in range(9)])}),
      (1.0, 2.0, 3.0),
      [('Threshold', '2', '50% of held-out normals score lower'),
       ('Flagged', '2 of 3', '66.7% of the test samples'),
       ('Highest score', 'd/8.png', 'score 7, label odd, flagged')],
    ),
    (
      _source(places={'file': np.array(['/tmp/x/a.csv'] * 9),
                      'row': np.arange(9) * 10}),
      (8.0,),
      [('Threshold', '8', '50% of held-out normals score lower'),
       ('Flagged', '0 of 3', '0.0% of the test samples'),
       ('Highest score', 'a.csv, row 80', 'score 7, label odd, not flagged')],
    ),
    (
      _source(labelled=False),
      (),
      [('Threshold', '—', 'there are no held-out normals'),
       ('Flagged', '—', 'of the test samples'),
       ('Highest score', 'sample 8', 'score 7')],
    ),
    (
      _source(videos=data_types.Videos(
        ('01', '02'), np.array([9, 9]), np.arange(9) // 5, np.arange(9) + 3)),
      (1.0, 2.0, 3.0),
      [('Threshold', '2', '50% of held-out normals score lower'),
       ('Flagged', '2 of 3', '66.7% of the test samples'),
       ('Highest score', '02, frame 11', 'score 7, label odd, flagged')],
    ),
  ],
)  # fmt: skip
def test_threshold_count_and_the_highest(source, held, first):
  flags = top_samples.flags(source, [_scored([1.5, 7, 2.5], held)], 0.5)
  results = {
    'flags': flags,
    'headline': 'memae',
    'config': {'eval': {'normal_quantile': 0.5}},
  }
  assert report.first_look(results) == first


def test_the_first_screen_comes_before_all_tables(run):
  results = copy.deepcopy(run['results'])
  lead = run['replicas'][0]
  top = results['flags']['memae']['sample']
  gallery = lead.gallery._replace(sample=np.full(8, top))
  replicas = [lead._replace(gallery=gallery), *run['replicas'][1:]]
  results['warnings'] = ['take care']
  shown = figures.draw(**{**run, 'results': results, 'replicas': replicas})
  assert shown[0].name == 'worst'
  page = report.render(results, shown)
  places = [
    page.index(words_)
    for words_ in (
      'take care', 'class="findings"', 'Threshold', 'Flagged', 'Highest score',
      'id="worst"', '<table', 'id="gallery_memae"', 'AUROC class by class',
      'Which samples have', 'id="replicas"',
    )
  ]  # fmt: skip
  assert places == sorted(places)
  text = _text(page)
  assert f'of {len(lead.score)} ' in text and 'the first by name' in text
  assert 'Two runs: no interval.' in text
  assert '95% Student-t interval' not in text
  images.one_sample(gallery, 0).canvas.draw()


def test_curves_keep_off_the_frame(run):
  steps, ones = np.arange(5), np.ones((5, 2))
  curves = {
    'slots_used': {'memae': (steps, ones * 7)},
    'dead_read_rate': {'memae': (steps, np.stack([steps % 2] * 2, 1))},
    'mean_kept': {'memae': (steps, ones * 0)},
    'loss': {'memae': (steps, np.geomspace(1, 1e-6, 10).reshape(5, 2))},
  }
  figures = [
    training.training_curves(curves, {}),
    detection.detection_curves({'memae': run['replicas']}, 0.3),
  ]
  for figure in figures:
    figure.canvas.draw()
    for ax in figure.axes:
      box = ax.get_window_extent()
      for line in ax.lines:
        if line.get_color() in ('#cccccc', style.ANOMALOUS):
          continue  # A line that is to cross the whole picture.
        x, y = ax.transData.transform(line.get_xydata()).T
        gaps = (x.min() - box.x0, box.x1 - x.max(),
                y.min() - box.y0, box.y1 - y.max())  # fmt: skip
        assert min(gaps) > 4, (ax.get_title(loc='left'), gaps)


def test_the_speed_of_scoring_is_after_a_warm_up_of_the_same_program():
  calls = []
  exp = types.SimpleNamespace(
    splits=[types.SimpleNamespace(test=np.arange(7))],
    programs=types.SimpleNamespace(
      warm_up=lambda *given: calls.append(('warm up', given)),
      score=lambda *given: calls.append(('score', given[:3])),
    ),
  )
  _, seconds = collect.score_tests(exp, 'weights', True)
  assert [name for name, _ in calls] == ['warm up'] + ['score'] * 5
  assert {id(given[1]) for _, given in calls} == {id(calls[0][1][1])}
  assert all(given[2] is True for _, given in calls)
  assert 0 <= seconds < 0.1


def test_nothing_compiles_after_a_warm_up():
  config = helpers.digits(**{'eval.batch_size': 32, 'model.widths': (4,)})
  exp = experiment.build(config)
  weights = step.weights(exp.programs.init())
  whole = [split.test for split in exp.splits]
  programs = exp.programs._score_block, exp.programs._gather
  # Several blocks, and less than one, of unlike lengths.
  for rows in (whole, [whole[0][:7], whole[1][:5]]):
    exp.programs.warm_up(weights, rows, ('maps',))
    before = [program._cache_size() for program in programs]
    scored = exp.programs.score(weights, rows, ('maps',))
    assert [program._cache_size() for program in programs] == before
    assert scored.scores['mse'].shape[1] >= max(map(len, rows))


@pytest.mark.parametrize('count,is_known', [(0, 0), (2, 0), (3, 0), (4, 1)])
def test_too_few_log_events_tell_no_speed(count, is_known):
  """Gaps of a short run hold what compiles and what is saved first."""
  exp = types.SimpleNamespace(
    config=helpers.digits(),
    replicas=(0,),
    programs=types.SimpleNamespace(name='resident', resident_bytes=9),
  )
  events = [
    {'split': 'train', 'step': 10 * i, 'time': 2.0 * i} for i in range(count)
  ]
  speed = describe.training_speed(exp, events)
  assert ('fleet_steps_per_second' in speed) == bool(is_known)
  assert ('speed_reason' in speed) == (not is_known)
