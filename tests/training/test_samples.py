"""Facts on the samples that a network takes."""

import json
import types as python_types

import numpy as np

from memae_jax.data import types
from memae_jax.training import samples


def _source(**fields):
  source = types.Source('x', np.zeros((5, 3)), np.zeros(5, int), ('a',))
  return source._replace(**fields)


def test_inputs_are_json():
  columns = types.Column('size'), types.Column('kind', ('a', 'b'))
  facts = samples.inputs(_source(columns=columns))
  assert json.loads(json.dumps(facts)) == facts
  assert facts['shape'] == [3] and facts['dtype'] == 'float64'
  assert len(facts['names']) == 3


def test_each_warning_is_said_once():
  split = lambda *lines: python_types.SimpleNamespace(warnings=lines)
  source = _source(warnings=('odd', 'few'))
  lines = samples.warnings(source, [split('few', 'none'), split('none')])
  assert lines == ('odd', 'few', 'none')
