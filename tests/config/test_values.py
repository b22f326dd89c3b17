"""Values of several members, as people write them on the command line."""

import ast

import pytest

from memae_jax import config as config_lib
from memae_jax.config import values
from memae_jax.runtime import errors

# What is written -> what is meant, of labels, columns and films.
NAMES = {
  '1': ('1',),
  '1,2': ('1', '2'),
  '(1,2)': ('1', '2'),
  '[1, 2]': ('1', '2'),
  '01': ('01',),
  '01,02': ('01', '02'),
  '(01, 02)': ('01', '02'),
  '007': ('007',),
  '1.0': ('1.0',),
  '1.0,2.50': ('1.0', '2.50'),
  '-1': ('-1',),
  '1e3': ('1e3',),
  '0x1F': ('0x1F',),
  '1_000': ('1_000',),
  'ok': ('ok',),
  'ok,good': ('ok', 'good'),
  'ok, good': ('ok', 'good'),
  '(ok, good)': ('ok', 'good'),
  "('ok',)": ('ok',),
  "('ok','good')": ('ok', 'good'),
  '["ok", "good"]': ('ok', 'good'),
  '"ok"': ('ok',),
  "'a,b'": ('a,b',),
  "('a,b', 'c')": ('a,b', 'c'),
  "'a,b',c": ('a,b', 'c'),
  "('1', '2')": ('1', '2'),
  "'007'": ('007',),
  "l'eau, d'or": ("l'eau", "d'or"),
  '5" disc': ('5" disc',),
  'not ok': ('not ok',),
  'not ok,ok': ('not ok', 'ok'),
  'Sensor #1,Sensor #2': ('Sensor #1', 'Sensor #2'),
  'size (mm, cm),weight': ('size (mm, cm)', 'weight'),
  'price [EUR]': ('price [EUR]',),
  '(a),(b)': ('(a)', '(b)'),
  ':(,x': (':(', 'x'),
  'Ja/Nein': ('Ja/Nein',),
  'a-b': ('a-b',),
  'v1.mp4,v2.mp4': ('v1.mp4', 'v2.mp4'),
  'größe,gewicht': ('größe', 'gewicht'),
  'True': ('True',),
  'None': ('None',),
  '()': (),
  '[]': (),
  '': (),
  '1,': ('1',),
  "('',)": ('',),
}
VARIANTS = {
  'memae,ae': ('memae', 'ae'),
  'memae': ('memae',),
  'memae+ae': ('memae', 'ae'),
  'memae ae': ('memae', 'ae'),
  "('memae', 'ae')": ('memae', 'ae'),
  '[memae,ae]': ('memae', 'ae'),
}
NUMBERS = {
  '16': (16,),
  '16,8': (16, 8),
  '(16, 8)': (16, 8),
  '[16,8]': (16, 8),
  '16 8': (16, 8),
  '16+8': (16, 8),
  '(16,)': (16,),
  "('16','8')": (16, 8),
}
RATES = {'1e-4,1e-3': (1e-4, 1e-3), '1e+4': (1e4,), '.5': (0.5,), '1': (1.0,)}
TABLE = [
  (field, text, meant)
  for field, table in (
    ('data.normal_labels', NAMES),
    ('data.drop_columns', NAMES),
    ('fleet.variants', VARIANTS),
    ('model.widths', NUMBERS),
    ('fleet.learning_rates', RATES),
  )
  for text, meant in table.items()
]


@pytest.mark.parametrize('field, text, meant', TABLE)
def test_what_is_written_is_what_is_meant(field, text, meant):
  read = ast.literal_eval(values.literal(field, text))
  assert config_lib.find(field).convert(read) == meant


@pytest.mark.parametrize(
  'field, text, words',
  [
    ('data.normal_labels', 'a,,b', 'nothing between two commas'),
    ('data.normal_labels', "('a, b)", 'does not close'),
  ],
)
def test_what_cannot_be_divided(field, text, words):
  with pytest.raises(errors.UserError, match=f'"{field}".*{words}'):
    values.literal(field, text)


@pytest.mark.parametrize('text', ['wide', '16,x', 'nan', '1.5', '((1,2))'])
def test_what_is_no_number(text):
  read = ast.literal_eval(values.literal('model.widths', text))
  with pytest.raises(ValueError, match='must be'):
    config_lib.find('model.widths').convert(read)


@pytest.mark.parametrize('letter', ['(', '[', ')', "'", ','])
@pytest.mark.parametrize('field', ['data.normal_labels', 'model.widths'])
def test_ever_more_brackets(field, letter):
  text = letter * 100_000
  try:
    read = ast.literal_eval(values.literal(field, text))
    config_lib.find(field).convert(read)
  except (errors.UserError, ValueError) as error:
    assert len(str(error)) < 1000


def test_a_field_of_one_value_is_left_alone():
  assert values.literal('data.label_column', '1,2') == '1,2'


@pytest.mark.parametrize(
  'value, meant',
  [
    ('ok', ('ok',)),
    ('ok, good', ('ok', 'good')),
    (('a,b',), ('a,b',)),
    ((1, 2), ('1', '2')),
    ((1.5, True), ('1.5', 'True')),
    (1, ('1',)),
    (['ok'], ('ok',)),
  ],
)
def test_in_a_config_file(value, meant):
  resolved = config_lib.filled({'data': {'normal_labels': value}})
  assert resolved.data.normal_labels == meant
