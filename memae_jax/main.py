"""Trains and evaluates a fleet of memory-augmented autoencoders.

python -m memae_jax.main --config=configs/digits.py --workdir=runs/digits
python -m memae_jax.main --mode=eval --workdir=runs/digits
python -m memae_jax.main --mode=eval --workdir=runs/ped2 \
  --config.eval.video=FILE
python -m memae_jax.main --mode=plan --config=configs/mnist.py \
  --topology=v5e:2x4

This module only turns flags into one job; the rooms of the package do the work.
"""

from absl import flags
from ml_collections import config_flags

from memae_jax import cli
from memae_jax import config as config_lib
from memae_jax.evaluation import whole_run
from memae_jax.planning import plan
from memae_jax.runtime import errors, paths, processes

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'Experiment, such as digits:classes=3 or FILE.py.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
_MODE = flags.DEFINE_enum(
  'mode',
  'train',
  ['train', 'eval', 'plan'],
  'train also evaluates the last step; plan compiles without running.',
)
_TOPOLOGY = flags.DEFINE_string(
  'topology',
  '',
  'plan: the machine, such as v5e:4x4 or cpu:8; empty: this one.',
)
_LIMITS = flags.DEFINE_boolean(
  'limits', True, 'plan: also find the largest memory and batch that fit.'
)
_STEPS = flags.DEFINE_string(
  'steps', 'latest', 'eval: latest, all, best (on validation) or N,N,...'
)
_WATCH = flags.DEFINE_bool(
  'watch', False, 'eval: evaluate checkpoints as they appear, to the last.'
)
_RESULTS = flags.DEFINE_string(
  'results', '', 'eval: folder for the results; empty: the folder of the run.'
)
_COORDINATOR = flags.DEFINE_string(
  'coordinator', '', 'Several processes: HOST:PORT of the first one.'
)
_PROCESSES = flags.DEFINE_integer(
  'processes', 0, 'Several processes: their number.'
)
_PROCESS = flags.DEFINE_integer(
  'process', -1, 'Several processes: number of this one, from 0.'
)
_PATIENCE = flags.DEFINE_integer(
  'patience',
  300,
  'Several processes: seconds that they wait for each other.',
  lower_bound=1,
)
_HEARTBEAT = flags.DEFINE_integer(
  'heartbeat',
  100,
  'Several processes: seconds without a sign of life after which one of them'
  ' is taken as dead.',
  lower_bound=1,
)


def run() -> None:
  """Runs the job that the flags describe."""
  mode, config = _MODE.value, _CONFIG.value
  if config is not None:
    config = config_lib.resolve(config)
  if config is None and mode != 'eval':
    raise errors.UserError('--config is missing, such as --config=digits')
  if mode == 'plan':
    folder = None
    if _WORKDIR.value:
      folder = paths.local(_WORKDIR.value, '--workdir')
    plan.run(config, _TOPOLOGY.value, folder, _LIMITS.value)
    return
  if not _WORKDIR.value:
    raise errors.UserError('--workdir is missing: the folder of the run')
  workdir = paths.local(_WORKDIR.value, '--workdir')
  processes.join(
    _COORDINATOR.value,
    _PROCESSES.value,
    _PROCESS.value,
    _PATIENCE.value,
    _HEARTBEAT.value,
  )
  cli.quiet_unless_first()
  if mode == 'eval':
    results = None
    if _RESULTS.value:
      results = paths.local(_RESULTS.value, '--results')
    text = whole_run.evaluation().evaluate_run(
      workdir, config, _STEPS.value, _WATCH.value, results
    )
  elif _RESULTS.value:
    raise errors.UserError(
      '--results is set; add --mode=eval: a training writes into its --workdir'
    )
  elif config.eval.video:
    raise errors.UserError(
      'config field "eval.video" is set; add --mode=eval, or leave it empty'
    )
  else:
    text = whole_run.train(config, workdir)
  cli.say(text)


if __name__ == '__main__':
  cli.main(run)
