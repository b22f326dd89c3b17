"""The launcher for Cloud TPU VMs, on a stand-in for gcloud.

The stand-in (fake_gcloud) runs what would run on the workers in folders of this
machine. Where the real gcloud is installed it checks the lines by its own
grammar; nothing is sent to Google.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

from tests.launch import helpers, test_common

HERE = pathlib.Path(__file__).parent
VM = '--name=ped2', '--zone=us-west4-a'
TYPE = '--type=v5litepod-16'
JOB = '--config=configs/ped2.py', '--workdir=/mnt/runs/ped2'
CASES = {
  'tpu_create': ['create', *VM, TYPE, '--spot', '--project=vision'],
  'tpu_queued': ['create', *VM, TYPE, '--queued', '--version=v2-alpha'],
  'tpu_setup': ['setup', *VM, '--setup=sudo mount /mnt/runs'],
  'tpu_setup_git': ['setup', *VM, '--source=https://host/me/memae.git@1a2b3c'],
  'tpu_run': ['run', *VM, '--env=TAG=x', '--', *JOB],
  'tpu_study': [
    'run', *VM, '--module=memae_jax.study', '--array=2', '--', *JOB,
  ],
  'tpu_restart': ['restart', *VM, TYPE, '--queued', '--', *JOB],
  'tpu_rest': ['status', *VM],
}  # fmt: skip


def _dry_run(*argv):
  code, out, err = helpers.launch('tpu_vm', '--dry_run', *argv, TMPDIR='/tmp')
  assert code == 0, err
  return out


@pytest.mark.parametrize('golden', CASES)
def test_dry_run(golden):
  out = _dry_run(*CASES[golden])
  if golden == 'tpu_rest':
    for action in (['logs', '--follow'], ['stop'], ['delete', '--queued']):
      out += _dry_run(*action, *VM)
  subprocess.run(['bash', '-n'], input=out, text=True, check=True)
  helpers.assert_golden(f'{golden}.sh', out)


def _gcloud_lines(script):
  """The words of each line of gcloud, as a shell reads them."""
  said = subprocess.run(
    [
      shutil.which('bash'),
      '-c',
      'gcloud() { printf "%s\\0" "$@" END; }\n' + script,
    ],
    env={'PATH': '/nowhere'},
    capture_output=True,
    text=True,
  ).stdout
  return [line.split('\0') for line in said.split('\0END\0')[:-1]]


def test_shellcheck_reads_what_runs_on_the_workers():
  if not shutil.which('shellcheck'):
    pytest.skip('no shellcheck: the scripts were only read by bash -n')
  scripts = {
    word.removeprefix('--command=')
    for path in (HERE / 'golden').glob('tpu_*.sh')
    for words in _gcloud_lines(path.read_text())
    for word in words
    if word.startswith('--command=')
  }
  assert len(scripts) > 6
  for script in scripts:
    found = subprocess.run(
      ['shellcheck', '--shell=bash', '--exclude=SC2016', '-'],
      input=script,
      capture_output=True,
      text=True,
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.slow
def test_gcloud_knows_the_lines(tmp_path):
  if not shutil.which('gcloud'):
    pytest.skip('no gcloud: its lines are only compared with golden files')
  lines = [
    # Its check splits at spaces; what --command says is no business of gcloud.
    ' '.join(
      ['gcloud', *(re.sub(r'=.*\s.*', '=x', w, flags=re.S) for w in words)]
    )
    for path in (HERE / 'golden').glob('tpu_*.sh')
    for words in _gcloud_lines(path.read_text())
  ]
  assert len(lines) > 15
  commands = tmp_path / 'lines.json'
  commands.write_text(json.dumps([{'command_string': x} for x in lines]))
  checked = subprocess.run(
    ['gcloud', 'meta', 'lint-gcloud-commands', f'--commands-file={commands}'],
    env={
      'PATH': os.environ['PATH'],
      'HOME': str(tmp_path),
      'CLOUDSDK_CONFIG': str(tmp_path),
      'CLOUDSDK_CORE_DISABLE_PROMPTS': '1',
      'CLOUDSDK_CORE_DISABLE_USAGE_REPORTING': '1',
    },
    capture_output=True,
    text=True,
  )
  if checked.returncode:
    pytest.skip(f'this gcloud checks no lines: {checked.stderr[:200]}')
  found = json.loads(checked.stdout)
  assert {line['command_string'] for line in found} == set(lines)
  for line in found:
    assert line['success'], (line['command_string'], line['error_message'])


@pytest.fixture
def cloud(tmp_path):
  """Folders for the VMs; yields them and the variables of a launcher."""
  folder, programs = tmp_path / 'cloud', tmp_path / 'bin'
  folder.mkdir(), programs.mkdir()
  shutil.copy(HERE / 'fake_gcloud', programs / 'gcloud')
  (programs / 'curl').write_text('#!/bin/bash\n')
  # Instead of uv: an environment that is this one.
  (folder / 'uv').write_text(
    '#!/bin/bash\n'
    'mkdir -p "$HOME/memae_env/bin"\n'
    f'printf \'#!/bin/bash\\nexec {sys.executable} "$@"\\n\''
    ' >"$HOME/memae_env/bin/python"\n'
    'chmod +x "$HOME/memae_env/bin/python"\n'
  )
  for program in (programs / 'curl', folder / 'uv'):
    program.chmod(0o755)
  source = tmp_path / 'source'
  source.mkdir()
  shutil.copy(HERE / 'stand_in.py', source / 'job.py')
  for words in (
    ['init', '-q'],
    ['add', '.'],
    ['-c', 'user.name=x', '-c', 'user.email=x', 'commit', '-qm', 'x'],
  ):
    subprocess.run(['git', '-C', source, *words], check=True)
  env = {
    'CLOUD': str(folder),
    'PATH': f'{programs}:{os.environ["PATH"]}',
    'TMPDIR': str(tmp_path),
    'PYTHONPATH': f'{helpers.ROOT}',
  }
  yield folder, env, source
  for pid in folder.glob('*/*/memae_job/pid'):
    subprocess.run(['kill', '-9', '--', f'-{pid.read_text().strip()}'])


def _call(cloud, action, *argv, job=()):
  _, env, source = cloud
  options = ['--zone=z', '--module=job', f'--source={source}', TYPE]
  words = ['--', *job] if job else []
  return helpers.launch('tpu_vm', action, *options, *argv, *words, **env)


def _wait(found):
  for _ in range(600):
    if found():
      return
    time.sleep(0.05)
  pytest.fail('did not come')


def _logs(vm):
  return [p.read_text() for p in sorted(vm.glob('*/memae_job/log'))]


def test_a_job_from_create_to_delete(cloud):
  vm = cloud[0] / 'memae'
  assert _call(cloud, 'create')[0] == 0
  assert _call(cloud, 'setup')[0] == 0
  job = ['wait', *test_common.ODD]
  assert (
    _call(cloud, 'run', f'--env=JAX_X={test_common.ODD[2]}', job=job)[0] == 0
  )
  _wait(lambda: len(''.join(_logs(vm)).splitlines()) == 2)
  for log in _logs(vm):
    said = json.loads(log)
    assert said['argv'] == list(test_common.ODD)
    assert said['env']['JAX_X'] == test_common.ODD[2]
  code, out, _ = _call(cloud, 'status')
  assert (code, out) == (0, 'memae: READY\njob: running\njob: running\n')
  code, _, err = _call(cloud, 'run', job=job)
  assert code == 2 and 'a job is running already' in err
  assert _call(cloud, 'stop')[0] == 0
  _wait(lambda: len(list(vm.glob('*/memae_job/exit'))) == 2)
  out = _call(cloud, 'status')[1]
  assert out == 'memae: READY\njob: ended with 75\njob: ended with 75\n'
  assert _call(cloud, 'logs', '--worker=1')[1].endswith('saved\n')
  assert _call(cloud, 'delete')[0] == 0
  assert _call(cloud, 'status')[1] == 'memae: GONE\n'


def test_restart_after_preemption(cloud):
  folder, _, _ = cloud
  vm = folder / 'memae'

  def restart():
    (folder / 'lines').write_text('')
    code, out, err = _call(cloud, 'restart', job=['wait'])
    assert code == 0, err
    return out, (folder / 'lines').read_text().splitlines()

  made = ['tpu-vm create memae', 'tpu-vm ssh memae', 'tpu-vm ssh memae']
  _, lines = restart()
  assert [x for x in lines if 'scp' not in x] == [
    'tpu-vm describe memae',
    *made,
  ]
  _wait(lambda: len(''.join(_logs(vm)).splitlines()) == 2)
  assert restart()[0] == 'memae: running\n'
  for pid in vm.glob('*/memae_job/pid'):  # As when the workers start anew.
    subprocess.run(['kill', '-9', '--', f'-{pid.read_text().strip()}'])
  assert restart()[0] == 'memae: lost\n'
  _wait(lambda: len(''.join(_logs(vm)).splitlines()) == 4)
  (vm / 'state').write_text('PREEMPTED\n')
  for pid in vm.glob('*/memae_job/pid'):
    subprocess.run(['kill', '-9', '--', f'-{pid.read_text().strip()}'])
  out, lines = restart()
  assert out == 'memae: PREEMPTED; made anew\n'
  assert lines[1] == 'tpu-vm delete memae' and lines[2] == made[0]


def test_watch_stays_until_the_job_has_ended(cloud):
  folder, env, source = cloud
  (folder / 'full').touch()
  process = helpers.start(
    'tpu_vm', 'restart', '--zone=z', '--module=job', f'--source={source}', TYPE,
    '--watch=1', '--', '0', **env,
  )  # fmt: skip
  first = [process.stdout.readline() for _ in range(2)]
  assert first == ['memae: GONE; made anew\n', 'memae: create failed\n']
  (folder / 'full').unlink()
  out, err = process.communicate(timeout=60)
  assert process.returncode == 0, err
  assert out.splitlines()[-1] == 'memae: ended with 0'


def test_watch_ends_when_a_part_has_failed(cloud):
  code, out, err = _call(cloud, 'restart', '--watch=1', '--array=2', job=['3'])
  assert code == 2
  assert (
    err
    == (
      'error: memae-0: the job has failed; see its logs;'
      ' memae-1: the job has failed; see its logs\n'
    )
    or 'no capacity' in err
  )
  said = json.loads(_logs(cloud[0] / 'memae-1')[0])
  assert said['argv'] == ['--shard=1/2']


def test_a_queued_one_is_set_up_when_it_comes(cloud):
  vm = cloud[0] / 'memae'
  restart = lambda: _call(cloud, 'restart', '--queued', job=['0'])
  code, out, _ = restart()
  assert code == 75 and 'memae: waits in the queue' in out
  assert restart()[:2] == (75, 'memae: ACCEPTED\n')
  (vm / 'state').write_text('ACTIVE\n')
  assert restart()[:2] == (0, 'memae: none\n')
  _wait(lambda: len(list(vm.glob('*/memae_job/exit'))) == 2)
  assert restart()[1] == 'memae: ended with 0\n'


def test_what_gcloud_says_is_passed_on(cloud, tmp_path):
  gcloud = tmp_path / 'bin/gcloud'
  gcloud.write_text('#!/bin/bash\necho "ERROR: no account" >&2\nexit 1\n')
  code, _, err = _call(cloud, 'restart', job=['0'])
  assert (code, err) == (2, 'error: memae: describe failed ERROR: no account\n')


@pytest.mark.parametrize(
  'argv, message',
  [
    (['create', *VM], '--type is missing'),
    (['create', *VM, '--type=v5'], '"v5": expected such as v4-32'),
    (['create', TYPE], 'the following arguments are required: --zone'),
    (['setup', *VM, '--source=no/folder'], 'neither a folder nor URL@COMMIT'),
    (['setup', *VM, '--source=git@host:me/x'], 'neither a folder nor'),
    (['run', *VM], 'the job is missing'),
    (['restart', *VM, TYPE], 'the job is missing'),
    (['setup', *VM, '--source=/', '--', 'x'], 'git archive failed'),
  ],
)
def test_wrong_options(argv, message):
  code, out, err = helpers.launch('tpu_vm', *argv)
  assert code == 2 and not out
  assert message in err


def test_without_gcloud_it_says_so(tmp_path):
  code, _, err = helpers.launch('tpu_vm', 'delete', *VM, PATH=str(tmp_path))
  assert code == 2
  assert err.startswith('error: there is no "gcloud" here')
