"""The SLURM launcher: what it writes, and jobs on a real local cluster.

The cluster needs root and Debian's munge and slurm-wlm:

MEMAE_TEST_SLURM=1 pytest -n 0 -m slurm tests/launch/test_slurm.py

A stand-in takes the place of training; MEMAE_TEST_SLURM_REAL=1 trains digits.
"""

import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

from launch import local
from tests.launch import helpers, test_common

STAND_IN = 'tests.launch.stand_in'
REAL = os.environ.get('MEMAE_TEST_SLURM_REAL') == '1'
JOB = '--config=configs/ped2.py', '--workdir=runs/ped2'


def _script(*argv, job=JOB):
  code, out, err = helpers.launch('slurm', '--dry_run', *argv, '--', *job)
  assert code == 0, err
  return out


def _check_shell(script):
  subprocess.run(['bash', '-n'], input=script, text=True, check=True)
  if shutil.which('shellcheck'):
    found = subprocess.run(
      ['shellcheck', '--exclude=SC1091,SC2016', '-'],
      input=script,
      text=True,
      capture_output=True,
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
  'golden, argv',
  [
    ('slurm_gpu', ['--nodes=2', '--gpus_per_node=4', '--time=4:00:00']),
    (
      'slurm_study',
      [
        '--name=sizes',
        '--module=memae_jax.study',
        '--array=8',
        '--sbatch=--array=0-7%2',
        '--sbatch=--partition=cpu',
        '--setup=module load python/3.12',
        '--setup=source venv/bin/activate',
        '--env=JAX_PLATFORMS=cpu',
      ],
    ),
    (
      'slurm_node',
      [
        '--gpus_per_node=4',
        '--task_per=node',
        '--notice=300',
        '--python=py3',
        '--cpus_per_task=8',
      ],
    ),
  ],
)
def test_dry_run(golden, argv):
  script = _script(*argv)
  _check_shell(script)
  helpers.assert_golden(f'{golden}.sbatch', script)


def test_shellcheck_is_here():
  if not shutil.which('shellcheck'):
    pytest.skip('no shellcheck: the scripts were only read by bash -n')
  script = helpers.ROOT / 'tests/launch/slurm_cluster.sh'
  subprocess.run(['shellcheck', script], check=True)


def test_odd_characters_reach_the_job(tmp_path):
  """The script itself, with stand-ins for the programs of SLURM."""
  script = _script(f'--env=ODD={test_common.ODD[2]}', job=test_common.ODD)
  _check_shell(script)
  srun = tmp_path / 'srun'
  srun.write_text('#!/bin/bash\nprintf "%s\\0" "$ODD" "$@"\n')
  srun.chmod(0o755)
  path = f'{tmp_path}:{os.environ["PATH"]}'
  said = subprocess.run(
    ['bash'],
    input=script,
    env={'PATH': path},
    text=True,
    check=True,
    capture_output=True,
  ).stdout.split('\0')
  assert said[0] == test_common.ODD[2]
  assert said[-1 - len(test_common.ODD) : -1] == list(test_common.ODD)


def _run_script(folder, code, state='RUNNING'):
  """Runs a script whose task ends with `code`; what scontrol was told."""
  said = folder / 'scontrol.txt'
  for name, body in {
    'srun': f'exit {code}',
    'squeue': f'echo {state}',
    'scontrol': f'echo "$@" >{said}',
  }.items():
    (folder / name).write_text(f'#!/bin/bash\n{body}\n')
    (folder / name).chmod(0o755)
  path = f'{folder}:{os.environ["PATH"]}'
  ended = subprocess.run(
    ['bash'],
    input=_script(),
    env={'PATH': path, 'SLURM_JOB_ID': '7'},
    text=True,
    capture_output=True,
  )
  return ended.returncode, said.read_text() if said.exists() else None


@pytest.mark.parametrize('code', [0, 2, 3, 137])
def test_only_a_preempted_job_is_queued_again(tmp_path, code):
  assert _run_script(tmp_path, code) == (code, None)


@pytest.mark.parametrize('code', [75, 143])
def test_a_preempted_job_is_queued_again(tmp_path, code):
  assert _run_script(tmp_path, code) == (code, 'requeue 7\n')


def test_a_cancelled_job_is_not_queued_again(tmp_path):
  assert _run_script(tmp_path, 75, 'COMPLETING') == (75, None)


def test_a_setup_that_fails_ends_the_job():
  script = _script('--setup=false', '--setup=echo no')
  ended = subprocess.run(['bash'], input=script, text=True, capture_output=True)
  assert ended.returncode == 1
  assert not ended.stdout


def test_wrong_options():
  code, _, err = helpers.launch('slurm', '--sbatch=x', '--', *JOB)
  assert (code, err) == (
    2,
    'error: --sbatch is "x"; expected such as --partition=gpu\n',
  )
  code, _, err = helpers.launch('slurm', '--time=1\n#', '--', *JOB)
  assert code == 2 and 'a line break is not possible here' in err


def test_without_slurm_it_says_so(tmp_path):
  code, _, err = helpers.launch('slurm', '--', *JOB, PATH=str(tmp_path))
  assert code == 2
  assert err.startswith('error: there is no "sbatch" here')
  assert err.count('\n') == 1


# What follows runs on a cluster.


@pytest.fixture(scope='module')
def cluster():
  """Starts SLURM; yields the environment that talks to it."""
  if os.environ.get('MEMAE_TEST_SLURM') != '1':
    pytest.skip('a local SLURM is started only with MEMAE_TEST_SLURM=1')
  if not (shutil.which('sbatch') and shutil.which('munged', path='/usr/sbin')):
    pytest.skip('no SLURM: apt-get install munge slurm-wlm')
  if os.getuid():
    pytest.skip('a local SLURM must be started by root')
  script = helpers.ROOT / 'tests/launch/slurm_cluster.sh'
  folder = pathlib.Path(tempfile.mkdtemp(prefix='slurm'))  # Short: a socket.
  subprocess.run([script, 'start', folder], check=True, timeout=60)
  yield {'SLURM_CONF': str(folder / 'slurm.conf')}
  subprocess.run([script, 'stop', folder], check=True, timeout=60)
  shutil.rmtree(folder, ignore_errors=True)


class _Job:
  """A submitted job and its log."""

  def __init__(self, cluster, folder, job, *options):
    self.env = {**os.environ, **cluster}
    self.log = folder / 'log'
    code, out, err = helpers.launch(
      'slurm',
      f'--python={sys.executable}',
      f'--sbatch=--output={self.log}%a',
      *options,
      '--',
      *job,
      **cluster,
    )
    assert code == 0, err
    self.number = out.split()[-1]
    self.text = ''

  def fields(self, number=None):
    """What SLURM says of the job."""
    said = subprocess.run(
      ['scontrol', 'show', 'job', '--oneliner', number or self.number],
      env=self.env,
      check=True,
      text=True,
      capture_output=True,
    ).stdout
    return [
      dict(re.findall(r'(\w+)=(\S*)', line)) for line in said.splitlines()
    ]

  def wait(self, states=('COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT')):
    """Waits for each job of an array; returns their fields."""
    end = time.monotonic() + 600
    while True:
      fields = self.fields()
      if all(one['JobState'] in states for one in fields):
        return fields
      assert time.monotonic() < end, (fields, self.logs())
      time.sleep(0.5)

  def wait_for(self, text):
    """Waits until the job has printed `text`."""
    end = time.monotonic() + 300
    while not any(text in log for log in self.logs()):
      assert time.monotonic() < end, (self.fields(), self.logs())
      time.sleep(0.5)

  def logs(self):
    """All that was printed, job by job of an array."""
    return [p.read_text() for p in sorted(self.log.parent.glob('log*'))]


def _said(text):
  return [json.loads(x) for x in text.splitlines() if x.startswith('{')]


def _train(workdir, epochs, how='resume'):
  """A job that resumes: the stand-in, or the network on digits."""
  workdir.mkdir()
  if not REAL:
    return [how, str(workdir)], [f'--module={STAND_IN}']
  job = [
    '--config=configs/digits.py:classes=2,seeds=1',
    f'--config.train.epochs={epochs}',
    f'--workdir={workdir}',
  ]
  options = ['--env=JAX_PLATFORMS=cpu', '--env=JAX_NUM_CPU_DEVICES=1']
  return job, options


def _coordinator():
  """The names of these nodes resolve to nothing, so that it must be told."""
  return [f'--env=JAX_COORDINATOR_ADDRESS=127.0.0.1:{local.free_port()}']


@pytest.mark.slurm
def test_two_tasks_are_one_job(cluster, tmp_path):
  job, options = ['0'], [f'--module={STAND_IN}']
  if REAL:
    job, options = _train(tmp_path / 'run', 2.0)
  coordinator = _coordinator()
  submitted = _Job(cluster, tmp_path, job, '--nodes=2', *options, *coordinator)
  (ended,) = submitted.wait()
  assert (ended['JobState'], ended['ExitCode']) == ('COMPLETED', '0:0')
  assert ended['NodeList'] == 'n[1-2]'
  if REAL:
    assert (tmp_path / 'run/results.json').exists()
    return
  said = _said(submitted.logs()[0])
  assert {s['env']['SLURM_PROCID'] for s in said} == {'0', '1'}
  for one in said:
    assert one['env']['SLURM_NTASKS'] == '2'
    address = one['env']['JAX_COORDINATOR_ADDRESS']
    assert coordinator == [f'--env=JAX_COORDINATOR_ADDRESS={address}']


@pytest.mark.slurm
def test_an_array_is_a_study_in_parts(cluster, tmp_path):
  job, options = ['0', '--x=a b'], [f'--module={STAND_IN}']
  if REAL:
    study = 'configs/studies/memory_size_digits.py:smoke'
    job = [f'--config={study}', f'--workdir={tmp_path}/study']
    job += ['--max_replicas=2']
    options = ['--module=memae_jax.study', '--env=JAX_PLATFORMS=cpu']
  submitted = _Job(
    cluster, tmp_path, job, '--array=3', '--sbatch=--array=0-2%1', *options
  )
  assert submitted.fields()[0]['ArrayTaskThrottle'] == '1'
  ended = submitted.wait()
  assert [one['JobState'] for one in ended] == ['COMPLETED'] * 3
  if REAL:
    with open(tmp_path / 'study/study.csv', newline='') as table:
      points = list(csv.DictReader(table))
    assert len(points) >= 3
    assert {point['state'] for point in points} == {'finished'}
    assert len({point['run'] for point in points}) == len(points)
    return
  said = [_said(text)[0]['argv'] for text in submitted.logs()]
  assert said == [['--x=a b', f'--shard={i}/3'] for i in range(3)]


@pytest.mark.slurm
@pytest.mark.parametrize('how, nodes', [('resume', 2), ('unready', 1)])
def test_a_signalled_job_is_queued_again_and_resumes(
  cluster, tmp_path, how, nodes
):
  """Slow: SLURM holds a job back for two minutes when it is queued again."""
  if REAL and how == 'unready':
    pytest.skip('only the stand-in can be made to die of the signal')
  job, options = _train(tmp_path / 'run', 400.0, how)
  options = [*options, f'--nodes={nodes}', *_coordinator()]
  if REAL:  # How long training takes nobody knows: signalled when it is on.
    submitted = _Job(cluster, tmp_path, job, *options)
    submitted.wait_for(' train ')
    subprocess.run(
      ['scancel', '--signal=TERM', submitted.number],
      env=submitted.env,
      check=True,
    )
  else:  # By the clock, which SLURM reads each 30 seconds.
    options += ['--time=1', '--notice=59']
    submitted = _Job(cluster, tmp_path, job, *options)
  (ended,) = submitted.wait()
  (log,) = submitted.logs()
  assert (ended['JobState'], ended['ExitCode']) == ('COMPLETED', '0:0'), log
  assert int(ended['Restarts']) >= 1
  assert 'stopped before its end: queued again' in log
  if REAL:
    assert (tmp_path / 'run/results.json').exists()
  else:
    assert log.count('saved\n') == (nodes if how == 'resume' else 0)
    assert log.count('resumed\n') == nodes


@pytest.mark.slurm
def test_a_cancelled_job_stays_away(cluster, tmp_path):
  submitted = _Job(cluster, tmp_path, ['wait'], f'--module={STAND_IN}')
  submitted.wait_for('{')
  subprocess.run(['scancel', submitted.number], env=submitted.env, check=True)
  (ended,) = submitted.wait()
  time.sleep(5)
  (ended,) = submitted.fields()
  assert ended['JobState'] == 'CANCELLED'
  assert ended['Restarts'] == '0'
  assert 'saved' in submitted.logs()[0]


@pytest.mark.slurm
def test_a_job_with_a_mistake_fails_once(cluster, tmp_path):
  submitted = _Job(cluster, tmp_path, ['2'], f'--module={STAND_IN}')
  (ended,) = submitted.wait()
  assert (ended['JobState'], ended['ExitCode']) == ('FAILED', '2:0')
  assert ended['Restarts'] == '0'
