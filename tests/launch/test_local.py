"""The local launcher, for real: several processes that are one job."""

import json
import os
import pathlib
import signal
import time

import pytest

from launch import common, local
from tests.launch import helpers

STAND_IN = 'tests.launch.stand_in'


def _group(*hows, **options):
  """A process for each stand-in."""
  commands = [
    (common.Job(STAND_IN, how, {}).words(local.sys.executable), env)
    for how, env in zip(hows, local.environments(len(hows), port=1234))
  ]
  return local.Group(commands, **options)


def _fails_beside(how, code, go, grace=0.5):
  """A process that ends with `code` when the other is up: (results, first)."""
  with _group((how,), ('after', str(go), str(code)), grace=grace) as group:
    while not group.output(0):
      time.sleep(0.02)
    go.touch()
    return group.wait(timeout=60), group.first_failure


def _first_line(process) -> str:
  return process.stdout.readline()


def test_each_process_knows_who_it_is():
  results = local.run(
    ['0', '--flag=a b', '$HOME'],
    processes=2,
    devices=3,
    env={'MEMAE_X': 'y', 'JAX_X': 'y'},
    module=STAND_IN,
    timeout=60,
  )
  assert [r.code for r in results] == [0, 0]
  said = [json.loads(r.output) for r in results]
  ports = {s['env']['JAX_COORDINATOR_ADDRESS'] for s in said}
  assert len(ports) == 1
  for index, one in enumerate(said):
    assert one['argv'] == ['--flag=a b', '$HOME']
    assert one['env']['JAX_PROCESS_ID'] == str(index)
    assert one['env']['JAX_NUM_PROCESSES'] == '2'
    assert one['env']['JAX_NUM_CPU_DEVICES'] == '3'
    assert one['env']['JAX_PLATFORMS'] == 'cpu'
    assert one['env']['JAX_X'] == 'y'


def test_one_process_is_no_distributed_run():
  (result,) = local.run(['0'], module=STAND_IN, timeout=60)
  assert 'JAX_PROCESS_ID' not in json.loads(result.output)['env']


def test_one_that_fails_ends_the_others(tmp_path):
  results, first = _fails_beside('wait', 3, tmp_path / 'go', grace=20.0)
  assert [r.code for r in results] == [75, 3]
  assert first == 3


def test_one_that_does_not_hear_is_killed(tmp_path):
  results, _ = _fails_beside('stubborn', 3, tmp_path / 'go')
  assert [r.code for r in results] == [128 + signal.SIGKILL, 3]


def test_the_others_of_a_preempted_process_are_not_disturbed(tmp_path):
  results, first = _fails_beside('wait', 75, tmp_path / 'go')
  assert 'saved' not in results[0].output  # Killed in the end, never asked.
  assert first == 75


def test_a_killed_process_ends_the_others():
  with _group(('wait',), ('wait',)) as group:
    group.processes[1].kill()
    group.wait(timeout=60)
  assert group.first_failure == 128 + signal.SIGKILL
  assert all(p.poll() is not None for p in group.processes)


def test_a_timeout_kills_and_shows_what_was_said():
  with _group(('wait',), ('wait',)) as group:
    while not group.output(0):
      time.sleep(0.02)
    with pytest.raises(TimeoutError, match=r'after 0.2 s\n\[0\] \{'):
      group.wait(timeout=0.2)
  assert all(p.poll() is not None for p in group.processes)


def test_leaving_the_block_ends_them():
  with _group(('stubborn',)) as group:
    pass
  assert group.processes[0].returncode == -signal.SIGKILL


def test_sigterm_is_forwarded_and_preempted_is_the_exit_code():
  process = helpers.start(
    'local', '--processes=2', f'--module={STAND_IN}', '--', 'wait'
  )
  started = [_first_line(process), _first_line(process)]
  assert {line[:3] for line in started} == {'[0]', '[1]'}
  process.send_signal(signal.SIGTERM)
  out, err = process.communicate(timeout=60)
  assert process.returncode == common.PREEMPTED, err
  assert sorted(out.splitlines()) == ['[0] saved', '[1] saved']


def test_ctrl_c_ends_all():
  process = helpers.start(
    'local', '--processes=2', f'--module={STAND_IN}', '--', 'wait'
  )
  _first_line(process), _first_line(process)
  process.send_signal(signal.SIGINT)
  _, err = process.communicate(timeout=60)
  assert process.returncode == 130, err
  assert not err


def test_the_command_line_ends_with_the_first_failure():
  code, out, _ = helpers.launch('local', f'--module={STAND_IN}', '--', '3')
  assert code == 3
  assert out.startswith('[0] {')


def test_an_array_runs_side_by_side():
  code, out, _ = helpers.launch(
    'local', '--array=2', f'--module={STAND_IN}', '--', '4'
  )
  assert code == 4
  said = [json.loads(line[4:]) for line in sorted(out.splitlines())]
  assert [s['argv'] for s in said] == [['--shard=0/2'], ['--shard=1/2']]
  assert all('JAX_PROCESS_ID' not in s['env'] for s in said)


def test_dry_run():
  code, out, err = helpers.launch(
    'local', '--dry_run', '--processes=2', '--devices=4', '--port=8476',
    "--env=TAG=it's", '--', '--config=configs/digits.py', '--workdir=my runs',
  )  # fmt: skip
  assert code == 0, err
  words = out.replace(local.sys.executable, 'python')
  helpers.assert_golden('local.txt', words)


def test_gpus_are_shared_out():
  envs = local.environments(2, gpus=2)
  assert [e['CUDA_VISIBLE_DEVICES'] for e in envs] == ['0,1', '2,3']


def test_a_group_ends_what_its_processes_have_started(tmp_path):
  child = 'import time; time.sleep(300)'
  code = (
    'import subprocess, sys, time;'
    f'p = subprocess.Popen([sys.executable, "-c", {child!r}]);'
    'print(p.pid, flush=True); time.sleep(300)'
  )
  with local.Group([([local.sys.executable, '-c', code], {})]) as group:
    while not group.output(0).endswith('\n'):
      time.sleep(0.05)
    pid = int(group.output(0))
  for _ in range(100):
    try:
      if 'State:\tZ' in pathlib.Path(f'/proc/{pid}/status').read_text():
        return
    except (FileNotFoundError, ProcessLookupError):
      return
    time.sleep(0.05)
  os.kill(pid, signal.SIGKILL)
  pytest.fail('a grandchild has survived')
