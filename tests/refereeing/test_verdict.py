"""Metrics equal their definitions; null predictors; what is said of them."""

import json

import numpy as np
import pytest

from memae_jax.refereeing import given, nulls, verdict
from tests.refereeing import by_hand, inputs

_SETTINGS = {'false_alarm': 0.05, 'bootstrap': 0}


@pytest.fixture(autouse=True)
def _fewer_seeds(monkeypatch):
  """Two random predictors, as each takes its time."""
  monkeypatch.setattr(nulls, 'SEEDS', 2)


def _judged(folder, score, labels, **options):
  """Judges arrays by way of their files."""
  files = {'l.npy': inputs.npy(labels)}
  if score is not None:
    files['s.npy'] = inputs.npy(score)
    options = {'scores': str(folder / 's.npy')} | options
  if 'normal' in options:
    files['n.npy'] = inputs.npy(options['normal'])
    options['normal'] = str(folder / 'n.npy')
  inputs.written(folder, files)
  options.setdefault('settings', _SETTINGS)
  flags = given.Options(labels=str(folder / 'l.npy'), **options)
  return verdict.judge(given.read(flags), flags)


def _videos(seed, lengths, digits=None):
  """Scores that come in waves, labels in runs, and scores of normals."""
  rng = np.random.default_rng(seed)
  count = sum(lengths)
  wave = np.convolve(rng.normal(size=count + 8), np.ones(9), 'valid') / 3
  y = np.convolve(rng.normal(size=count + 14), np.ones(15), 'valid') > 3
  score, normal = wave + 2.5 * y, rng.normal(size=300)
  if digits is not None:  # So that many tie.
    score, normal = score.round(digits), normal.round(digits)
  return score, y, normal


@pytest.mark.parametrize('digits', [None, 1])
def test_metrics_of_videos_equal_their_definitions(digits, tmp_path):
  lengths = [70, 31, 90, 2, 60]
  score, y, normal = _videos(4, lengths, digits)
  results, _ = _judged(
    tmp_path,
    score,
    y,
    normal=normal,
    frame_rate=25.0,
    video_lengths=','.join(map(str, lengths)),
    settings=_SETTINGS | {'bootstrap': 30},
  )
  (replica,) = results['replicas']
  expected = by_hand.of_videos(score, y, lengths, normal, 25)
  for name, value in expected.items():
    assert replica['metrics'][name] == pytest.approx(value, abs=1e-9), name
  rest = replica['metrics'].keys() - expected.keys()
  assert rest == {'f1_at_ratio_tie_span'}  # A span of orders, not of labels.
  ends = by_hand.interval(score, y, lengths, 30)
  np.testing.assert_allclose(replica['interval']['auroc'], ends, atol=1e-9)
  # And of a null predictor.
  at = np.concatenate([np.arange(n) for n in lengths]).astype(float)
  position = results['baselines']['frame_position']
  for name, value in (
    ('auroc', by_hand.auroc(at, y)),
    ('auroc_macro', by_hand.macro(at, y, lengths)),
    ('latency_aware_ap', by_hand.latency_aware(at, y, lengths)),
  ):
    assert position[name]['mean'] == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize('rule', ['higher_is_normal', ''])
def test_regularity_is_turned_round(rule, tmp_path):
  score, y, normal = _videos(0, [80, 80])
  sign = -1 if rule else 1
  results, _ = _judged(
    tmp_path, sign * score, y, normal=sign * normal, higher_is_normal=bool(rule)
  )
  value = results['replicas'][0]['metrics']['f1_at_normal_quantile']
  flagged = score > np.quantile(normal, 0.95)
  assert value == pytest.approx(by_hand.f1(flagged, y), abs=1e-9)
  assert not any('far below' in line for line in results['warnings'])
  assert results['score']['turned_round'] == bool(rule)


@pytest.mark.parametrize(
  'turned,mend', [(False, '--higher-is-normal turns'), (True, 'Leave out')]
)
def test_scores_that_are_turned_round_are_doubted(turned, mend, tmp_path):
  _, y, _ = _videos(0, [80, 80])
  score = y * 1.0 if turned else -1.0 * y
  results, _ = _judged(tmp_path, score, y, higher_is_normal=turned)
  (line,) = [x for x in results['warnings'] if 'far below' in x]
  assert mend in line


def test_labels_alone_have_null_predictors(tmp_path):
  _, y, _ = _videos(1, [50, 70])
  results, scored = _judged(tmp_path, None, y, video_lengths='50,70')
  assert results['headline'] == 'random' and len(scored) == 2 + 3
  assert set(results['baselines']) == {
    'constant',
    'all_positive',
    'frame_position',
  }
  assert results['baselines']['constant']['auroc']['mean'] == 0.5
  flag_all = results['baselines']['all_positive']
  assert flag_all['f1_at_normal_quantile'] == flag_all['f1_all_positive']
  assert (
    flag_all['event_f1']['mean'] == flag_all['event_f1_all_positive']['mean']
  )
  assert results['methods']['random']['auroc']['n'] == 2
  assert results['dataset']['score_sha256'] is None


@pytest.mark.parametrize('label', [0, 1])
def test_one_class_alone_is_judged_and_says_what_is_undefined(label, tmp_path):
  results, _ = _judged(tmp_path, np.arange(5.0), np.full(5, label))
  metrics = results['replicas'][0]['metrics']
  assert metrics['auroc'] is None and metrics['base_rate'] == label
  assert 'undefined' in results['warnings'][0]
  (line,) = [x for x in verdict.undefined(results) if x.startswith('AUROC')]
  assert 'every one of the 5 test samples is' in line
  json.dumps(results, allow_nan=False)


def test_reasons_name_the_flags(tmp_path):
  score, y, _ = _videos(2, [60, 60])
  results, _ = _judged(tmp_path, score, y, video_lengths='60,60')
  text = ' '.join(verdict.undefined(results))
  assert 'give --normal' in text and 'eval.' not in text
  assert 'there are no validation normals' in text
  assert '1 validation' not in text
  results, _ = _judged(
    tmp_path, score, y, video_lengths='120', normal=np.arange(99.0)
  )
  text = ' '.join(verdict.undefined(results))
  assert 'give --frame-rate' in text and 'give --normal-video-len' in text


def test_what_makes_numbers_doubtful(tmp_path):
  y = np.r_[np.zeros(10, int), np.ones(10, int), np.zeros(10, int)]
  score = np.r_[np.linspace(0, 0.4, 10), np.full(20, 0.5)]
  results, _ = _judged(tmp_path, score, y, video_lengths='20,10')
  text = '\n'.join(results['warnings'])
  assert 'Frame position, which sees no sample' in text
  assert 'Flag all' not in text
  assert 'All scores are equal in "2"' in text
  assert 'Many samples have the same score' in text
  assert 'every scored frame is normal ("2")' in ' '.join(
    verdict.undefined(results)
  )


@pytest.mark.parametrize(
  'labels,lengths',
  [
    ('frame_labels_avenue.npy', 'avenue_clip_lengths.json'),
    ('frame_labels_shanghai.npy', 'shanghaitech_clip_lengths.json'),
  ],
)
@pytest.mark.slow
def test_released_labels(shared, labels, lengths, tmp_path):
  """Scores are made up; of ranks, as all pairs of frames would be too many."""
  folder = shared / 'data' / 'labels_only'
  y = np.load(folder / labels).ravel().astype(bool)
  counts = list(json.loads((folder / lengths).read_text()).values())
  score = np.random.default_rng(0).normal(size=len(y)) + y
  inputs.written(tmp_path, {'s.npy': inputs.npy(score)})
  flags = given.Options(
    scores=str(tmp_path / 's.npy'),
    labels=str(folder / labels),
    video_lengths=str(folder / lengths),
    settings={'bootstrap': 0},
  )
  results, _ = verdict.judge(given.read(flags), flags)

  def by_ranks(values):
    assert len(np.unique(values)) > len(values) - 2 * len(counts)
    _, place, ties = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(ties) - (ties - 1) / 2)[place]
    positives = y.sum()
    wins = rank[y].sum() - positives * (positives + 1) / 2
    return wins / positives / (~y).sum()

  metrics = results['replicas'][0]['metrics']
  for name, value in (
    ('auroc', by_ranks(score)),
    ('auroc_normalised', by_ranks(by_hand.normalised(score, counts))),
    ('auroc_macro', by_hand.macro(score, y, counts)),
    ('base_rate', y.mean()),
    ('f1_at_ratio', by_hand.f1(by_hand.top(score, int(y.sum())), y)),
  ):
    assert metrics[name] == pytest.approx(value, abs=1e-9), name
  order = np.argsort(-score)
  precision = np.cumsum(y[order]) / np.arange(1, len(y) + 1)
  expected = precision[y[order]].mean()
  assert metrics['average_precision'] == pytest.approx(expected, abs=1e-9)
  assert results['videos']['videos'] == len(counts)
