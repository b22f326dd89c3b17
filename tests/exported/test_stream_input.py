"""Samples are read from pipes line by line; broken ones are left out."""

import io

import numpy as np
import pytest

from memae_jax.exported import stream_input
from memae_jax.runtime import errors
from tests import exports

_TABLE = {'kind': 'table', 'columns': [{'name': 'a'}, {'name': 'b c'}]}
_VIDEO = {'kind': 'clips'}


def _read(content, meta=_TABLE, **how):
  return list(stream_input.samples(io.BytesIO(content), meta, **how))


def _shown(samples):
  return [str(x) if isinstance(x, errors.UserError) else x for x in samples]


@pytest.mark.parametrize(
  ('content', 'rows'),
  [
    (b'a,b c,d\n1, x ,2\n\n3,"y,z",4\n',
     [{'a': '1', 'b c': 'x', 'd': '2'}, {'a': '3', 'b c': 'y,z', 'd': '4'}]),
    (b'\xef\xbb\xbfb c;a\r\n1,5;2;\r\n', [{'b c': '1,5', 'a': '2'}]),
    (b'{"a": 1, "b c": null}\n{"a": "x"}', [{'a': 1, 'b c': None}, {'a': 'x'}]),
    (b'', []),
    (b'\n\n', []),
  ],
)  # fmt: skip
def test_rows(content, rows):
  assert _read(content) == rows


def test_broken_rows_stand_for_themselves():
  lines = [
    'a,b c', '1,2,3', '1,"2', '1,\xe9', 'x' * 2**20 + '\n' + 'y', '1,2',
  ]  # fmt: skip
  found = _shown(_read('\n'.join(lines).encode('latin-1')))
  for line, words in zip(
    found,
    (
      'a line has 3 cells, but the header has 2',
      'a line is no readable csv (unexpected end of data)',
      'a line is not text of utf-8',
      'a line has more than 1048576 bytes',
      'a line has 1 cells',
    ),
  ):
    assert words in line
  assert found[5:] == [{'a': '1', 'b c': '2'}]
  found = _shown(_read(b'{"a": 1}\n{"a"\n[1]\n{"a": NaN}\n{}\n'))
  assert found[0] == {'a': 1} and found[4] == {}
  assert all('a line is no object of JSON' in line for line in found[1:4])


def test_latin_text_of_the_training_table():
  meta = _TABLE | {'encoding': 'latin-1', 'separator': 'blank'}
  meta['columns'] = [{'name': 'a'}, {'name': 'b'}]
  assert _read(b'a  b\n1 \xe9\n', meta) == [{'a': '1', 'b': '\xe9'}]


@pytest.mark.parametrize(
  ('content', 'how', 'message'),
  [
    (b'1,2\n', {}, 'the first line is numbers'),
    (b'a,b\n', {}, 'has no column "b c".*must name the columns'),
    (b'a,a\n', {}, 'two columns have the name "a"'),
    (b'\xff\n', {}, 'not text of utf-8'),
    (b'x' * 2**21, {}, 'more than 1048576 bytes'),
    (b'', {'raw': '2x2'}, '--size is of raw frames, but'),
    (b'', {'raw': '2', 'meta': _VIDEO}, '--size is "2"; give WIDTHxHEIGHT'),
    (b'', {'raw': '0x4', 'meta': _VIDEO}, '--size is "0x4"'),
  ],
)
def test_streams_that_are_refused(content, how, message):
  exports.refused(message, lambda: _read(content, **how))


def test_paths_may_be_any_names():
  assert _read(b'a b.png\r\n\nlatin\xe9.png', _VIDEO) == [
    'a b.png', 'latin\udce9.png',
  ]  # fmt: skip


def test_raw_frames_and_the_part_of_one():
  content = bytes(range(2 * 3 * 2 * 3 + 4))
  *frames, rest = _read(content, _VIDEO, raw='3x2')
  want = np.arange(36, dtype=np.uint8).reshape(2, 2, 3, 3)
  np.testing.assert_array_equal(np.stack(frames), want)
  assert 'the stream ends within a frame: 4 of 18 bytes' in str(rest)
  (frame,) = _read(content[:6], _VIDEO, raw='3x2', pixels='gray')
  assert frame.shape == (2, 3, 1)


def test_lines_come_as_soon_as_they_arrive():
  """Not when a block of them is full."""

  class Pipe(io.RawIOBase):
    parts = [b'a,b c\n1,', b'2\n3', b',4\n']

    def readable(self):
      return True

    def readinto(self, buffer):
      part = self.parts.pop(0) if self.parts else b''
      buffer[: len(part)] = part
      return len(part)

  pipe = Pipe()
  rows = stream_input.samples(io.BufferedReader(pipe), _TABLE)
  assert next(rows) == {'a': '1', 'b c': '2'} and len(pipe.parts) == 1
  assert next(rows) == {'a': '3', 'b c': '4'}
