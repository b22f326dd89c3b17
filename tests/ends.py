"""A small run and its scorer, written by one JAX and read by another.

python -m tests.ends write FOLDER
python -m tests.ends read FOLDER
python -m tests.ends refresh FOLDER

All print what scoring gives; `write` puts it into numbers.json, too, and
`refresh` rebuilds the program of the scorer before. The zip
files in tests/golden are such folders without their locks, see its README.
"""

import json
import pathlib
import sys
from typing import Any

import jax
import numpy as np
from absl import flags

from memae_jax import config as config_lib
from memae_jax import export, scorer
from memae_jax.evaluation.scoring import collect
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop
from tests import helpers

_NUMBERS = 'numbers.json'
_SOME = 20  # Samples.


def write(folder: pathlib.Path) -> dict[str, Any]:
  """Trains for a few steps, exports, and returns what `read` does."""
  changes = {'fleet.normal_classes': (0,), 'train.epochs': 1.0}
  exp = experiment.build(helpers.digits(**changes))
  loop.train(exp, folder / 'run')
  export.to_file(folder / 'run', folder / 'digits.scorer')
  found = read(folder)
  (folder / _NUMBERS).write_text(json.dumps(found))
  return found


def written(folder: pathlib.Path) -> dict[str, Any]:
  """Returns what `read` gave the writer."""
  return json.loads((folder / _NUMBERS).read_text())


def read(folder: pathlib.Path) -> dict[str, Any]:
  """Scores samples by the checkpoint and by the exported file.

  Returns:
    `jax`; `checkpoint`, scores of test samples; `scorer`, those of the first
    samples and the threshold, or `refused`, the line that says why not.
  """
  run = folder / 'run'
  exp = experiment.build(config_lib.load(run / 'config.json'))
  _, weights, _ = collect.restored(exp, run)
  scored = exp.programs.score(weights, [split.test for split in exp.splits])
  error = np.asarray(scored.scores['mse'])[0, :_SOME]
  found = {'jax': jax.__version__, 'checkpoint': error.tolist()}
  try:
    one = scorer.load(folder / 'digits.scorer')
    scores = one.score(exp.source.inputs[:_SOME])
    return found | {'scorer': [*scores.tolist(), one.threshold]}
  except errors.UserError as error:
    return found | {'refused': str(error)}


def refresh(folder: pathlib.Path) -> dict[str, Any]:
  """Rebuilds the scorer's program under this JAX, and reads."""
  path = folder / 'digits.scorer'
  export.refresh(path, path)
  return read(folder)


if __name__ == '__main__':
  flags.FLAGS.mark_as_parsed()
  jobs = {'write': write, 'read': read, 'refresh': refresh}
  job = jobs[sys.argv[1]]
  print(json.dumps(job(pathlib.Path(sys.argv[2]))))
