import types

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax.evaluation.scoring import collect
from memae_jax.methods import base
from memae_jax.training import fleet, step


def test_all_calls_score_one_structure_of_weights():
  seen = []

  def score(weights, rows, wanted=(), label=''):
    seen.append(jax.tree.structure(weights))
    return base.Prediction({'mse': np.zeros((1, len(rows[0])))})

  best = step.Best({'w': np.ones(1)}, {}, np.array([7]), np.zeros(1))
  state = step.ReplicaState({'w': np.zeros(1)}, {}, {}, best)
  config = config_lib.resolve(
    {
      'data': {'name': 'digits'},
      'fleet': {'normal_classes': (0,), 'variants': ('ae',)},
      'eval': {'checkpoint': 'validation'},
    }
  )
  table = types.SimpleNamespace(
    inputs=np.zeros((9, 2)),
    labelled=True,
    masks=None,
    has_images=False,
    videos=None,
  )
  split = types.SimpleNamespace(
    train=np.arange(0),
    test=np.arange(4),
    validation=np.arange(2),
    anomalous=np.arange(4) > 2,
  )
  exp = types.SimpleNamespace(
    config=config,
    source=table,
    replicas=fleet.replicas(config),
    splits=[split],
    rule='mse',
    map_rule='mse',
    fitting_rules=('mse',),
    programs=types.SimpleNamespace(
      init=lambda: state,
      score=score,
      warm_up=lambda *_: None,
      to_host=jax.device_get,
      is_large=False,
    ),
  )
  collect.untrained(exp)
  scored, _, _ = collect.networks(exp, *collect.select_weights(exp, state, 9))
  assert len(seen) >= 4 and len(set(seen)) == 1
  assert scored[0].step == 7


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
