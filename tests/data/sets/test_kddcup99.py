"""The prepared set of KDDCUP99 as a source."""

import time

import numpy as np
import pytest

from memae_jax.data import prepare, protocols, sources
from memae_jax.data.prepare.builders import kddcup99
from memae_jax.data.tables import columns
from memae_jax.runtime import errors
from tests.data.prepare import command


def _load(data_config, folder):
  return sources.load(
    data_config(name='kddcup99', protocol='random_rows', data_dir=str(folder))
  )


def test_prepare_and_load(kddcup99_files, tmp_path, data_config):
  path = prepare.prepare('kddcup99', tmp_path / 'sets', kddcup99_files)
  assert path == tmp_path / 'sets/kddcup99_ten_percent/1.0.0'
  source = _load(data_config, tmp_path / 'sets')
  assert source.inputs.shape == (100, 122)
  np.testing.assert_array_equal(source.inputs[:, 0], np.arange(100) % 7)
  names = [column.name for column in source.columns]
  assert names == list(kddcup99.COLUMNS)
  counts = source.notes['label_counts']
  assert (counts['normal'], counts['smurf'], counts['neptune']) == (20, 60, 20)
  normal = source.label_names.index('normal')
  assert len(source.normal_labels) == 22 and normal not in source.normal_labels


@pytest.mark.parametrize('exists', [False, True])
def test_not_prepared_names_the_command(tmp_path, data_config, exists):
  folder = tmp_path / 'sets'
  if exists:
    folder.mkdir()
  with pytest.raises(
    errors.UserError,
    match='not prepared.*python -m memae_jax.data.prepare kddcup99'
    ' --data_dir=.*sets',
  ):
    _load(data_config, folder)


@pytest.fixture(scope='module')
def real(shared, tmp_path_factory):
  """The real set, prepared by the command."""
  raw = shared / 'data/kddcup99'
  if not raw.is_dir():
    pytest.skip('no folder shared/data/kddcup99 with the real file')
  folder = tmp_path_factory.mktemp('real')
  got = command.run('kddcup99', f'--manual_dir={raw}', f'--data_dir={folder}')
  assert got.returncode == 0, got.stderr
  assert 'kddcup99 is ready in' in got.stdout
  assert got.stderr == ''
  return folder


def test_real_counts(real, data_config):
  start = time.perf_counter()
  source = _load(data_config, real)
  seconds = time.perf_counter() - start
  assert source.inputs.shape == (494_021, 122)
  assert source.inputs.dtype == np.float32
  counts = source.notes['label_counts']
  assert counts['normal'] == 97_278 and counts['smurf'] == 280_790
  assert counts['neptune'] == 107_201 and counts['spy'] == 2
  assert source.notes['duplicate_rows'] == 348_437
  assert len(source.label_names) == 23
  one_hot = [column for column in source.columns if column.categories]
  assert [len(c.categories) for c in one_hot] == [3, 66, 11, 2, 2, 2, 2]
  first = dict(zip(columns.input_names(source.columns), source.inputs[0]))
  assert (first['src_bytes'], first['dst_bytes']) == (181, 5450)
  assert first['dst_host_same_src_port_rate'] == np.float32(0.11)
  assert seconds < 30  # About 3 s when left alone.

  config = data_config(
    name='kddcup99',
    protocol='random_rows',
    train_fraction=0.5,
    scaling='minmax',
    unknown_category='zero',
  )
  split = protocols.split(source, config, 0)
  assert len(split.test) == 247_011
  assert split.anomalous.mean() == pytest.approx(0.197, abs=0.002)
  assert len(split.train) + len(split.validation) == pytest.approx(
    396_743 / 2, rel=0.01
  )
  assert split.notes['test_unknown_categories']['service=ntp_u'] > 100
  assert split.notes['test_rows_in_train'] > 150_000
  with pytest.raises(errors.UserError, match='service=.*first sample'):
    protocols.split(
      source,
      data_config(name='kddcup99', protocol='random_rows', scaling='minmax'),
      0,
    )
