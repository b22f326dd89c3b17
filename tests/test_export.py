"""What an exported file says, and runs that cannot be exported."""

import datetime
import json
import sys

import jax
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax import export, scorer
from memae_jax.exported import expiry, scorer_file
from tests import exports, helpers

_DAY = datetime.timedelta(days=2)


def test_what_the_file_says(scored_run, scorer_of):
  exp, _, folder = scored_run('dense')
  path, found = scorer_of('dense', 1)
  assert found.exported.platforms == ('cpu', 'cuda', 'tpu')
  assert found.exported.in_avals[0].shape[1:] == (8, 8, 1)
  meta = found.meta
  assert meta['data_sha256'] == exp.identity['data_sha256']
  assert meta['replica']['name'] == exp.replicas[1].name
  assert config_lib.resolve(meta['config']) == exp.config
  assert meta['checkpoint']['step'] == exp.steps
  assert meta['score']['name'] == 'mse'
  assert meta['environment']['versions']['jax'] == jax.__version__
  assert meta['jax'] == jax.__version__
  today = datetime.datetime.now(datetime.UTC).date()
  assert today - datetime.date.fromisoformat(meta['exported']) < _DAY
  until = expiry.readable_until(jax.__version__)
  assert meta['readable_until'] == (
    f'that JAX and later ones released until {until}'
  )
  again = folder / 'again'
  export.to_file(folder, again, exp.replicas[1].name)
  binary = exports.members(path)[scorer_file.PROGRAM]
  assert exports.members(again)[scorer_file.PROGRAM] == binary
  assert b'.py' not in binary


def test_runs_that_are_refused(scored_run, tmp_path):
  _, _, folder = scored_run('dense')
  exports.refused(
    'did you mean|known', export.to_file, folder, tmp_path / 'a', 'gan'
  )
  exports.refused('.', export.to_file, tmp_path, tmp_path / 'a')
  _, _, clips = scored_run('clips')
  config = json.loads((clips / 'config.json').read_text())
  config['eval']['score'] = 'mse_averaged'
  (tmp_path / 'config.json').write_text(json.dumps(config))
  exports.refused(
    'all clips of a video', export.to_file, tmp_path, tmp_path / 'a'
  )
  config['eval'] |= {'score': 'mse', 'smooth': 2.0}
  (tmp_path / 'config.json').write_text(json.dumps(config))
  exports.refused(
    'eval.smooth" is 2, which needs', export.to_file, tmp_path, tmp_path / 'a'
  )
  assert not (tmp_path / 'a').exists()


def test_without_flatbuffers(scored_run, scorer_of, monkeypatch, tmp_path):
  path, (_, _, folder) = scorer_of('dense')[0], scored_run('dense')
  monkeypatch.setitem(sys.modules, 'flatbuffers', None)
  exports.refused('flatbuffers is missing', scorer.load, path)
  exports.refused(
    'flatbuffers is missing', export.to_file, folder, tmp_path / 'a'
  )


@pytest.mark.slow
def test_exporting_from_the_command_line(scored_run, tmp_path):
  _, _, folder = scored_run('table')
  process = helpers.start(
    str(folder), f'--to={tmp_path / "a"}', module='memae_jax.export'
  )
  out, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  assert 'python -m memae_jax.scorer' in out
  assert (
    'readable by that JAX and later ones released until' in out.splitlines()[-1]
  )
  assert scorer.load(tmp_path / 'a').threshold > 0
  process = helpers.start(str(folder), module='memae_jax.export')
  _, err = process.communicate(timeout=300)
  assert process.returncode == 2
  assert err.splitlines()[-1] == 'error: give the folder of a run and --to=FILE'


@pytest.mark.parametrize('index', [0, 2])
def test_a_destroyed_program_is_rebuilt(scorer_of, tmp_path, index):
  path, found = scorer_of('dense', index)
  members, broken = exports.members(path), tmp_path / 'broken.scorer'
  broken.write_bytes(
    exports.archive(members | {scorer_file.PROGRAM: b'destroyed'})
  )
  exports.refused('sha256 of the program', scorer.load, broken)
  export.refresh(broken, broken)
  again = scorer.load(broken)
  x = np.random.default_rng(0).integers(
    0, 256, (40, *again.meta['input']['shape'])
  )
  x = x.astype(again.meta['input']['dtype'])
  for name, values in again.explain(x).items():
    np.testing.assert_array_equal(values, found.explain(x)[name])
  assert again.meta['normal_scores'] == found.meta['normal_scores']


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['images', 'clips', 'motion', 'table'])
def test_each_kind_is_rebuilt_byte_for_byte(scorer_of, tmp_path, kind):
  path, _ = scorer_of(kind)
  export.refresh(path, tmp_path / 'again.scorer')
  assert exports.members(path) == exports.members(tmp_path / 'again.scorer')


def test_files_that_cannot_be_rebuilt(scorer_of, tmp_path):
  old = helpers.ROOT / 'tests' / 'exported' / 'files' / 'version2.scorer'
  exports.refused(
    'has version 2 .* holds no weights .* export the run again',
    export.refresh,
    old,
    tmp_path / 'new',
  )
  path, _ = scorer_of('dense')
  members = exports.members(path)
  meta = json.loads(members[scorer_file.META])
  meta['config']['model']['network'] = 'other'
  (tmp_path / 'a').write_bytes(
    exports.archive(members | {scorer_file.META: json.dumps(meta)})
  )
  exports.refused(
    'cannot be rebuilt .*model.network.* export the run again',
    export.refresh,
    tmp_path / 'a',
    tmp_path / 'b',
  )
  assert not (tmp_path / 'b').exists()
