r"""Job on a SLURM cluster: writes the batch script and submits it.

python -m launch.slurm --nodes=2 --gpus_per_node=4 --time=4:00:00 \
  --setup='source venv/bin/activate' -- \
  --config=configs/ped2.py --workdir=runs/ped2

There is one task per GPU, or one per node without GPUs. Near the end of its
time the job saves and queues itself again; the same happens when the cluster
takes a node away. A study is an array of jobs:

python -m launch.slurm --array=8 --module=memae_jax.study -- \
  --config=configs/studies/memory_size_mnist.py --workdir=runs/sizes
"""

import subprocess

from launch import common

# Only a job that SLURM counts as running is queued again: a job that was
# cancelled saves, too, but must not come back.
_AGAIN = f"""\
if [ "$code" -eq {common.AGAIN[0]} ] || [ "$code" -eq {common.AGAIN[1]} ]; then
  state=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)
  if [ "$state" = RUNNING ]; then
    echo 'stopped before its end: queued again'
    scontrol requeue "$SLURM_JOB_ID"
  fi
fi
exit "$code"
"""


def directives(options) -> list[str]:
  """Returns the options of sbatch, without `#SBATCH`."""
  out = [
    f'--job-name={options.name}',
    f'--nodes={options.nodes}',
    f'--ntasks-per-node={tasks_per_node(options)}',
  ]
  if options.gpus_per_node:
    out.append(f'--gpus-per-node={options.gpus_per_node}')
  if options.cpus_per_task:
    out.append(f'--cpus-per-task={options.cpus_per_task}')
  if options.time:
    out.append(f'--time={options.time}')
  if options.array:
    out.append(f'--array=0-{options.array - 1}')
  log = '%x-%A_%a.log' if options.array else '%x-%j.log'
  out += [
    f'--signal=TERM@{options.notice}',
    '--requeue',
    '--open-mode=append',
    f'--output={log}',
  ]
  return out + options.sbatch  # If one is there twice, the later counts.


def tasks_per_node(options) -> int:
  """Returns how many processes a node has."""
  if options.task_per == 'gpu':
    return options.gpus_per_node or 1
  return 1


def script(options, job: common.Job) -> str:
  """Returns the batch script."""
  line = job.line(options.python)
  if options.array:
    line += f' --shard="$SLURM_ARRAY_TASK_ID"/{options.array}'
  # srun does not take over this option of sbatch.
  cpus = '--cpus-per-task="$SLURM_CPUS_PER_TASK" ' * bool(options.cpus_per_task)
  env = dict(job.env)
  if (options.gpus_per_node or 1) > tasks_per_node(options):
    # Under SLURM, JAX expects one process per GPU unless this is set.
    ids = range(options.gpus_per_node)
    env.setdefault('JAX_LOCAL_DEVICE_IDS', ','.join(map(str, ids)))
  return '\n'.join([
    '#!/bin/bash',
    *(f'#SBATCH {directive}' for directive in directives(options)),
    '',
    'set -e',
    *options.setup,
    *common.exports(env),
    'code=0',
    # A task that has saved must not end the others before they have.
    f'srun --kill-on-bad-exit=0 {cpus}{line} || code=$?',
    _AGAIN,
  ])  # fmt: skip


def main() -> int:
  """Runs the command line; returns the exit code of sbatch."""
  parser = common.Parser(__doc__)
  add = parser.add_argument
  add('--name', type=common.name, default='memae')
  add('--nodes', type=common.positive, default=1)
  add('--gpus_per_node', type=common.positive, metavar='G')
  add(
    '--task_per',
    choices=['gpu', 'node'],
    default='gpu',
    help='one process per GPU or per node; without GPUs always per node',
  )
  add('--cpus_per_task', type=common.positive, metavar='C')
  add('--time', type=common.one_line, help='such as 4:00:00')
  add(
    '--notice',
    type=common.positive,
    default=120,
    help='seconds before the end of the time at which the job is told to save',
  )
  add(
    '--setup',
    action='append',
    default=[],
    metavar='LINE',
    help='a line of shell before the job; may be repeated',
  )
  add(
    '--sbatch',
    action='append',
    default=[],
    type=common.one_line,
    metavar='OPTION',
    help='any option of sbatch, such as --sbatch=--partition=gpu',
  )
  add('--python', default='python', help='Python of the cluster')
  options, job = parser.read()
  parser.one_process(
    options,
    options.nodes * tasks_per_node(options),
    'give --nodes=1, and with several GPUs --task_per=node',
  )
  for option in options.sbatch:
    if not option.startswith('-'):
      parser.error(f'--sbatch is "{option}"; expected such as --partition=gpu')
  text = script(options, job)
  if options.dry_run:
    print(text, end='')
    return 0
  try:
    return subprocess.run(['sbatch'], input=text, text=True).returncode
  except FileNotFoundError:
    raise common.LaunchError(
      'there is no "sbatch" here; run this on a login node of the cluster,'
      ' or see the script with --dry_run'
    ) from None


if __name__ == '__main__':
  common.guarded(main)
