"""Trains and compares the points of a study, in as few runs as possible.

python -m memae_jax.study --config=configs/studies/memory_size_digits.py \
  --workdir=studies/digits

Points that differ only in axes of a fleet (memory size, threshold, alpha,
learning rate, seed, variant, class) train together in one run. Runs train one
after another, or spread over jobs by --shard=0/4 ... --shard=3/4. You can stop
it, run it again and add points: nothing is trained twice. Writes study.csv,
study.json and study.html.
"""

from absl import flags

from memae_jax import cli
from memae_jax.runtime import errors, paths, processes
from memae_jax.studies import job


def run() -> None:
  """Does the study that the flags describe."""
  options = flags.FLAGS
  if not options.config:
    raise errors.UserError(
      '--config is missing, such as --config=memory_size_digits'
    )
  if not options.workdir:
    raise errors.UserError('--workdir is missing: the folder of the study')
  if processes.is_one_of_several():
    raise errors.UserError(
      'a study, or each part of it, is one process, but this is one of several;'
      ' start one on each host, with --shard=0/N ... --shard=N-1/N and without'
      ' JAX_NUM_PROCESSES'
    )
  folder = paths.local(options.workdir, '--workdir')
  if options.dry_run:
    job.dry_run(options.config, folder, options.shard, options.max_replicas)
  else:
    job.work(options.config, folder, options.shard, options.max_replicas)


if __name__ == '__main__':
  flags.DEFINE_string(
    'config', '', 'Study, such as seeds:base=digits or FILE.py.'
  )
  flags.DEFINE_string('workdir', '', 'Folder of the study.')
  flags.DEFINE_string('shard', '0/1', 'i/n: do every n-th run, from the i-th.')
  flags.DEFINE_integer(
    'max_replicas',
    0,
    'Most replicas of a run; 0: as many as leave each shard a run.',
    lower_bound=0,
  )
  flags.DEFINE_boolean('dry_run', False, 'Print the runs; do nothing.')
  cli.main(run)
