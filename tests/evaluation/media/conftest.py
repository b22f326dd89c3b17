"""A run on generated videos, and a video that it has not seen."""

import pytest
from PIL import Image

from memae_jax.data.sets import moving_shapes
from tests import helpers

SHAPES = (
  f'--config={helpers.ROOT}/configs/moving_shapes.py:smoke,variant=memae+ae'
)


@pytest.fixture(scope='session')
def run(tmp_path_factory):
  """A run on generated videos after one step."""
  workdir = tmp_path_factory.mktemp('films') / 'run'
  code, _, err = helpers.run(
    SHAPES,
    f'--workdir={workdir}',
    '--config.train.epochs=0.01',
    '--config.data.max_samples=0',
    '--config.data.clip_stride=30',
    '--config.data.image_size=16',
    '--config.eval.baselines=()',
    '--config.eval.films=("test_02",)',
  )
  assert code == 0, err
  return workdir


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
  """The second test video as a folder of frames, without zeros in front."""
  place = tmp_path_factory.mktemp('new') / 'walk'
  place.mkdir()
  frames, _ = moving_shapes.video(moving_shapes.TRAIN + 1, 16, 16, True)
  for i, frame in enumerate(frames):
    Image.fromarray(frame[..., 0]).save(place / f'{i + 1}.png')
  return place
