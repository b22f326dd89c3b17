"""Several processes train one run; one of them may be told to stop, or die."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from memae_jax.runtime import errors, locks
from memae_jax.training import checkpoint, experiment, step
from tests import helpers

_FIELDS = {
  'train.epochs': 10.0,
  'train.batch_size': 18,
  'fleet.normal_classes': (3,),
  'fleet.seeds': 2,
  'model.widths': (64,),
  'eval.batch_size': 50,
}


def _port():
  """A free one, below those that the system gives out by itself."""
  for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
    with socket.socket() as found, contextlib.suppress(OSError):
      found.bind(('127.0.0.1', port))
      return port
  raise OSError('no port is free')


def _start(config, workdir, *more, processes=2):
  """Processes of two devices each, and the port they meet at."""
  port = _port()
  common = f'--config={config}', f'--workdir={workdir}', *more
  if processes == 1:
    return [helpers.start(*common, devices=2)]
  meet = f'--coordinator=127.0.0.1:{port}', f'--processes={processes}'
  return [
    helpers.start(*common, *meet, f'--process={i}', devices=2)
    for i in range(processes)
  ]


def _lines(workdir):
  path = workdir / 'metrics.jsonl'
  return path.read_text().splitlines() if path.exists() else []


def _wait_for(processes, workdir, more):
  """Returns once so many more lines are logged."""
  target = len(_lines(workdir)) + more
  while len(_lines(workdir)) < target:
    assert all(p.poll() is None for p in processes), processes[0].stderr.read()
    time.sleep(0.01)


def _events(workdir):
  return [json.loads(line) for line in _lines(workdir)]


@pytest.mark.slow
def test_stopped_killed_and_resumed_on_another_mesh(tmp_path):
  """The losses and scores of one device, each step once."""
  config = helpers.write_config(tmp_path / 'c.py', helpers.digits(**_FIELDS))
  workdir, spread = tmp_path / 'run', ('--config.mesh.memory=2',)

  both = _start(config, workdir, '--config.mesh.data=2', *spread)
  _wait_for(both, workdir, 6)
  both[1].send_signal(signal.SIGTERM)
  said = [p.communicate(timeout=300)[1] for p in both]
  assert [p.returncode for p in both] == [errors.Preempted.exit_code] * 2, said
  assert 'run the same command' in said[0]

  both = _start(config, workdir, '--config.mesh.data=2', '--heartbeat=10')
  _wait_for(both, workdir, 10)
  both[1].kill()
  both[0].communicate(timeout=300)  # It cannot go on alone, and ends.
  assert both[0].returncode not in (0, None)
  both[1].communicate()

  (last,) = _start(config, workdir, *spread, processes=1)
  _, said = last.communicate(timeout=300)
  assert last.returncode == 0, said
  assert 'resuming at step' in said

  code, _, said = helpers.run(
    f'--config={config}', f'--workdir={tmp_path / "alone"}',
    '--config.mesh.replica=1',
  )  # fmt: skip
  assert code == 0, said
  found, alone = _events(workdir), _events(tmp_path / 'alone')
  steps = [(e['step'], e['split']) for e in found]
  assert steps == [(e['step'], e['split']) for e in alone]
  for key in ('loss', 'reconstruction', 'entropy'):
    np.testing.assert_allclose(
      [e[key] for e in found if key in e],
      [e[key] for e in alone if key in e],
      rtol=1e-4,
    )
  for one, two in zip(_scores(workdir), _scores(tmp_path / 'alone')):
    np.testing.assert_allclose(one, two, rtol=1e-3)


def _scores(workdir):
  exp = experiment.build(helpers.digits(**_FIELDS, **{'mesh.replica': 1}))
  with checkpoint.Checkpoints(
    workdir, read_only=True, unpadded=exp.programs.unpadded_shapes
  ) as checkpoints:
    at, state, _ = checkpoints.restore_newest(
      exp.programs.init_shapes, lambda _: None
    )
  assert at == exp.steps
  scored = exp.programs.score(step.weights(state), [s.test for s in exp.splits])
  jax.block_until_ready(scored.scores['mse'])
  (newest,) = (workdir / 'eval').glob('*/scores.npz')
  stored = np.load(newest)
  for i, (replica, split) in enumerate(zip(exp.replicas, exp.splits)):
    np.testing.assert_allclose(
      stored[f'{replica.name}/score'],
      scored.scores['mse'][i, : len(split.test)],
      rtol=1e-5,
    )
    yield scored.scores['mse'][i, : len(split.test)]


_ONE_CANNOT_READ = """
import pathlib, sys
import jax, numpy as np
process, port, folder = int(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
jax.distributed.initialize(f'127.0.0.1:{port}', 2, process)
import orbax.checkpoint as ocp
from memae_jax.training import checkpoint
mesh = jax.make_mesh((2,), ('r',), axis_types=(jax.sharding.AxisType.Auto,))
spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec('r'))
whole = np.arange(8, dtype=np.float32).reshape(2, 4)
state = jax.make_array_from_callback((2, 4), spread, whole.__getitem__)
like = jax.ShapeDtypeStruct((2, 4), np.float32, sharding=spread)
with checkpoint.Checkpoints(folder, keep=3) as checkpoints:
  for step in (1, 2, 3):
    checkpoints.save(step, [state], {'step': step})
  checkpoints.wait()

  def fails(at, read):
    def restore(self, path, *args, **kwargs):
      if process == 1 and path.parent.name == at:
        raise OSError('stale file handle')
      return read(self, path, *args, **kwargs)
    return restore

  for handler, at in (
    (ocp.StandardCheckpointHandler, '3'), (ocp.JsonCheckpointHandler, '2')
  ):
    handler.restore = fails(at, handler.restore)
  step, (found,), _ = checkpoints.restore_newest([like], lambda _: None)
  part = found.addressable_shards[0]
  np.testing.assert_array_equal(part.data, whole[part.index])
  if process == 1:
    ocp.CheckpointManager.all_steps = lambda _: [1, 9]  # It has looked later.
  print('restored', step, 'of', checkpoints.steps())
"""
_ONE_FAILS = """
import sys
import jax
jax.distributed.initialize(f'127.0.0.1:{sys.argv[2]}', 2, int(sys.argv[1]))
from memae_jax import cli, config
from memae_jax.runtime import errors, parallel
from memae_jax.training import samples
process = jax.process_index()
try:
  with parallel.all_or_none():
    if process == 1:
      raise PermissionError('of one')
except (OSError, errors.UserError) as error:
  print(type(error).__name__)
ours = config.default()
samples.check_alike_everywhere(ours, {'data_sha256': '12'})
ours.data.data_dir = f'/data/of/{process}'
samples.check_alike_everywhere(ours, {'data_sha256': '12'})
for data, seed in ((process, 0), (0, process)):
  ours.train.seed = seed
  try:
    samples.check_alike_everywhere(ours, {'data_sha256': str(data)})
  except errors.UserError as error:
    print('different data' in str(error))
sys.stdout.flush()

def job():
  if process == 1:
    raise errors.UserError('it cannot go on')
  parallel.any_process(False)

cli.PATIENCE = 1.0
cli.guarded(job)
"""


def _start_script(code, *words):
  """Two processes of one device each."""
  port = _port()
  both = [
    subprocess.Popen(
      [sys.executable, '-c', code, str(i), str(port), *words],
      env=os.environ | {'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': '1'},
      cwd=helpers.ROOT,
      text=True,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
    )
    for i in range(2)
  ]
  helpers.STARTED.extend(both)
  return both


def test_what_one_process_cannot_read_none_takes(tmp_path):
  both = _start_script(_ONE_CANNOT_READ, tmp_path)
  said = [process.communicate(timeout=120) for process in both]
  assert [process.returncode for process in both] == [0, 0], said
  assert [out.split('\n')[-2] for out, _ in said] == ['restored 1 of [1]'] * 2


def test_where_one_process_fails_no_other_waits_for_it():
  first, second = _start_script(_ONE_FAILS)
  out, err = second.communicate(timeout=120)
  assert second.returncode == errors.UserError.exit_code, err
  assert err.splitlines()[-1] == 'error: it cannot go on'
  words = ['PermissionError', 'True', 'True']
  assert out.splitlines()[-3:] == words, out
  first.kill()  # It would hear of it by a heartbeat that does not come.
  out, err = first.communicate(timeout=120)
  assert out.splitlines()[-3:] == ['UserError', *words[1:]], out + err


def test_a_run_that_is_being_trained_is_refused_by_all(tmp_path):
  config = helpers.write_config(tmp_path / 'c.py', helpers.digits(**_FIELDS))
  with locks.exclusive(tmp_path / 'run' / '.lock', 'training'):
    both = _start(config, tmp_path / 'run')
    said = [process.communicate(timeout=120)[1] for process in both]
  assert [p.returncode for p in both] == [errors.UserError.exit_code] * 2, said
  assert 'another process is training' in said[0]
  assert 'another process of this run has failed' in said[1]


@pytest.mark.thorough
def test_two_processes_stream_and_report_once(tmp_path):
  fields = _FIELDS | {'train.epochs': 2.0, 'data.feed': 'streaming'}
  config = helpers.write_config(tmp_path / 'c.py', helpers.digits(**fields))
  both = _start(config, tmp_path / 'run')
  (out, err), (quiet, second) = [p.communicate(timeout=300) for p in both]
  assert [p.returncode for p in both] == [0, 0], err + second
  assert 'report:' in out and 'report:' not in quiet
  assert 'train ' in err and 'train ' not in second
  results = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert results['environment']['processes'] == 2
  assert results['environment']['mesh'] == {
    'replica': 2,
    'data': 2,
    'memory': 1,
  }
  code, _, _ = helpers.run(
    f'--config={config}', f'--workdir={tmp_path / "alone"}',
    '--config.mesh.replica=1',
  )  # fmt: skip
  assert code == 0
  found, alone = _events(tmp_path / 'run'), _events(tmp_path / 'alone')
  assert len(found) == len(alone)
  np.testing.assert_allclose(
    [e['loss'] for e in found if 'loss' in e],
    [e['loss'] for e in alone if 'loss' in e],
    rtol=1e-5,
  )
