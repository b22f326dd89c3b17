"""Studies on a base that is an argument."""

import types

import pytest

from memae_jax.runtime import errors
from memae_jax.studies import bases, grid
from tests import helpers


def _arguments(**changes):
  fields = {**bases.ARGUMENTS, 'smoke': False, **changes}
  return types.SimpleNamespace(**fields)


def test_only_what_is_given_changes_the_base():
  points = grid.sweep('slots', (3, 5))
  study = bases.on(_arguments(), points)
  assert study.fields == {} and study.metric == 'auroc'
  assert study.base == '../digits.py:variant=memae'
  study = bases.on(
    _arguments(base='kddcup99', smoke=True, classes=2, epochs=0.5), points
  )
  assert study.base == '../kddcup99.py:variant=memae,smoke'
  assert study.metric == 'f1_at_ratio' and study.points == points
  assert study.fields == {'fleet.normal_classes': (0, 1), 'train.epochs': 0.5}


def test_each_base_is_a_config():
  for name in bases.METRICS:
    assert (helpers.ROOT / 'configs' / f'{name}.py').is_file()


def test_an_unknown_base():
  with pytest.raises(errors.UserError, match='"base" is "digit"; use digits, '):
    bases.on(_arguments(base='digit'), [])
