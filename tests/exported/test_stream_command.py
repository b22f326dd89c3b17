"""The command of streams: lines of JSON at once, clean ends, a report."""

import argparse
import io
import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from memae_jax import scorer
from memae_jax.exported import stream, stream_command
from tests import helpers

_TABLE = 'size,weight,kind\n'


def _options(**fields):
  usual = {'size': '', 'pixels': 'rgb24', 'update': False}
  rates = dict.fromkeys(('false_alarm', 'alarms_per_hour'))
  return argparse.Namespace(**usual | rates | fields)


def _run(found, content, **fields):
  out = io.BytesIO()
  code = stream_command.run(found, _options(**fields), io.BytesIO(content), out)
  return code, [json.loads(line) for line in out.getvalue().splitlines()]


def test_rows_become_lines_of_json(scored_run, scorer_of, capsys):
  _, found = scorer_of('table')
  path = scored_run('table')[2].parent / 'table.csv'
  lines = path.read_bytes().splitlines(keepends=True)[:6]
  capsys.readouterr()
  code, rows = _run(found, b''.join([*lines[:4], b'1,2\n', *lines[4:]]))
  assert code == 1
  assert [row['row'] for row in rows] == [0, 1, 2, 3, 4, 5]
  assert rows[3] == {
    'row': 3,
    'error': 'a line has 2 cells, but the header has 4; quote cells that hold'
    ' the separator',
  }
  del rows[3]
  scores = np.float32([row['score'] for row in rows])
  np.testing.assert_allclose(scores, found.score(path)[:5], rtol=1e-6)
  assert [row['flagged'] for row in rows] == found.flag(path)[:5].tolist()
  assert {row['delay'] for row in rows} == {0}
  (report,) = capsys.readouterr().err.splitlines()
  assert report.startswith('6 rows, 1 of them broken; ')
  assert 'per second; from arrival to answer' in report
  code, rows = _run(found, b''.join(lines))
  assert code == 0 and len(rows) == 5
  assert _run(found, b'') == (0, [])


def test_raw_frames_are_pictures(scored_run, scorer_of):
  exp, _, _ = scored_run('dense')
  _, found = scorer_of('dense')
  x = exp.source.inputs[:3]
  grey = _run(found, x.tobytes(), size='8x8', pixels='gray')[1]
  rgb = _run(found, x.repeat(3, axis=-1).tobytes(), size='8x8')[1]
  assert grey == rgb and [one['image'] for one in grey] == [0, 1, 2]
  scores = np.float32([one['score'] for one in grey])
  np.testing.assert_allclose(scores, found.score(x), rtol=1e-6)


@pytest.mark.parametrize(
  ('scored', 'want'),
  [
    (stream.Scored(4, 0.5, True, 3, 'a.png'),
     {'frame': 4, 'file': 'a.png', 'score': 0.5, 'flagged': True, 'delay': 3}),
    (stream.Scored(4, math.nan, False, error='lost'),
     {'frame': 4, 'error': 'lost'}),
  ],
)  # fmt: skip
def test_a_line(scored, want):
  with_alarms = json.loads(stream_command.line(scored, 'frame', 'file', True))
  assert with_alarms == want | ({} if scored.error else {'alarm': False})
  text = stream_command.line(scored, 'frame', 'file')
  assert json.loads(text) == want and text.endswith(b'\n')


def test_the_median_in_fixed_memory():
  latency = stream_command.Latency()
  assert latency.median == 0
  times = np.random.default_rng(0).lognormal(-5, 2, 1001)
  for seconds in times:
    latency.add(seconds)
  assert latency.count == 1001 and latency.largest == times.max()
  np.testing.assert_allclose(latency.median, np.median(times), rtol=0.011)
  latency.add(0.0)
  latency.add(1e9)


@pytest.mark.parametrize('words', [['a.scorer'], ['a.scorer', 'x', '--stream']])
def test_input_or_a_stream(words, capsys):
  with pytest.raises(SystemExit) as stopped:
    scorer.main(words)
  assert stopped.value.code == 2
  assert 'give INPUT, or --stream' in capsys.readouterr().err


def _start(path):
  process = subprocess.Popen(
    [sys.executable, '-m', 'memae_jax.scorer', str(path), '--stream'],
    cwd=helpers.ROOT,
    env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'},
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
  )
  helpers.STARTED.append(process)
  return process


@pytest.mark.slow
@pytest.mark.parametrize('end', ['SIGINT', 'closed pipe', 'header'])
def test_a_pipe_that_stays_open(scorer_of, end):
  path, _ = scorer_of('table')
  process = _start(path)
  row = b'3.5,1.2,a\n'
  if end == 'header':
    out, err = process.communicate(b'size,weight\n')
    assert process.returncode == 2 and not out
    assert err.startswith(b'error: the first line of the stream has no column')
    return
  for number, text in enumerate([_TABLE.encode() + row, row]):
    process.stdin.write(text)
    process.stdin.flush()
    # The answer comes before the next row is there.
    assert json.loads(process.stdout.readline())['row'] == number
  if end == 'SIGINT':
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert not out
  else:
    process.stdout.close()
    process.stdin.write(row)
    process.stdin.flush()
    err = process.stderr.read()
    with process:
      pass  # It ends by itself, while its input is open.
  assert process.returncode == 0, err
  count = 2 if end == 'SIGINT' else 3
  assert err.splitlines()[-1].startswith(b'%d rows, 0 of them broken' % count)
  assert b'Traceback' not in err
