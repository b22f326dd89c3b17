"""Cards say what their fleets are: facts and page agree."""

import shlex

import numpy as np
import pytest
from absl import flags

import memae_jax
from memae_jax import config as config_lib
from memae_jax import main
from memae_jax.estimators import fleet_card, released
from tests import helpers

_FLEETS = sorted({name.partition('/')[0] for name in memae_jax.released()})


@pytest.fixture(params=_FLEETS)
def facts(request):
  """Facts of each fleet of the package."""
  return released.facts(request.param, released.place(None))


def test_the_page_is_that_of_the_facts(facts):
  page = fleet_card.page(facts)
  assert page == memae_jax.card(facts['name'])
  for words in ('Apache-2.0', 'would hold training data', '## Intended use'):
    assert words in page
  data = facts['data']['name']
  assert fleet_card.SOURCES[data] == facts['data']['source'] in page
  for rival in facts['baselines'].values():
    assert f'| {rival["label"]} |' in page


def test_means_are_those_of_the_classes(facts):
  for method, told in facts['methods'].items():
    values = [found[method]['auroc'] for found in facts['classes'].values()]
    assert np.isclose(np.mean(values), told['auroc']['mean'])
    assert len(values) == told['auroc']['n']
  for methods in facts['classes'].values():
    for found in methods.values():
      low, high = found['ci95']
      assert low <= found['auroc'] <= high


def test_the_command_makes_that_config(facts, monkeypatch):
  seen = []
  monkeypatch.setattr(main, 'run', lambda: seen.append(flags.FLAGS.config))
  words = shlex.split(facts['run']['command'])
  assert words[:3] == ['python', '-m', 'memae_jax.main']
  words = [w.replace('=configs/', f'={helpers.ROOT}/configs/') for w in words]
  code, _, err = helpers.run(*words[3:])
  assert code == 0, err
  made = fleet_card.without_paths(config_lib.resolve(seen[0]))
  assert made == config_lib.resolve(facts['run']['config'])


def test_a_config_without_a_file_of_the_package():
  config = helpers.digits()
  assert '--config=config.json' in fleet_card.command(config)
