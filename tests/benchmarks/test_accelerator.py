"""The whole command at its small size, killed at random moments."""

import hashlib
import json
import os
import random
import signal
import time

import pytest

from benchmarks.accelerator import stages
from tests import helpers

_STAGES = '1_card', '2_speed', '3_fleet', '4_resume', '5_ped2'
_SPEED = (
  'seconds',
  'flops',
  'bytes_per_second',
  'share_of',
  'faster',
  'over_vmap',
)


def _start(out, work):
  return helpers.start(
    '--minutes=60',
    f'--to={out}',
    f'--work={work}',
    module='benchmarks.accelerator',
    start_new_session=True,
  )


def _files(out):
  """Each file of a stage, read; all are whole, whenever one looks."""
  return {
    path.stem: (
      json.loads(path.read_text()),
      hashlib.sha256(path.read_bytes()).hexdigest(),
      path.stat().st_mtime_ns,
    )
    for path in out.glob('*.json')
  }


def _keys(value):
  """The names of all fields within a value."""
  if isinstance(value, dict):
    for key, inner in value.items():
      yield key
      yield from _keys(inner)


@pytest.mark.thorough
def test_killed_at_random_moments(tmp_path):
  out, work, rng = tmp_path / 'out', tmp_path / 'work', random.Random(0)
  rows = lambda: sum(len(f[0]['rows']) for f in _files(out).values())
  for _ in range(3):
    target = (rows() if out.exists() else 0) + rng.randint(4, 9)
    process = _start(out, work)
    while not out.exists() or rows() < target:
      assert process.poll() is None, process.communicate()
      time.sleep(0.05)
    time.sleep(3 * rng.random())
    before = _files(out)
    process.kill()  # Its workers and trainings end with it.
    process.communicate(timeout=60)
  process = _start(out, work)
  printed, err = process.communicate(timeout=3000)
  assert process.returncode == 0, err
  said = json.loads(printed.splitlines()[-1])
  assert said['note'] == stages.NOT_RUN
  assert said['stages'] == dict.fromkeys(_STAGES, 'done')
  after = _files(out)
  assert set(after) == set(_STAGES)
  for name, (content, *same) in before.items():
    if content['complete']:
      assert after[name][1:] == tuple(same), name
    for key, row in content['rows'].items():
      if not row.get('unfinished'):
        assert after[name][0]['rows'][key] == row
  for content, *_ in after.values():
    assert content['complete'] and content['note'] == stages.NOT_RUN
    assert not [row for row in content['rows'].values() if 'failed' in row]
  for name in ('1_card', '2_speed', '3_fleet'):
    for row in after[name][0]['rows'].values():
      names = [key for key in _keys(row) if key != 'row_seconds']
      assert not [k for k in names if any(word in k for word in _SPEED)]
  sizes = [path.stat().st_size for path in out.iterdir()]
  assert len(sizes) <= 8 and max(sizes) <= 16 * 2**20


@pytest.mark.slow
def test_sigterm_ends_it_and_all_that_it_started(tmp_path):
  process = _start(tmp_path / 'out', tmp_path / 'work')
  while not (tmp_path / 'out/1_card.json').exists():
    assert process.poll() is None, process.communicate()
    time.sleep(0.05)
  process.send_signal(signal.SIGTERM)
  process.communicate(timeout=60)  # Until nobody holds its pipes.
  assert process.returncode == 75
  with pytest.raises(ProcessLookupError):
    while True:  # Of its session, nobody is left.
      os.killpg(process.pid, 0)
      time.sleep(0.1)


@pytest.mark.slow
def test_bad_input_is_one_line(tmp_path):
  (tmp_path / 'out').mkdir()
  (tmp_path / 'out/1_card.json').write_text('{')
  process = _start(tmp_path / 'out', tmp_path / 'work')
  _, err = process.communicate(timeout=120)
  assert process.returncode == 2
  (line,) = [one for one in err.splitlines() if one.startswith('error:')]
  assert '1_card.json' in line and 'remove it' in line
