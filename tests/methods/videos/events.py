"""Videos with an event of one frame, and what methods say of their frames."""

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax.data.videos import clips
from memae_jax.training import experiment, loop, step
from tests import helpers

EVENT, LENGTH = 23, 40
PLACE = np.s_[4:12, 6:18]


def planted(**fields):
  """An experiment on still ground; a part of one test frame is white."""
  rng = np.random.default_rng(0)
  ground = rng.integers(60, 190, (1, 16, 24, 1)).astype(np.uint8)
  still = np.repeat(ground, LENGTH, axis=0)
  event = still.copy()
  event[EVENT][PLACE] = 255
  videos = [
    clips.Video('one', LENGTH, False),
    clips.Video('two', LENGTH, True, np.arange(LENGTH) == EVENT),
  ]
  config = helpers.clips(**{'train.batch_size': 5} | fields)
  source = clips.source(
    'moving_shapes',
    np.concatenate([still, event]),
    videos,
    config_lib.data_of(config),
  )
  return experiment.build(config, source=source)


def advanced(exp):
  """Returns the state after all steps of an experiment."""
  state, now = exp.programs.init(), 0
  while now < exp.steps:
    state, now, _ = loop.advance(exp, state, now)
  return state


def scored(exp, state, wanted=()):
  """Returns the predictions for the test samples of each replica."""
  rows = [split.test for split in exp.splits]
  found = exp.programs.score(step.weights(state), rows, wanted)
  return jax.device_get(found)
