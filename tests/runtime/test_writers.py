"""Atomic files, and a log in which each step stands once."""

import json
import os
import subprocess
import sys

import pytest

from memae_jax.runtime import errors, writers
from tests import helpers


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / 'a' / 'file'
  writers.write_atomic(path, 'old')

  def fail(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'replace', fail)
  with pytest.raises(errors.UserError, match='a: No space left'):
    writers.write_atomic(path, 'new')
  assert path.read_text() == 'old'
  assert os.listdir(path.parent) == ['file']


def test_what_is_no_utf8_costs_no_file(tmp_path):
  """The byte 0xE9 of a file's name, as Python carries it in text."""
  writers.write_atomic(tmp_path / 'a', 'gr\udce9n größe\n')
  assert (tmp_path / 'a').read_bytes() == b'gr\\udce9n gr\xc3\xb6\xc3\x9fe\n'


def test_resuming_drops_later_events_and_torn_lines(tmp_path):
  writer = writers.MetricsWriter(tmp_path, -1)
  for step in (0, 5, 10):
    writer.write(step, 'train', {'loss': [1.0, 3.0], 'dead': [None, 0.5]})
  writer.close()
  with (tmp_path / 'metrics.jsonl').open('a') as file:
    file.write('{"step": 15, "lo')
  writer = writers.MetricsWriter(tmp_path, 5)
  writer.write(10, 'train', {'loss': [2.0, 2.0]})
  writer.close()
  events = writers.read_events(tmp_path / 'metrics.jsonl')
  assert [e['step'] for e in events] == [0, 5, 10]
  assert events[0]['loss'] == 2.0 and events[0]['dead'] == 0.5
  assert events[0]['replicas']['dead'] == [None, 0.5]
  assert all(e['time'] > 0 for e in events)


def test_a_broken_line_in_the_middle_is_named(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  event = json.dumps({'step': 1, 'time': 0.5, 'split': 'train'})
  path.write_text(event + '\n{"st\n' + event + '\n')
  with pytest.raises(errors.UserError, match='line 2'):
    writers.read_events(path)


def test_tensorboard(tmp_path):
  pytest.importorskip('tensorboardX', reason='extra "tensorboard"')
  writer = writers.MetricsWriter(tmp_path, -1, tensorboard=True)
  writer.write(1, 'train', {'loss': [1.0]})
  writer.close()
  assert list((tmp_path / 'tensorboard').glob('events*'))


def test_writing_takes_no_device(tmp_path):
  """Or a study would hold the accelerators that its runs need."""
  code = (
    'import pathlib\n'
    'from memae_jax.runtime import writers\n'
    f'writers.write_atomic(pathlib.Path({str(tmp_path / "a")!r}), "x")\n'
    'from jax._src import xla_bridge\n'
    'assert not xla_bridge.backends_are_initialized()\n'
  )
  subprocess.run([sys.executable, '-c', code], check=True, cwd=helpers.ROOT)
  assert (tmp_path / 'a').read_text() == 'x'


def test_a_checkpoint_that_was_never_finished_does_not_count(tmp_path):
  assert not writers.has_checkpoints(tmp_path)
  (tmp_path / 'checkpoints/20.orbax-checkpoint-tmp').mkdir(parents=True)
  assert not writers.has_checkpoints(tmp_path)
  (tmp_path / 'checkpoints/20').mkdir()
  assert writers.has_checkpoints(tmp_path)


def test_progress_knows_no_speed_before_the_second_report(monkeypatch):
  """What came before the first was compiled, too."""
  clock = iter([0.0, 60.0, 80.0, 190.0])
  monkeypatch.setattr(writers.time, 'time', lambda: next(clock))
  monkeypatch.setattr(writers.sys.stderr, 'isatty', lambda: False)
  said = []
  monkeypatch.setattr(
    writers._LOG, 'info', lambda text, *args: said.append(text % args)
  )
  progress = writers.Progress('train', 100)
  progress.at(10, 'loss 2')
  progress.at(30, 'loss 1')
  progress.at(40, 'loss 0')
  assert said == [
    'train 10/100  loss 2',
    'train 30/100  1 a second  0:01:10 left  loss 1',
    'train 40/100  4.3 s each  0:04:20 left  loss 0',
  ]
