"""Damaged copies of files and of values, as disks and people leave them."""

import os
import random

COUNT = 2000 if os.environ.get('MEMAE_TEST_THOROUGH') == '1' else 150
_KINDS = ('missing', 'null', 'text', 'list', 'object', 'huge', 'tiny', 'true')


def of_bytes(data: bytes, rng: random.Random) -> bytes:
  """Torn, overwritten, or with a part of it gone or twice."""
  at, kind = rng.randrange(len(data)), rng.randrange(5)
  many = rng.randint(1, 40)
  if kind == 0:
    return data[:at]
  if kind == 1:
    return data[:at] + rng.randbytes(many) + data[at + many :]
  if kind == 2:
    return data[:at] + b'\0' * many + data[at + many :]
  if kind == 3:
    return data[:at] + data[at + many :]
  return data[: at + many] + data[at:]


def of_value(value, rng: random.Random):
  """A value of which one part is of another kind, or gone."""
  places = []

  def walk(node):
    keys = node if isinstance(node, dict) else range(len(node))
    for key in keys:
      places.append((node, key))
      if isinstance(node[key], (dict, list)):
        walk(node[key])

  walk(value)
  node, key = rng.choice(places)
  kind = rng.choice(_KINDS)
  if kind == 'missing':
    del node[key]
    return value
  node[key] = {
    'null': None,
    'text': '=1+1',
    'list': [node[key]],
    'object': {'min': 'a', 'max': 2},
    'huge': rng.choice([1e99, -1e300, 10**30]),
    'tiny': -1e-300,
    'true': True,
  }[kind]
  return value
