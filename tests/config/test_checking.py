"""Configs that are refused, with the name of the field."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax import config as config_lib
from memae_jax.runtime import errors

NAMES = sorted(config_lib.flatten(config_lib.default().to_dict()))


@given(
  st.sampled_from(NAMES),
  st.sampled_from(
    [None, object(), {}, {'a': 1}, b'x', float('nan'), float('inf'), [[]]]
  ),
)
@settings(max_examples=200, deadline=None)
def test_nonsense_is_refused_by_name(name, value):
  *path, last = name.split('.')
  config = tree = {}
  for key in path:
    tree[key] = {}
    tree = tree[key]
  tree[last] = value
  with pytest.raises(errors.UserError, match=name.replace('.', r'\.')):
    config_lib.resolve(config)


@pytest.mark.parametrize(
  'model,words',
  [
    ({'kernels': (3,)}, 'model.kernels.*"dense" does not read it'),
    ({'network': 'conv', 'code': 8}, 'model.code" is 8'),
  ],
)
def test_fields_that_the_network_does_not_read(model, words):
  with pytest.raises(errors.UserError, match=words):
    config_lib.resolve({'model': model, 'fleet': {'normal_classes': (0,)}})


def test_repeated_axis_values_are_refused():
  with pytest.raises(errors.UserError, match='fleet.slots.*repeats'):
    config_lib.resolve({'fleet': {'slots': (5, 5), 'normal_classes': (0,)}})


@pytest.mark.parametrize(
  ('bank', 'words'),
  [
    ({'also': ('blur_unit',)}, 'also" is .* features "blur_unit": a kind rep'),
    ({'also': ('raw', 'raw')}, 'also" is .*: a kind repeats'),
    ({'shares': (2.0,)}, 'shares" is .2.0,., but the bank has 1 kind of feat'),
    ({'also': ('raw',), 'shares': (2.0,)}, 'has 2 kinds of features .*; give'),
    ({'also': ('raw',), 'shares': (2.0, 0.0)}, 'shares" is .* greater than 0'),
    ({'reweight': 1}, 'reweight" is 1, but the nearest slot alone has none'),
    ({'outputs': ('b2', 'b2')}, 'methods.bank.outputs" is .*: a value repeats'),
  ],
)
def test_parts_of_a_bank_that_cannot_be_joined(bank, words):
  fields = {'methods': {'bank': bank}, 'fleet': {'normal_classes': (0,)}}
  with pytest.raises(errors.UserError, match=words):
    config_lib.resolve(fields)


@pytest.mark.parametrize(
  'fields,words',
  [
    ({'input': 'speed'}, '"data.input" is "speed", but data.motion is "none"'),
    ({'motion': 'flow'}, '"frames" does not read it; set that to "motion"'),
    (
      {'input': 'both', 'motion': 'blocks', 'motion_reach': 4},
      'data.motion_reach" is .4,.; give two',
    ),
    (
      {'input': 'both', 'motion': 'flow', 'motion_window': 5},
      'data.motion_window" is 5, but data.motion "flow" does not read it',
    ),
    ({'perspective': 0.5}, 'data.perspective" is 0.5, but data.motion "none"'),
    ({'motion_box': 4}, 'data.motion_box" is 4, but must be odd'),
  ],
)
def test_fields_of_motion_that_do_not_fit(fields, words):
  with pytest.raises(errors.UserError, match=words):
    config_lib.resolve({'data': fields, 'fleet': {'normal_classes': (0,)}})


def test_the_task_decides_which_frame_is_scored():
  config = {'data': {'clip_frames': 5}, 'fleet': {'normal_classes': (0,)}}
  data = config_lib.data_of(config_lib.resolve(config))
  assert (data.scored, data.clip_frames) == ('middle', 5)
  predicts = config_lib.resolve(config | {'model': {'task': 'predict'}})
  assert config_lib.data_of(predicts).scored == 'last'


@pytest.mark.parametrize('limits', [(1.0,), (0.0, 1.0, 2.0), (1, 0), (1, 1)])
def test_ranges_of_noisy_inputs(limits):
  with pytest.raises(errors.UserError, match='noise_range" is .*; give two nu'):
    config_lib.resolve(
      {'train': {'noise_range': limits}, 'fleet': {'normal_classes': (0,)}}
    )
