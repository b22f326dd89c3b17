"""A run is evaluated by the top-k read, or refuses what that would lose."""

import json

import numpy as np
import pytest

from tests import helpers


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp('top_k')
  fields = {
    'fleet.normal_classes': (3,),
    'model.memory.temperature': 0.1,
    'model.memory.threshold': 1.0,
  }
  config = helpers.write_config(folder / 'c.py', helpers.digits(**fields))
  code, _, err = helpers.run(f'--config={config}', f'--workdir={folder}/run')
  assert code == 0, err
  return folder / 'run', config


def _eval(workdir, k):
  return helpers.run(
    '--mode=eval', f'--workdir={workdir}',
    '--config.model.memory.read=top_k', f'--config.model.memory.top_k={k}',
  )  # fmt: skip


@pytest.mark.slow
def test_scores_are_those_of_the_dense_read(run):
  workdir, _ = run
  (path,) = (workdir / 'eval').glob('*/scores.npz')
  dense = dict(np.load(path))
  code, _, err = _eval(workdir, 9)  # Of 10 slots one never survives.
  assert code == 0, err
  arrays = np.load(path)
  for name, value in dense.items():
    np.testing.assert_allclose(arrays[name], value, rtol=1e-5, atol=1e-6)
  results = json.loads((workdir / 'results.json').read_text())
  assert results['config']['model']['memory']['read'] == 'top_k'


def test_lost_survivors_end_it(run):
  workdir, _ = run
  before = (workdir / 'results.json').read_bytes()
  code, _, err = _eval(workdir, 1)
  assert code == 2 and 'more survivors than model.memory.top_k, 1' in err
  assert (workdir / 'results.json').read_bytes() == before


@pytest.mark.parametrize(
  ('flags', 'message'),
  [
    ([], 'has no gradient'),
    (['--config.mesh.memory=2'], 'slots of one device'),
  ],
)
def test_it_is_only_for_evaluation_on_one_device(run, tmp_path, flags, message):
  _, config = run
  code, _, err = helpers.run(
    f'--config={config}', f'--workdir={tmp_path}',
    '--config.model.memory.read=top_k', *flags,
  )  # fmt: skip
  assert code == 2 and message in err
