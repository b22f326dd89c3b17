"""What results say of data, speed and error maps."""

import types

import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.evaluation.results import describe
from memae_jax.training import experiment
from tests import helpers
from tests.evaluation import stand_ins


def test_a_pause_is_no_training():
  times = [0, 1, 2, 3, 1000, 1001, 1002]
  events = [
    {'split': 'train', 'step': 10 * i, 'time': t} for i, t in enumerate(times)
  ]
  exp = types.SimpleNamespace(
    config=config_lib.resolve(stand_ins.CONFIG),
    replicas=(0,),
    programs=types.SimpleNamespace(name='resident', resident_bytes=9),
  )
  speed = describe.training_speed(exp, events)
  assert speed['training_seconds'] == 15
  assert speed['fleet_steps_per_second'] == 10


def test_notes_of_differing_splits_are_joined():
  assert describe.over_splits([3, 3]) == 3
  assert describe.over_splits([3, 5]) == {'min': 3, 'max': 5}
  assert describe.over_splits([['a'], ['b', 'a']]) == ['a', 'b']
  assert describe.over_splits([{'a': 1}, {'a': 1, 'b': 2}]) == {
    'a': 1,
    'b': {'min': 0, 'max': 2},
  }


def test_error_maps_are_of_the_samples_with_a_mask():
  exp = stand_ins.experiment_of_images(np.zeros((6, 4, 5), bool))
  facts = describe.error_maps(exp)
  assert facts['samples'] == {'min': 4, 'max': 4}
  assert facts['ranking'] == 'exact'
  assert describe.error_maps(stand_ins.experiment_of_images()) is None


def test_areas_of_defects_are_said_in_pixels():
  exp = stand_ins.experiment_of_images()
  assert describe.defects(exp) is None
  area = {'eval': {'defect_area': 0.2}}
  exp.config = config_lib.resolve(stand_ins.CONFIG | area)
  assert describe.defects(exp) == {
    'area_share': 0.2,
    'picture': [4, 5],
    'areas': {'_quarter': 1, '': 4, '_fourfold': 16},
    'validation': {'min': 1, 'max': 1},
    'published': None,
  }


@pytest.mark.parametrize(
  'value,text',
  [(0.95, '95%'), (2 / 3, '66.7%'), (0.995, '99.5%'), (0.9995, '99.95%'),
   (0.99999, '99.999%'), (1, '100%'), (0.07, '7%'), (0.00001, '0.001%')],
)  # fmt: skip
def test_a_quantile_of_almost_all_is_not_all(value, text):
  assert describe.percent(value) == text


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


def test_results_say_that_the_training_samples_are_dirty():
  exp = experiment.build(
    helpers.digits(**{'data.pollution': 0.1, 'fleet.normal_classes': (3,)})
  )
  facts = describe.dataset(exp)
  (line,) = [line for line in facts['warnings'] if 'pollution' in line]
  assert '10% of the training and validation samples are anomalies' in line
  assert 'Then 10% of the samples for training' in facts['description']
  count = int((exp.source.labels[exp.splits[0].train] != 3).sum())
  assert facts['notes']['training_anomalies'] == count > 9
  assert len(facts['notes']['training_anomaly_classes']) > 2
