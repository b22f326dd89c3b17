"""A log in which each step stands once."""

import json
import os

import pytest

from memae_jax.runtime import errors, metrics_log
from tests import finished


def test_resuming_drops_later_events_and_torn_lines(tmp_path):
  writer = metrics_log.MetricsWriter(tmp_path, -1)
  for step in (0, 5, 10):
    writer.write(step, 'train', {'loss': [1.0, 3.0], 'dead': [None, 0.5]})
  writer.close()
  with (tmp_path / 'metrics.jsonl').open('a') as file:
    file.write('{"step": 15, "lo')
  writer = metrics_log.MetricsWriter(tmp_path, 5)
  writer.write(10, 'train', {'loss': [2.0, 2.0]})
  writer.close()
  events = metrics_log.read_events(tmp_path / 'metrics.jsonl')
  assert [e['step'] for e in events] == [0, 5, 10]
  assert events[0]['loss'] == 2.0 and events[0]['dead'] == 0.5
  assert events[0]['replicas']['dead'] == [None, 0.5]
  assert all(e['time'] > 0 for e in events)


def test_a_broken_line_in_the_middle_is_named(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  event = json.dumps({'step': 1, 'time': 0.5, 'split': 'train'})
  path.write_text(event + '\n{"st\n' + event + '\n')
  with pytest.raises(errors.UserError, match='line 2'):
    metrics_log.read_events(path)


def test_tensorboard(tmp_path):
  pytest.importorskip('tensorboardX', reason='extra "tensorboard"')
  writer = metrics_log.MetricsWriter(tmp_path, -1, tensorboard=True)
  writer.write(1, 'train', {'loss': [1.0]})
  writer.close()
  assert list((tmp_path / 'tensorboard').glob('events*'))


def _fill(path):
  """Makes an open file refuse what is written, as on a full disk."""
  with open('/dev/full', 'wb', buffering=0) as full:
    for number in os.listdir('/proc/self/fd'):
      if os.path.realpath(f'/proc/self/fd/{number}') == os.path.realpath(path):
        os.dup2(full.fileno(), int(number))


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_metrics_on_a_full_disk(tmp_path):
  writer = metrics_log.MetricsWriter(tmp_path, -1)
  writer.write(1, 'train', {'loss': [1.0]})
  _fill(tmp_path / 'metrics.jsonl')
  with pytest.raises(errors.UserError, match='metrics.jsonl: No space left'):
    writer.write(2, 'train', {'loss': [1.0]})
  writer.close()  # Has nothing left to write.
  (event,) = metrics_log.read_events(tmp_path / 'metrics.jsonl')
  assert event['step'] == 1


@pytest.mark.parametrize(
  'end,count',
  [
    (b'', 24),
    (b'{"step": 12, "ti', 24),
    (b'{"step": 12, "time": 1.0, "split": "train"}', 25),  # Whole.
    (b'\0' * 512, 24),
    (b'{"step": 12, "ti' + b'\0' * 512, 24),
    (b'\xff\xfe\x80garbage', 24),
  ],
)
def test_the_torn_end_of_a_log_is_left_out(tmp_path, end, count):
  path = tmp_path / 'metrics.jsonl'
  lines = [json.dumps(event) + '\n' for event in finished.events()]
  path.write_bytes(''.join(lines).encode() + end)
  assert len(metrics_log.read_events(path)) == count


@pytest.mark.parametrize(
  'line,words',
  [
    ('{"st', 'Expecting|Unterminated'),
    ('[1, 2]', 'not an object'),
    ('7', 'not an object'),
    ('{"time": 1.0, "split": "train"}', 'step is missing'),
    ('{"step": 1, "split": "train"}', 'time is missing'),
    ('{"step": 1, "time": 1.0}', 'split is missing'),
    ('{"step": "1", "time": 1.0, "split": "train"}', 'step is not a whole'),
    ('{"step": 1, "time": null, "split": "train"}', 'time is not a number'),
    ('{"step": 1, "time": 1, "split": "a", "loss": "x"}', 'loss is not a num'),
    (
      '{"step": 1, "time": 1, "split": "a", "replicas": {"loss": 1}}',
      'replicas.loss is not a list',
    ),
    ('\0\0\0', 'Expecting'),
  ],
)
def test_another_line_of_a_log_is_named(tmp_path, line, words):
  path = tmp_path / 'metrics.jsonl'
  lines = [json.dumps(event) + '\n' for event in finished.events()]
  path.write_text(''.join((*lines[:3], line + '\n', *lines[3:])))
  with pytest.raises(
    errors.UserError, match=f'line 4 is not an event .*{words}'
  ):
    metrics_log.read_events(path)


def test_events_in_memory_are_those_of_the_file(tmp_path):
  events = metrics_log.Events()
  writer = metrics_log.MetricsWriter(tmp_path / 'a', -1)
  for log in (events, writer):
    log.write(3, 'train', {'loss': [1.0, 3.0]}, {'waited': 0.5})
  writer.close()
  (written,) = metrics_log.read_events(tmp_path / 'a' / 'metrics.jsonl')
  assert events[0].keys() == written.keys() and events[0]['loss'] == 2.0
  (tmp_path / 'b.jsonl').write_text(events.text())
  assert metrics_log.read_events(tmp_path / 'b.jsonl') == events
