"""The text of a plan."""

import pytest

from memae_jax.planning import table


@pytest.mark.parametrize(
  ('count', 'text'),
  [(1000, '1000 B'), (1024, '1.00 KiB'), (3 * 2**29, '1.50 GiB'),
   (2**53, '8192.00 TiB')],
)  # fmt: skip
def test_sizes(count, text):
  assert table.size(count) == text


def _program(**fields):
  return {
    'bytes': {'parameters': 2048, 'peak': 4096},
    'memory': 2**34,
    'samples': 32,
    'flops': 1.5e9,
    **fields,
  }


def _plan(memory=2**34, **fields):
  return {
    'chip': {'name': 'some chip', 'memory': memory},
    'devices': 8,
    'mesh': {'replica': 2, 'data': 4},
    'replicas': 2,
    'slots': None,
    'steps': 100,
    'feed': 'resident',
    'train': None,
    'score': _program(),
    'others': {},
    **fields,
  }


def test_what_is_not_known_is_a_dash():
  lines = table.text(_plan(memory=None)).splitlines()
  assert lines[0] == '8 x some chip; compiled, not run'
  assert lines[1].startswith('mesh replica 2, data 4; 2 replicas, no slots')
  assert lines[-1] == 'collectives: none known'
  row = {line[:24].strip(): line.split()[-1] for line in lines if line}
  assert row['time of a step at least'] == '-'
  assert not any(line.startswith('of ') for line in lines)


def test_programs_stand_side_by_side():
  seconds = {'compute': 2e-3, 'step': 5e-4, 'bound': 'memory'}
  sent = {'kind': 'all-reduce', 'axes': ['data'], 'count': 3, 'nbytes': 512}
  train = _program(seconds=seconds, collectives=[sent])
  limits = {
    'slots': {'largest': 9000, 'checked': False},
    'batch_size': {'largest': None, 'checked': True},
  }
  text = table.text(_plan(train=train, limits=limits))
  for words in (
    'training', 'scoring', '1.5 GFLOP', '2 ms', '500 us (memory)',
    'training: all-reduce',
    '512 B', 'largest slots that training fits: 9,000 (estimated)',
    'largest batch_size that training fits: not found',
  ):  # fmt: skip
    assert words in text, words
