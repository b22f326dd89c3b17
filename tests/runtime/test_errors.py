"""What a message says of names that are not known."""

import pytest

from memae_jax.runtime import errors


@pytest.mark.parametrize(
  ('name', 'said'),
  [
    ('memea', ' (did you mean "memae"?)'),
    ('zzz', ' (known: 7, ae, memae)'),
    (8, ' (known: 7, ae, memae)'),
  ],
)
def test_the_closest_name_or_all_of_them(name, said):
  assert errors.did_you_mean(name, ['memae', 'ae', 7]) == said


def test_each_end_has_its_exit_code():
  kinds = errors.UserError, errors.TrainingDiverged, errors.Preempted
  assert len({kind.exit_code for kind in kinds} - {0, 1}) == 3


def test_errors_of_python_calls_are_both_kinds():
  with pytest.raises(ValueError, match='^mend it$') as caught:
    with errors.as_value_errors():
      raise errors.TrainingDiverged('mend it')
  assert isinstance(caught.value, errors.UserError)
  assert not isinstance(errors.UserError('x'), ValueError)
