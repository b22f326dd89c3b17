"""Names of files and folders; addresses are none."""

import pathlib

import pytest

from memae_jax import config as config_lib
from memae_jax import scorer
from memae_jax.comparison import folders
from memae_jax.data import registry
from memae_jax.runtime import errors, foreign, paths
from tests import helpers

ADDRESSES = [
  'gs://bucket/run',
  'gs:/bucket/run',  # What pathlib makes of it.
  's3://bucket/run',
  's3a://bucket/run',
  'hdfs://host:9000/run',
  'abfss://box@account.dfs.core.windows.net/run',
  'https://host/run.csv',
  'dbfs:/run',
  'host:/run',
  'me@host:/run',
  'file://host/run',
]


@pytest.mark.parametrize('name', ADDRESSES)
def test_addresses(name, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('MEMAE_DATA_DIR', name)
  for take in (
    lambda: paths.local(name, '--workdir'),
    lambda: config_lib.resolve(
      {'data': {'path': name}, 'fleet': {'normal_classes': (0,)}}
    ),
    lambda: scorer.load(name),
    lambda: foreign.file(name),
    lambda: folders.find([name]),
    lambda: registry.data_dir(),
  ):
    with pytest.raises(errors.UserError, match='address.* mount') as refused:
      take()
    assert f'"{name}"' in str(refused.value)
  code, _, err = helpers.run(
    f'--config={helpers.ROOT}/configs/digits.py:smoke', f'--workdir={name}'
  )
  assert code == 2 and err.startswith('error: --workdir is "')
  assert err.count('\n') == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  'name, path',
  [
    ('runs/a', 'runs/a'),
    ('/runs/a', '/runs/a'),
    ('./gs:/a', 'gs:/a'),
    ('12:30', '12:30'),
    ('a:b/c', 'a:b/c'),
    ('runs/12:/a', 'runs/12:/a'),
    ('C:/a', 'C:/a'),
    ('file:///runs/a', '/runs/a'),
    ('file:/runs/a', '/runs/a'),
    ('file://localhost/runs/a%20b', '/runs/a b'),
    ('~/a', '/home/me/a'),
    ('widths=[64,32]', 'widths=[64,32]'),
  ],
)
def test_paths(name, path, monkeypatch):
  monkeypatch.setenv('HOME', '/home/me')
  assert paths.local(name, '--workdir') == pathlib.Path(path)


@pytest.mark.parametrize('name', ['~nosuchuser/a', 'a\0b'])
def test_names_that_no_file_has(name):
  with pytest.raises(errors.UserError, match='--workdir'):
    paths.local(name, '--workdir')
