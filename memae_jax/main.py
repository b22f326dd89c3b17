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

from memae_jax import cli, errors
from memae_jax import config as config_lib
from memae_jax.evaluation import evaluate, films
from memae_jax.planning import plan
from memae_jax.training import checkpoint, experiment, loop

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


def train(config, workdir: pathlib.Path) -> None:
  """Trains to the end, evaluates, writes the report."""
  exp = experiment.build(config)
  loop.train(exp, workdir)
  evaluate_newest(exp, workdir)


def evaluate_run(workdir: pathlib.Path, config) -> None:
  """Evaluates a run by a config that trains alike."""
  loop.check_same_training(workdir, config)
  evaluate_newest(experiment.build(config), workdir)


def evaluate_newest(exp: experiment.Experiment, workdir: pathlib.Path) -> None:
  """Evaluates the newest sound checkpoint, or scores a video with it."""
  with checkpoint.Checkpoints(
    workdir, read_only=True, real=exp.programs.real_shapes
  ) as checkpoints:
    at, state = loop.trained(exp, checkpoints, workdir)
    if exp.config.eval.video:
      print(f'scores: {films.score_new(exp, state, at, workdir)}')
      return
    course = exp.config.eval.course
    history = checkpoints.sound(exp.programs.init_shapes()) if course else ()
    trained = checkpoints.meta(at).get('environment')
    results = evaluate.evaluate(exp, state, at, workdir, history, trained)
  print(evaluate.headline(results))
  print(f'report: {workdir / "report.html"}')


def run() -> None:
  """Runs the job that the flags describe."""
  if _MODE.value == 'plan':
    if _CONFIG.value is None:
      raise errors.UserError('--config is missing, such as configs/digits.py')
    config = config_lib.resolve(_CONFIG.value)
    folder = pathlib.Path(_WORKDIR.value or '.').expanduser()
    plan.run(config, _TOPOLOGY.value, folder, _LIMITS.value)
    return
  if not _WORKDIR.value:
    raise errors.UserError('--workdir is missing: the folder of the run')
  workdir = pathlib.Path(_WORKDIR.value).expanduser()
  given = _CONFIG.value
  config = None if given is None else config_lib.resolve(given)
  if _MODE.value == 'eval':
    evaluate_run(workdir, config)
  elif config is None:
    raise errors.UserError('--config is missing, such as configs/digits.py')
  elif config.eval.video:
    raise errors.UserError(
      'config field "eval.video" is set; add --mode=eval, or leave it empty'
    )
  else:
    train(config, workdir)


if __name__ == '__main__':
  cli.main(run)
