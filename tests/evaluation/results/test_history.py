"""The course of the metrics over training."""

import json

from memae_jax.evaluation.results import history


def _results(step, auroc, **score):
  return {
    'dataset': {'data_sha256': 'a', 'trained_on': None},
    'checkpoint': {'step': step},
    'score': score,
    'replicas': [{'name': 'memae', 'metrics': {'auroc': auroc}}],
  }


def _store(workdir, results):
  path = workdir / 'eval' / str(results['checkpoint']['step']) / 'results.json'
  path.parent.mkdir(parents=True)
  path.write_text(json.dumps(results))


def test_steps_of_one_kind(tmp_path):
  now = _results(8, 0.75, name='mse')
  assert history.stored(tmp_path, now) is None
  _store(tmp_path, _results(2, 0.25, name='psnr'))
  assert history.stored(tmp_path, now) is None
  _store(tmp_path, _results(4, 0.5, name='mse'))
  assert history.stored(tmp_path, now) == {
    'steps': [4, 8],
    'auroc': [[0.5], [0.75]],
  }


def test_results_of_an_earlier_version_are_left_out(tmp_path):
  _store(tmp_path, _results(4, 0.5))
  assert history.stored(tmp_path, _results(8, 0.75, name='mse')) is None


def test_a_torn_evaluation_is_left_out_of_the_course(tmp_path, caplog):
  now = _results(7, 0.75, name='mse')
  for step in (3, 5):
    _store(tmp_path, _results(step, 0.5, name='mse'))
  (tmp_path / 'eval/5/results.json').write_text('{')
  assert history.stored(tmp_path, now)['steps'] == [3, 7]
  (line,) = caplog.messages
  assert 'eval/5/results.json' in line and 'left out of the history' in line
