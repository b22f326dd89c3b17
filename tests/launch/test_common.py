"""The command of a job and the launchers' own options."""

import shlex
import subprocess

import pytest

from launch import common
from memae_jax.runtime import errors
from tests.launch import helpers

LAUNCHERS = {
  'local': (),
  'slurm': (),
  'gke': ('run', '--image=i', '--name=n'),
  'tpu_vm': ('run', '--name=n', '--zone=z'),
}
ODD = (
  '--workdir=runs/two words',
  "--config=it's.py:a=1,b=(2,3)",
  '--config.name="$HOME `id` $(id) $$(id) \\ *"',
  '--config.data.path=ä/é;rm -rf x#y!',
  '--mode=eval & true | false > out',
)


def test_the_code_of_a_preempted_job():
  assert common.PREEMPTED == errors.Preempted.exit_code


def test_odd_characters_survive_a_shell():
  job = common.Job('m', ODD, {})
  line = job.line('printf "%s\\0"').replace(
    '\'printf "%s\\0"\'', 'printf %s\\\\0'
  )
  said = subprocess.run(
    ['bash', '-c', line], capture_output=True, text=True, check=True
  ).stdout
  assert said.split('\0')[:-1] == ['-m', 'm', *ODD]
  assert shlex.split(job.line()) == ['python', '-m', 'm', *ODD]


def test_variables_survive_a_shell():
  lines = common.exports({'A': ODD[2], 'B': ''})
  script = '\n'.join([*lines, 'printf "%s" "$A|$B"'])
  said = subprocess.run(
    ['bash', '-c', script], capture_output=True, text=True, check=True
  ).stdout
  assert said == f'{ODD[2]}|'


def test_shards():
  job = common.Job(common.STUDY, ('--workdir=w',), {})
  assert job.shards(None) == [job]
  assert [j.argv[-1] for j in job.shards(2)] == ['--shard=0/2', '--shard=1/2']


@pytest.mark.parametrize(
  'launcher, argv, mend',
  [
    ('local', ['--processes=2'], 'leave --processes out'),
    ('slurm', ['--nodes=2', '--array=2'], 'give --nodes=1'),
    ('slurm', ['--gpus_per_node=4'], '--task_per=node'),
    ('gke', ['--tpu=v5e', '--topology=4x4'], 'a --topology of one host'),
    ('gke', ['--nodes=2', '--array=2'], '--nodes=1'),
  ],
)
def test_a_part_of_a_study_is_one_process(launcher, argv, mend):
  words = [*LAUNCHERS[launcher], *argv, f'--module={common.STUDY}']
  code, out, err = helpers.launch(launcher, *words, '--', '--x')
  assert code == 2 and not out and err.count('\n') == 1
  assert 'is one process, not' in err and mend in err


@pytest.mark.parametrize('launcher', LAUNCHERS)
@pytest.mark.parametrize(
  'argv, message',
  [
    ((), 'the job is missing; its flags follow after "--"'),
    (('--',), 'the job is missing'),
    (('--array=2', '--', '--x'), 'add --module=memae_jax.study'),
    (('--array=0', '--', '--x'), '"0" is not a whole number above 0'),
    (('--module=a b', '--', '--x'), '--module is "a b"; expected such as'),
    (('--env=A', '--', '--x'), '--env is "A"; expected NAME=VALUE'),
    (('--typo', '--', '--x'), 'unrecognized arguments: --typo'),
    (('--dry', '--', '--x'), 'unrecognized arguments: --dry'),
  ],
)
def test_wrong_options_are_one_line_and_code_2(launcher, argv, message):
  code, out, err = helpers.launch(launcher, *LAUNCHERS[launcher], *argv)
  assert code == 2
  assert not out
  assert err.startswith('error: ') and err.count('\n') == 1, err
  assert message in err


@pytest.mark.parametrize('launcher', LAUNCHERS)
def test_help_names_the_options(launcher):
  code, out, _ = helpers.launch(launcher, '--help')
  assert code == 0
  assert '--dry_run' in out


@pytest.mark.parametrize('text', ['', 'A', 'a_b', '-a', 'a-', 'a' * 41, '1a'])
def test_names_that_no_cluster_takes(text):
  with pytest.raises(common.argparse.ArgumentTypeError, match='is not a name'):
    common.name(text)
