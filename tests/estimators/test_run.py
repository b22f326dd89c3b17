import numpy as np
import pytest

import memae_jax
from memae_jax import config as config_lib
from memae_jax.training import experiment
from tests import helpers


@pytest.mark.slow
def test_a_run_from_python(tmp_path):
  """And its replicas, which share a program with larger memories."""
  config = helpers.digits(
    **{
      'fleet.variants': ('ae', 'memae'),
      'fleet.slots': (10, 5),
      'fleet.normal_classes': (1,),
      'train.epochs': 1.0,
    }
  )
  fields = config_lib.flatten(config.to_dict())
  run = memae_jax.train(fields, tmp_path / 'run', verbose=0)
  assert run.results['checkpoint']['step'] > 0
  assert run.report().path.is_file()
  page = run.report()._repr_html_()  # What a notebook calls.
  assert page.startswith('<iframe') and '&lt;' in page
  exp = experiment.build(config_lib.load(tmp_path / 'run' / 'config.json'))
  for name, method in (('ae/slots=10', 'AE'), ('memae/slots=5', 'MemAE')):
    scores = run.scores[name]
    assert scores['score'].shape == scores['anomalous'].shape
    found = run.detector(name)
    assert type(found) is getattr(memae_jax, method)
    images = exp.source.inputs[scores['sample'][:30]]
    np.testing.assert_allclose(
      found.anomaly_score(images), scores['score'][:30], 1e-5
    )
  slots = found.fitted_.state['params']['bank']['slots']
  assert slots.shape[:2] == (1, 5)
  again = memae_jax.Run(tmp_path / 'run')
  assert again.results == run.results
  # A cell of a notebook that runs again: all is there.
  written = (tmp_path / 'run' / 'results.json').stat().st_mtime_ns
  same = memae_jax.train(fields, tmp_path / 'run', verbose=0)
  assert same.results == run.results
  assert (tmp_path / 'run' / 'results.json').stat().st_mtime_ns == written


@pytest.mark.parametrize(
  'config, words',
  [
    ('digitz', 'did you mean'),
    ({'train.epochz': 1}, 'did you mean "epochs"'),
    ({'data': {'name': 'digits', 'protocol': 'one_class'}}, 'normal_classes'),
  ],
)
def test_bad_configs_are_value_errors(config, words, tmp_path):
  with pytest.raises(ValueError, match=words):
    memae_jax.train(config, tmp_path, verbose=0)


def test_a_folder_without_a_run(tmp_path):
  with pytest.raises(ValueError, match='results.json does not exist; train'):
    memae_jax.Run(tmp_path)
