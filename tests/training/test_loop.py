"""Killed at any moment, the same command again gives the same run."""

import contextlib
import json
import random
import signal
import time

import jax
import numpy as np
import pytest

from memae_jax.runtime import errors
from memae_jax.training import checkpoint, experiment, loop
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
