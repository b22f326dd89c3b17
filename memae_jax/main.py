"""Trains and evaluates a fleet of memory-augmented autoencoders.

python -m memae_jax.main --config=configs/digits.py --workdir=runs/digits
python -m memae_jax.main --mode=eval --workdir=runs/digits
python -m memae_jax.main --mode=eval --workdir=runs/ped2 \
  --config.eval.video=FILE
python -m memae_jax.main --mode=plan --config=configs/mnist.py \
  --topology=v5e:2x4

Kept short on purpose: flags in, one job out. The work is in the libraries.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from memae_jax import cli, errors, parallel
from memae_jax import config as config_lib
from memae_jax.evaluation import evaluate, films, jobs
from memae_jax.planning import plan
from memae_jax.training import experiment, loop

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'Experiment, such as configs/digits.py:classes=3.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
_MODE = flags.DEFINE_enum(
  'mode',
  'train',
  ['train', 'eval', 'plan'],
  'train also evaluates the last step; plan compiles without running.',
)
_TOPOLOGY = flags.DEFINE_string(
  'topology', '', 'plan: the machine, such as v5e:4x4 or cpu:8; empty: this.'
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
_COORDINATOR = flags.DEFINE_string(
  'coordinator', '', 'Several processes: HOST:PORT of the first.'
)
_PROCESSES = flags.DEFINE_integer('processes', 0, 'Their number.')
_PROCESS = flags.DEFINE_integer('process', -1, 'Which of them this is, from 0.')


def train(config, workdir: pathlib.Path) -> None:
  """Trains to the end, evaluates, writes the report."""
  if config.model.memory.read == 'top_k':
    raise errors.UserError(
      'config field "model.memory.read" is "top_k", which has no gradient; use'
      ' it with --mode=eval'
    )
  exp = experiment.build(config)
  loop.train(exp, workdir)
  if config.eval.course:
    evaluate_steps(exp, workdir, 'all')
  else:
    evaluate_newest(exp, workdir)


def evaluate_run(workdir: pathlib.Path, config) -> None:
  """Evaluates a run by a config that trains alike, maybe on other data."""
  if _WATCH.value:
    jobs.wait_for_run(workdir)
  loop.check_same_training(workdir, config, other_data=True)
  other = loop.names_other_data(workdir, config)
  stored = jobs.origin(workdir) if other else None
  exp = experiment.build(config, stored)
  if exp.trained_on is None:  # The same samples, so no other split of them.
    loop.check_same_training(workdir, config)
  if config.eval.video or (_STEPS.value == 'latest' and not _WATCH.value):
    evaluate_newest(exp, workdir)
  else:
    evaluate_steps(exp, workdir, _STEPS.value, _WATCH.value)


def evaluate_steps(exp, workdir: pathlib.Path, steps: str, watch=False) -> None:
  """Evaluates checkpoints that have no results yet."""
  with loop.opened(exp, workdir) as checkpoints:
    done = jobs.run(exp, checkpoints, workdir, steps, watch)
  cli.say(f'evaluated steps: {", ".join(map(str, done)) or "none left"}')


def evaluate_newest(exp: experiment.Experiment, workdir: pathlib.Path) -> None:
  """Evaluates the newest sound checkpoint, or scores a video with it."""
  with loop.opened(exp, workdir) as checkpoints:
    at, state = loop.trained(exp, checkpoints, workdir)
    if exp.config.eval.video:
      cli.say(f'scores: {films.score_new(exp, state, at, workdir)}')
      return
    trained = checkpoints.meta(at).get('environment')
    results = jobs.evaluate_one(exp, state, at, workdir, trained)
  cli.say(evaluate.headline(results))
  cli.say(f'report: {evaluate.report_of(exp, at, workdir)}')


def run() -> None:
  """Runs the job that the flags describe."""
  mode, given = _MODE.value, _CONFIG.value
  config = None if given is None else config_lib.resolve(given)
  if config is None and mode != 'eval':
    raise errors.UserError('--config is missing, such as configs/digits.py')
  if mode == 'plan':
    folder = pathlib.Path(_WORKDIR.value or '.').expanduser()
    plan.run(config, _TOPOLOGY.value, folder, _LIMITS.value)
    return
  parallel.join(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
  cli.quiet_unless_first()
  if not _WORKDIR.value:
    raise errors.UserError('--workdir is missing: the folder of the run')
  workdir = pathlib.Path(_WORKDIR.value).expanduser()
  if mode == 'eval':
    evaluate_run(workdir, config)
  elif config.eval.video:
    raise errors.UserError(
      'config field "eval.video" is set; add --mode=eval, or leave it empty'
    )
  else:
    train(config, workdir)


if __name__ == '__main__':
  cli.main(run)
