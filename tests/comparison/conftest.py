"""Runs that are compared: one folder of them for all tests that only read."""

import pytest

from tests import finished


@pytest.fixture(scope='session')
def made(tmp_path_factory):
  """Two runs on the same images, and one on videos; not to be changed."""
  folder = tmp_path_factory.mktemp('finished')
  finished.write(folder / 'a')
  finished.write(folder / 'b', **{'train.learning_rate': 0.5})
  finished.write(folder / 'video', is_video=True)
  return folder
