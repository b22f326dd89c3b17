"""Sentences and warnings of the head of the report."""

import copy

import pytest

from memae_jax.evaluation.report import findings


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
def test_what_is_said_of_the_variance_explained(
  digits, explained, worse, little
):
  results = copy.deepcopy(digits['results'])
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


@pytest.mark.parametrize(
  'caught,words',
  [
    (
      0.83,
      'at 1% false alarms, which validation normals alone set, catch 83.0%',
    ),
    (None, 'false alarms catch is undefined: there are too few.'),
  ],
)
def test_what_alarms_at_a_stated_rate_catch(digits, caught, words):
  results = copy.deepcopy(digits['results'])
  summary = results['methods'][results['headline']]
  summary['recall_at_false_alarm'] = {'mean': caught}
  summary['false_alarm_rate'] = {'mean': 0.012}
  for replica in results['replicas']:
    replica['reasons']['recall_at_false_alarm'] = 'there are too few'
  said = ' '.join(findings.sentences(results))
  assert words in said
  assert ('flag 1.2% of the test normals' in said) == (caught is not None)
