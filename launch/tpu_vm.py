r"""Job on Cloud TPU VMs, on demand, spot or queued, by `gcloud`.

python -m launch.tpu_vm create --name=ped2 --zone=us-west4-a --type=v5litepod-16
python -m launch.tpu_vm setup --name=ped2 --zone=us-west4-a
python -m launch.tpu_vm run --name=ped2 --zone=us-west4-a -- \
  --config=configs/ped2.py --workdir=/mnt/runs/ped2
python -m launch.tpu_vm logs --follow --name=ped2 --zone=us-west4-a
python -m launch.tpu_vm delete --name=ped2 --zone=us-west4-a

`restart` makes a VM that is gone or preempted anew and runs the job again; with
--watch it does so until the job has ended. The job of `run` goes on when the
connection ends; `status` prints its state, `stop` lets it save and end. A study
has one VM per part (--array): NAME-0, NAME-1, ...
"""

import os
import re
import shlex
import subprocess
import tempfile
import time

from launch import common

_CODE = 'memae_jax'  # In the home folder of each worker.
_PYTHON = '"$HOME"/memae_env/bin/python'
_JOB = '~/memae_job'  # Log, process and exit code of the job.
_VERSIONS = {
  'v5litepod': 'v2-alpha-tpuv5-lite',
  'v5p': 'v2-alpha-tpuv5',
  'v6e': 'v2-alpha-tpuv6e',
}
_INSTALL = f"""\
curl -LsSf https://astral.sh/uv/install.sh | sh
~/.local/bin/uv venv --clear --python=3.12 ~/memae_env
~/.local/bin/uv pip install --python ~/memae_env -e ~/{_CODE} 'jax[tpu]'"""
# After a restart of the worker the number may belong to another process.
_RUNS = f'grep -qs memae_job "/proc/$(cat {_JOB}/pid 2>/dev/null)/cmdline"'
_STATUS = f"""\
if {_RUNS}; then echo 'job: running'
elif [ -e {_JOB}/exit ]; then echo "job: ended with $(cat {_JOB}/exit)"
elif [ -e {_JOB}/pid ]; then echo 'job: lost'
else echo 'job: none'
fi"""
_STOP = f'if {_RUNS}; then kill -TERM -- "-$(cat {_JOB}/pid)"; fi'
_UP = {'READY', 'ACTIVE'}
_COMING = {
  'CREATING', 'STARTING', 'RESTARTING', 'REPAIRING', 'ACCEPTED',
  'PROVISIONING', 'CREATING_NODE', 'WAITING_FOR_RESOURCES',
}  # fmt: skip


class NotYet(common.LaunchError):
  """Google has no free TPU at the moment."""


class Vm:
  """One TPU VM (a slice of one or more workers) and its job."""

  def __init__(self, options, name: str, job: common.Job):
    self.name, self._options, self._job = name, options, job

  def _gcloud(self, kind: str, verb: str, *words: str, quiet: bool = False):
    """Runs one line of gcloud, or prints it under --dry_run."""
    line = ['gcloud', 'compute', 'tpus', kind, verb, *words]
    line.append(f'--zone={self._options.zone}')
    if self._options.project:
      line.append(f'--project={self._options.project}')
    return self._run(line, quiet)

  def _run(self, line: list[str], quiet: bool = False):
    if self._options.dry_run:
      print(shlex.join(line))
      return subprocess.CompletedProcess(line, 0, '', '')
    try:
      return subprocess.run(line, text=True, capture_output=quiet)
    except FileNotFoundError:
      raise common.LaunchError(
        f'there is no "{line[0]}" here; see the commands with --dry_run'
      ) from None

  def _check(self, ended, verb: str, error=common.LaunchError) -> None:
    """Raises an error if a command has failed."""
    if ended.returncode:
      last = (ended.stderr or '').strip().splitlines()[-1:]
      raise error(' '.join([f'{self.name}: {verb} failed', *last]))

  def _ssh(self, script: str, worker: str = 'all', quiet: bool = False):
    words = f'--worker={worker}', f'--command={script}'
    return self._gcloud('tpu-vm', 'ssh', self.name, *words, quiet=quiet)

  def _kind(self) -> str:
    return 'queued-resources' if self._options.queued else 'tpu-vm'

  def create(self) -> None:
    """Creates the VM, or puts it in the queue."""
    options = self._options
    words = [self.name, f'--accelerator-type={options.type}']
    if options.queued:
      words += [
        f'--node-id={self.name}',
        f'--runtime-version={_version(options)}',
      ]
    else:
      words.append(f'--version={_version(options)}')
    if options.spot:
      words.append('--spot')
    self._check(self._gcloud(self._kind(), 'create', *words), 'create', NotYet)

  def delete(self) -> None:
    """Deletes the VM and, if it is queued, its place in the queue."""
    force = ['--force'] * self._options.queued
    ended = self._gcloud(self._kind(), 'delete', self.name, *force, '--quiet')
    self._check(ended, 'delete')

  def setup(self) -> None:
    """Brings the code to all workers and installs it."""
    steps = ['set -e', f'rm -rf ~/{_CODE}']
    if isinstance(self._options.source, tuple):
      url, commit = self._options.source
      steps.append(f'git clone {shlex.quote(url)} ~/{_CODE}')
      steps.append(f'git -C ~/{_CODE} checkout {shlex.quote(commit)}')
    else:
      self._copy()
      steps.append(f'mkdir ~/{_CODE}')
      steps.append(f'tar -xzf ~/{_CODE}.tar.gz -C ~/{_CODE}')
    script = '\n'.join([*steps, _INSTALL, *self._options.setup])
    self._check(self._ssh(script), 'setup')

  def _copy(self) -> None:
    archive = f'{tempfile.gettempdir()}/{_CODE}-{self.name}.tar.gz'
    folder = self._options.source
    line = ['git', '-C', folder, 'archive', '--format=tar.gz']
    line += [f'--output={archive}', 'HEAD']
    self._check(self._run(line), 'git archive')
    words = archive, f'{self.name}:{_CODE}.tar.gz', '--worker=all'
    self._check(self._gcloud('tpu-vm', 'scp', *words), 'scp')

  def run(self) -> None:
    """Starts the job on all workers, so that it outlives the connection."""
    job = self._job
    command = f'{_PYTHON} {shlex.join(job.words()[1:])}'
    # The shell must survive SIGTERM to write the exit code of the job.
    inner = f'trap : TERM; {command}; echo $? >{_JOB}/exit'
    script = '\n'.join([
      f"if {_RUNS}; then echo 'a job is running already' >&2; exit 2; fi",
      'set -e',
      f'mkdir -p {_JOB}',
      f'rm -f {_JOB}/exit',
      f'cd ~/{_CODE}',
      *common.exports(job.env),
      f'nohup setsid bash -c {shlex.quote(inner)} \\',
      f'  >>{_JOB}/log 2>&1 </dev/null &',
      f'echo $! >{_JOB}/pid',
    ])  # fmt: skip
    self._check(self._ssh(script), 'run')

  def logs(self) -> None:
    """Prints the newest output of one worker."""
    follow = ' -F' * self._options.follow
    script = f'tail -n 200{follow} {_JOB}/log'
    self._check(self._ssh(script, self._options.worker), 'logs')

  def stop(self) -> None:
    """Lets the job save and end."""
    self._check(self._ssh(_STOP), 'stop')

  def status(self) -> None:
    """Prints the state of the VM and of the job on each worker."""
    state = self.state()
    if not self._options.dry_run:
      print(f'{self.name}: {state}')
    if state in _UP:
      self._check(self._ssh(_STATUS), 'status')

  def state(self) -> str:
    """Returns the state of the VM in the words of Google, or GONE."""
    field = 'state.state' if self._options.queued else 'state'
    words = self.name, f'--format=value({field})'
    ended = self._gcloud(self._kind(), 'describe', *words, quiet=True)
    if ended.returncode and 'NOT_FOUND' in ended.stderr:
      return 'GONE'
    self._check(ended, 'describe')
    return 'READY' if self._options.dry_run else ended.stdout.strip()

  def _job_state(self) -> set[str]:
    ended = self._ssh(_STATUS, quiet=True)
    self._check(ended, 'status')
    return set(re.findall(r'job: (.*)', ended.stdout))

  def _anew(self, exists: bool) -> None:
    """Makes the VM anew, deletes it first if it exists, and runs the job."""
    if exists:
      self.delete()
    self.create()
    if self._options.queued and self._options.dry_run:
      print('# As soon as it is active:')
    elif self._options.queued:
      raise NotYet(f'{self.name}: waits in the queue')
    self.setup()
    self.run()

  def restart(self) -> bool:
    """Starts the job again if its VM was taken away.

    Returns:
      Whether the job has ended without an error.

    Raises:
      NotYet: there is no TPU at the moment.
      LaunchError: the job has ended with an error.
    """
    state = self.state()
    if self._options.dry_run:
      print('# If it is gone, preempted or has failed:')
      self._anew(exists=True)
      print('# If it is there, by what this prints:')
      self._ssh(_STATUS)
      return True
    if state in _COMING:
      raise NotYet(f'{self.name}: {state}')
    if state not in _UP:
      print(f'{self.name}: {state}; made anew', flush=True)
      self._anew(exists=state != 'GONE')
      return False
    states = self._job_state()
    print(f'{self.name}: {", ".join(sorted(states))}', flush=True)
    if 'running' in states:
      return False
    if states == {'ended with 0'}:
      return True
    if 'none' in states:
      self.setup()
    elif not states & {'lost', *(f'ended with {x}' for x in common.AGAIN)}:
      raise common.LaunchError(f'{self.name}: the job has failed; see its logs')
    self.run()
    return False


def _version(options) -> str:
  kind = options.type.split('-')[0]
  return options.version or _VERSIONS.get(kind, 'tpu-ubuntu2204-base')


def _restart(vms: list[Vm], watch: int | None) -> int:
  """Restarts the jobs whose VMs were taken away.

  Args:
    vms: of all jobs.
    watch: seconds after which to look again, until all jobs have ended; None:
      look once.

  Returns:
    Exit code: 0, or 75 if a job has to be tried again later.

  Raises:
    LaunchError: jobs have failed.
  """
  failed, code = [], 0
  while vms:
    left = []
    for vm in vms:
      try:
        if not vm.restart():
          left.append(vm)
      except NotYet as error:
        print(error, flush=True)
        left.append(vm)
        code = 0 if watch else common.PREEMPTED
      except common.LaunchError as error:  # The others go on.
        failed.append(str(error))
    vms = left if watch else []
    if vms:
      time.sleep(watch)
  if failed:
    raise common.LaunchError('; '.join(failed))
  return code


def _source(text: str) -> str | tuple[str, str]:
  """Parses a folder, or URL@COMMIT of a repository, as a pair."""
  if os.path.isdir(text):
    return text
  match = re.fullmatch(r'(.+[:/].+)@([\w./-]+)', text)
  if not match:
    raise common.argparse.ArgumentTypeError(
      f'"{text}" is neither a folder nor URL@COMMIT'
    )
  return match[1], match[2]


def _type(text: str) -> str:
  if not re.fullmatch(r'v\d+[a-z]*-\d+', text):
    raise common.argparse.ArgumentTypeError(f'"{text}": expected such as v4-32')
  return text


def main() -> int:
  """Runs the command line."""
  parser = common.Parser(__doc__)
  actions = ['create', 'setup', 'run', 'logs', 'status', 'stop', 'delete']
  add = parser.add_argument
  add('action', choices=[*actions, 'restart'])
  add('--name', type=common.name, default='memae')
  add('--zone', required=True)
  add('--project', help='of Google Cloud; default: that of gcloud')
  add('--type', type=_type, help='such as v5litepod-16')
  add('--version', help='software of the VM; default: by its type')
  add('--spot', action='store_true')
  add('--queued', action='store_true', help='as a queued resource')
  add(
    '--source',
    type=_source,
    default='.',
    help='a folder, whose last commit is copied, or URL@COMMIT of a repository',
  )
  add(
    '--setup', action='append', default=[], metavar='LINE', help='line of shell'
  )
  add('--worker', default='0', help='worker whose logs to print')
  add('--follow', action='store_true', help='print logs until Ctrl-C')
  add(
    '--watch',
    type=common.positive,
    metavar='SECONDS',
    help='restart again and again',
  )
  options, job = parser.read(optional={*actions} - {'run'})
  if options.action in ('create', 'restart') and not options.type:
    parser.error('--type is missing, such as --type=v5litepod-16')
  names = [options.name]
  if options.array:
    names = [f'{options.name}-{index}' for index in range(options.array)]
  vms = [
    Vm(options, name, one)
    for name, one in zip(names, job.shards(options.array))
  ]
  if options.action == 'restart':
    return _restart(vms, None if options.dry_run else options.watch)
  for vm in vms:
    getattr(vm, options.action)()
  return 0


if __name__ == '__main__':
  common.guarded(main)
