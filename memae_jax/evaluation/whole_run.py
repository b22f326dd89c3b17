"""A run from its config to its report."""

import pathlib
from typing import Any

from memae_jax.runtime import errors, parallel
from memae_jax.training import experiment, loop, run_folder


def train(config: Any, workdir: pathlib.Path, again: bool = True) -> str:
  """Trains a run to its end and evaluates it.

  Args:
    config: resolved.
    workdir: folder of the run.
    again: whether a run whose results are there is evaluated once more.

  Returns:
    Text for the terminal.

  Raises:
    UserError: the config cannot be trained, or the folder was removed.
  """
  if config.model.memory.read == 'top_k':
    raise errors.UserError(
      'config field "model.memory.read" is "top_k", which has no gradient; use'
      ' it with --mode=eval'
    )
  exp = experiment.build(config)
  command = evaluation()
  command.check_tests(config)
  command.check(exp, workdir)
  loop.train(exp, workdir)
  text = command.after_training(exp, workdir, again)
  if parallel.is_first() and not run_folder.has_checkpoints(workdir):
    raise errors.UserError(
      f'{workdir} was removed while its weights were evaluated; they are gone:'
      ' run the same command to train again'
    )
  return text


def evaluation() -> Any:
  """Imports the evaluation late, since that takes seconds."""
  from memae_jax.evaluation import command

  return command
