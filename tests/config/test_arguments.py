"""Words after the colon of a config."""

import pytest

from memae_jax.config import arguments
from memae_jax.runtime import errors

DEFAULTS = {
  'slots': 50,
  'epochs': 2.0,
  'variant': 'memae',
  'sizes': (1, 2),
  'names': (),
  'plain': False,
}


@pytest.mark.parametrize(
  ('arg', 'meant'),
  [
    (None, {}),
    ('', {}),
    ('slots=7', {'slots': 7}),
    ('epochs=3', {'epochs': 3.0}),
    ('variant=ae+vae', {'variant': 'ae+vae'}),
    ('sizes=3+4,names=a', {'sizes': (3, 4), 'names': ('a',)}),
    ('plain', {'plain': True}),
    ('plain=1,plain=False', {'plain': False}),
    ('smoke', {'smoke': True}),
  ],
)
def test_values_have_the_type_of_their_default(arg, meant):
  parsed = arguments.parse_arg(arg, **DEFAULTS).to_dict()
  assert parsed == {**DEFAULTS, 'smoke': False, **meant}
  assert all(type(parsed[key]) is type(value) for key, value in meant.items())


@pytest.mark.parametrize(
  ('arg', 'words'),
  [
    ('slot=7', 'argument "slot" is unknown .did you mean "slots"'),
    ('slots=7.5', 'argument "slots": "7.5" is not a int'),
    ('slots=True', 'is not a int'),
    ('slots', 'argument "slots": "" is not a int'),
    ('sizes=3+x', 'argument "sizes": "3.x" is not a tuple'),
    ('plain=yes', 'argument "plain": "yes" is not a bool'),
    ('epochs=' + '(' * 9999, 'argument "epochs"'),
  ],
)
def test_words_that_mean_nothing(arg, words):
  with pytest.raises(errors.UserError, match=words) as refusal:
    arguments.parse_arg(arg, **DEFAULTS)
  assert len(str(refusal.value)) < 300


def test_other_words_win_over_smoke():
  smoke = {'slots': 5, 'epochs': 0.5}
  parsed = arguments.parse_arg('slots=7,smoke', smoke, **DEFAULTS)
  assert (parsed.slots, parsed.epochs, parsed.smoke) == (7, 0.5, True)
  assert arguments.parse_arg('', smoke, **DEFAULTS).epochs == 2.0
