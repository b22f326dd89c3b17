"""A figure as a file."""

import base64

import matplotlib.figure
import pytest

from memae_jax.evaluation.report import figure


def _figure(vector):
  drawn = matplotlib.figure.Figure((1, 1))
  drawn.subplots().plot([0, 1])
  return figure.Figure('name', 'section', 'Title?', 'Caption.', drawn, vector)


@pytest.mark.parametrize(
  ('vector', 'suffix', 'kind', 'begins'),
  [(True, 'svg', 'svg+xml', b'<?xml'), (False, 'png', 'png', b'\x89PNG')],
)
def test_the_same_bytes_every_time(vector, suffix, kind, begins):
  one, two = _figure(vector), _figure(vector)
  assert one.suffix == suffix and one.data.startswith(begins)
  assert one.data == two.data
  start, _, content = one.uri.partition(',')
  assert start == f'data:image/{kind};base64'
  assert base64.b64decode(content) == one.data
