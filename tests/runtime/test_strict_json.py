"""JSON of others: what cannot be computed with is refused by its place."""

import json

import numpy as np
import pytest

from memae_jax.runtime import errors, strict_json
from memae_jax.runtime.strict_json import Maybe


@pytest.mark.parametrize(
  'text,value',
  [
    (b'{"a": [1, -0.5, null, true, "x"]}', {'a': [1, -0.5, None, True, 'x']}),
    (b'\xef\xbb\xbf{"a": 1}', {'a': 1}),  # As editors of Windows save it.
    (b'\r\n {"a":\t1e3}\n', {'a': 1000.0}),
    ('{"a": "größe"}'.encode(), {'a': 'größe'}),
    (b'"\\ud83d\\ude00"', '😀'),
    (b'"\\u00e4"', 'ä'),
    (b'"a\\\\ud800"', 'a\\ud800'),
    (b'12345678901234567890123', 12345678901234567890123),
    (b'[' * 40 + b']' * 40, None),
  ],
)
def test_what_json_says(text, value):
  found = strict_json.loads(text)
  assert found == (json.loads(text) if value is None else value)


@pytest.mark.parametrize(
  'text,words',
  [
    (b'', 'Expecting value'),
    (b'{"a": 1', 'Expecting'),
    (b'{"a": 1}}', 'Extra data'),
    (b'\0\0\0\0', 'Expecting value'),
    (b'{"a": NaN}', 'not a finite number'),
    (b'[-Infinity]', 'not a finite number'),
    (b'[1e400]', '1e400 is not a finite number'),
    (b'"\xff"', 'decode'),
    ('{"a": 1}'.encode('utf-16'), 'decode'),
    (b'"\\ud800"', 'half a character'),
    (b'[' * 100_000, 'too deep'),
    (b'[' * 60 + b']' * 60, 'too deep'),
    (b'1' * 5000, 'limit'),
  ],
)
def test_what_is_refused(text, words):
  with pytest.raises(ValueError, match=words):
    strict_json.loads(text)


_SHAPE = {
  'name': str,
  'n?': int,
  'runs': [{'score': Maybe(float), 'ends?': (float, float)}],
  'any?': object,
}


@pytest.mark.parametrize(
  'value',
  [
    {'name': 'a', 'runs': []},
    {'name': 'a', 'runs': [{'score': 1}, {'score': None}], 'n': 3},
    {'name': '', 'runs': [{'score': 0.5, 'ends': [0, 1]}], 'any': [{}]},
    {'name': 'a', 'runs': [], 'more': 1e300},
  ],
)
def test_shapes_that_fit(value):
  strict_json.check(value, _SHAPE)


@pytest.mark.parametrize(
  'value,words',
  [
    ([], '^it is not an object'),
    (None, '^it is not an object'),
    ({'runs': []}, '^name is missing'),
    ({'name': 1, 'runs': []}, '^name is not text'),
    ({'name': 'a', 'runs': {}}, '^runs is not a list'),
    ({'name': 'a', 'runs': [{}]}, '^runs.0.score is missing'),
    ({'name': 'a', 'runs': [{'score': '1'}]}, '^runs.0.score is not a number'),
    ({'name': 'a', 'runs': [{'score': True}]}, '^runs.0.score is not a number'),
    ({'name': 'a', 'runs': [{'score': 1e200}]}, '^runs.0.score is too large'),
    ({'name': 'a', 'runs': [{'score': 10**400}]}, '^runs.0.score is too large'),
    ({'name': 'a', 'runs': [], 'n': 1.5}, '^n is not a whole number'),
    ({'name': 'a', 'runs': [], 'n': None}, '^n is not a whole number'),
    (
      {'name': 'a', 'runs': [{'score': 1, 'ends': [1]}]},
      '^runs.0.ends has 1 values, not 2',
    ),
  ],
)
def test_shapes_that_do_not_fit(value, words):
  with pytest.raises(ValueError, match=words):
    strict_json.check(value, _SHAPE)


def test_named_keys_beside_all_others():
  shape = {'step': int, str: float}
  strict_json.check({'step': 1, 'loss': 0.5}, shape)
  with pytest.raises(ValueError, match='loss is not a number'):
    strict_json.check({'step': 1, 'loss': 'x'}, shape)


def test_a_file_is_named_with_its_mend(tmp_path):
  path = tmp_path / 'r.json'
  with pytest.raises(FileNotFoundError):
    strict_json.load(path, dict, 'list of runs', 'make it again')
  path.write_bytes(b'[1]')
  with pytest.raises(
    errors.UserError,
    match=r'r.json is no readable list of runs \(it is not an object\); make',
  ):
    strict_json.load(path, dict, 'list of runs', 'make it again')
  with path.open('wb') as file:
    file.truncate(2**28 + 1)  # Takes no room on the disk.
  with pytest.raises(errors.UserError, match='r.json has 268,435,457 bytes'):
    strict_json.load(path, dict, 'list of runs', 'make it again')


def test_values_of_numpy_are_written_as_those_of_json():
  values = {1: (np.float32(0.5), [np.int64(2)]), 'a': np.bool_(True)}
  assert strict_json.plain(values) == {'1': [0.5, [2]], 'a': True}
