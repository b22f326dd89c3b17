"""Killed at any moment, the same command again gives the same run."""

import contextlib
import json
import random
import signal
import time

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from memae_jax.runtime import errors
from memae_jax.training import checkpoint, experiment, fingerprint, loop
from tests import helpers


def _config():
  return helpers.digits(
    **{
      'train.epochs': 32.0,
      'fleet.normal_classes': (0, 1, 2, 3),
      'eval.checkpoint': 'validation',
      # Enough work to be killed in the middle of it.
      'model.widths': (256, 128),
    }
  )


def _outcome(workdir):
  """Everything that must not depend on interruptions."""
  exp = experiment.build(_config())
  with checkpoint.Checkpoints(workdir, read_only=True) as checkpoints:
    step, state, _ = checkpoints.restore_newest(
      exp.programs.init_shapes, lambda _: None
    )
  assert step == exp.steps
  events = [
    {k: v for k, v in json.loads(line).items() if k != 'time'}
    for line in (workdir / 'metrics.jsonl').read_text().splitlines()
  ]
  results = json.loads((workdir / 'results.json').read_text())
  return jax.device_get(state), events, results


def _same(one, two):
  for a, b in zip(jax.tree.leaves(one[0]), jax.tree.leaves(two[0])):
    np.testing.assert_array_equal(a, b)
  assert one[1] == two[1]
  steps = [(e['step'], e['split']) for e in two[1]]
  assert len(set(steps)) == len(steps)
  for key in ('metrics', 'methods', 'replicas', 'memory'):
    assert one[2][key] == two[2][key]


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """The uninterrupted run and its config file."""
  folder = tmp_path_factory.mktemp('kill')
  config = helpers.write_config(folder / 'config.py', _config())
  process = helpers.start(f'--config={config}', f'--workdir={folder / "whole"}')
  _, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  return config, _outcome(folder / 'whole')


@pytest.mark.slow
def test_killed_runs_end_as_if_never_killed(whole, tmp_path):
  """By SIGTERM and SIGKILL in turn, at random moments."""
  config, expected = whole
  rng = random.Random(0)
  command = f'--config={config}', f'--workdir={tmp_path}'
  metrics = tmp_path / 'metrics.jsonl'
  lines = lambda: len(metrics.read_text().splitlines())
  for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
    target = (lines() if metrics.exists() else 0) + rng.randint(8, 15)
    process = helpers.start(*command)
    while not metrics.exists() or lines() < target:
      assert process.poll() is None, process.communicate()
      time.sleep(0.002)
    time.sleep(rng.random() * 0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    if number == signal.SIGTERM:
      assert process.returncode == errors.Preempted.exit_code, err
      assert 'run the same command' in err
    else:
      assert process.returncode == -signal.SIGKILL, err
  process = helpers.start(*command)
  _, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  assert 'resuming at step' in err
  _same(expected, _outcome(tmp_path))


def test_a_stop_in_the_last_interval_is_heard(tmp_path, monkeypatch):
  exp = experiment.build(helpers.digits(**{'train.log_every': 1000}))
  with monkeypatch.context() as patch:
    asked = contextlib.nullcontext(lambda: True)
    patch.setattr(loop.host, 'stop_requests', lambda: asked)
    with pytest.raises(errors.Preempted, match=f'step {exp.steps} of'):
      loop.train(exp, tmp_path)
  with checkpoint.Checkpoints(tmp_path, read_only=True) as checkpoints:
    assert checkpoints.steps()[-1] == exp.steps
  loop.train(exp, tmp_path)


def _flip(path):
  data = bytearray(path.read_bytes())
  for at in range(0, len(data), 256):  # Some bytes of the file are not in use.
    data[at] ^= 0xFF
  path.write_bytes(bytes(data))


def _data_files(folder):
  return sorted(
    (p for p in folder.rglob('*') if p.is_file() and p.stat().st_size),
    key=lambda p: p.stat().st_size,
  )


@pytest.mark.parametrize('damage', ['flip', 'truncate', 'delete'])
def test_a_damaged_newest_checkpoint_is_skipped(tmp_path, damage, caplog):
  exp = experiment.build(helpers.digits(**{'train.keep': 3}))
  expected = jax.device_get(loop.train(exp, tmp_path))
  folder = tmp_path / 'checkpoints'
  newest = folder / str(exp.steps)
  assert newest.is_dir()
  assert (newest / checkpoint.CHECKSUMS).is_file()
  largest = _data_files(newest / 'state')[-1]
  if damage == 'flip':
    _flip(largest)
  elif damage == 'truncate':
    largest.write_bytes(largest.read_bytes()[:40])
  else:
    largest.unlink()
  caplog.set_level('WARNING', 'memae_jax')
  resumed = jax.device_get(loop.train(exp, tmp_path))
  # Found by its checksum: orbax, which drops reads loudly, never saw it.
  assert str(newest) in caplog.text and 'not as it was written' in caplog.text
  for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(resumed)):
    np.testing.assert_array_equal(a, b)
  assert list((tmp_path / 'damaged_checkpoints').iterdir())
  with checkpoint.Checkpoints(tmp_path, read_only=True) as checkpoints:
    assert (
      checkpoints.restore_newest(exp.programs.init_shapes, lambda _: None)[0]
      == exp.steps
    )


def test_a_checkpoint_that_another_process_cannot_read(tmp_path, monkeypatch):
  exp = experiment.build(helpers.digits(**{'train.keep': 3}))
  loop.train(exp, tmp_path)
  asked = []

  def of_two(flag):
    asked.append(flag)
    return flag or len(asked) == 1  # The other one fails at the newest.

  monkeypatch.setattr(checkpoint.parallel, 'any_process', of_two)
  with checkpoint.Checkpoints(tmp_path, read_only=True) as checkpoints:
    steps = checkpoints.steps()
    found, *_ = checkpoints.restore_newest(
      exp.programs.init_shapes, lambda _: None
    )
  # What a checkpoint says of itself, its state, and its fingerprint.
  assert asked == [False] * 4 and found == steps[-2]


def test_checkpoints_removed_while_their_folder_is_looked_at(
  tmp_path, monkeypatch
):
  of = ocp.path.step.Metadata
  look = of.commit_timestamp.fget

  def removed_before(self):
    if self.step in gone:
      self.path.rmtree()
    return look(self)

  monkeypatch.setattr(of, 'commit_timestamp', property(removed_before))
  for step in (1, 2, 3):
    (tmp_path / 'checkpoints' / str(step)).mkdir(parents=True)
  gone = [1]
  with checkpoint.Checkpoints(tmp_path, read_only=True) as checkpoints:
    assert checkpoints.steps() == [2, 3]
    gone = [2]
    checkpoints.refresh()
    assert checkpoints.steps() == [3]


def test_a_checkpoint_that_a_training_replaces_while_it_is_read(tmp_path):
  exp = experiment.build(helpers.digits(**{'train.keep': 1}))
  loop.train(exp, tmp_path)
  folder = tmp_path / 'checkpoints'
  with checkpoint.Checkpoints(tmp_path, read_only=True) as checkpoints:
    (at,) = checkpoints.steps()
    (folder / str(at)).rename(folder / str(at + 1))
    with pytest.raises(errors.UserError, match='has removed it meanwhile'):
      checkpoints.meta(at)
    found, *_ = checkpoints.restore_newest(
      exp.programs.init_shapes, lambda _: None
    )
  assert found == at + 1


def test_damaged_checkpoints_that_cannot_be_moved_away(tmp_path):
  exp = experiment.build(helpers.digits(**{'train.keep': 3}))
  loop.train(exp, tmp_path)
  steps = sorted(int(p.name) for p in (tmp_path / 'checkpoints').iterdir())
  for path in _data_files(tmp_path / 'checkpoints' / str(steps[-1]) / 'state'):
    path.unlink()
  (tmp_path / 'damaged_checkpoints').write_text('not a folder')
  with pytest.raises(errors.UserError, match='cannot be moved away'):
    loop.train(exp, tmp_path)
  found = sorted(int(p.name) for p in (tmp_path / 'checkpoints').iterdir())
  assert found == steps


def test_all_checkpoints_damaged(tmp_path):
  exp = experiment.build(helpers.digits())
  loop.train(exp, tmp_path)
  for folder in (tmp_path / 'checkpoints').iterdir():
    for path in _data_files(folder / 'state'):
      path.write_bytes(b'')
  with pytest.raises(errors.UserError, match='none of the checkpoints'):
    loop.train(exp, tmp_path)


def test_every_bit_of_every_leaf_counts():
  tree = {'a': np.zeros((3, 5), np.float32), 'b': np.int32(4)}
  base = int(fingerprint.of(tree))
  for i in range(15):
    for bit in (0, 13, 31):
      changed = tree['a'].copy()
      changed.view(np.uint32).flat[i] ^= np.uint32(1 << bit)
      assert int(fingerprint.of({**tree, 'a': changed})) != base
  assert int(fingerprint.of({**tree, 'b': np.int32(5)})) != base
