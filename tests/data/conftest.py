import gzip
import hashlib
import pathlib

import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.data import sources, types
from memae_jax.data.prepare.builders import cifar10, images, kddcup99, ucsd_ped2
from memae_jax.data.tables import arrays, columns
from tests import fakes
from tests.data.prepare.builders import python2_batches, trees


@pytest.fixture(scope='session')
def data_config():
  """Makes a resolved `config.data` from some of its fields."""

  def make(**fields):
    protocol = fields.get('protocol', 'one_class')
    one_class = protocol in config_lib.ONE_CLASS
    classes = {'normal_classes': (0,) if one_class else ()}
    return config_lib.resolve({'data': fields, 'fleet': classes}).data

  return make


@pytest.fixture(scope='session')
def load_pictures(data_config):
  """Reads a folder of pictures as the source `image_folder`."""

  def make(root, **fields):
    fields = {'protocol': 'given', **fields}
    config = data_config(name='image_folder', path=str(root), **fields)
    return sources.load(config)

  return make


@pytest.fixture(scope='session')
def make_source():
  """Makes a labelled table: value, sign (+-) and a category."""

  def make(rows=60, classes=3, seed=0, **replace):
    rng = np.random.default_rng(seed)
    letters = ('a', 'b', 'c')
    inputs, encoded = columns.encode(
      {
        'size': rng.uniform(0, 100, rows),
        'sign': rng.normal(0, 1, rows),
        'kind': rng.integers(0, 3, rows),
      },
      {'kind': letters},
    )
    source = types.Source(
      name='made',
      inputs=inputs,
      labels=(np.arange(rows) % classes).astype(np.int32),
      label_names=tuple(f'class {i}' for i in range(classes)),
      normal_labels=(0,),
      columns=encoded,
    )
    return source._replace(**replace)

  return make


@pytest.fixture
def load_table(tmp_path, data_config):
  """Returns a function that writes and loads files; `raw`: no host stage."""

  def make(content, name='my.csv', test=None, raw=False, **fields):
    paths = {'path': str(tmp_path / name)}
    if test is not None:
      paths['test_path'] = str(tmp_path / f'test-{name}')
    for part, path in zip((content, test), map(pathlib.Path, paths.values())):
      if callable(part):
        part(path)
      elif part is not None:
        path.write_bytes(part if isinstance(part, bytes) else part.encode())
    fields = {
      'name': 'arrays',
      'protocol': 'random_rows' if test is None else 'given',
      'label_column': 'kind',
      'normal_labels': ('ok',),
      **paths,
      **fields,
    }
    return (arrays if raw else sources).load(data_config(**fields))

  return make


@pytest.fixture
def kddcup99_files(tmp_path, monkeypatch):
  """A folder with a raw file of 100 rows that passes as the published one."""
  raw = ''.join(fakes.kddcup99_row(i) for i in range(100)).encode()
  monkeypatch.setattr(kddcup99, 'SHA256', hashlib.sha256(raw).hexdigest())
  monkeypatch.setattr(kddcup99, 'ROWS', 100)
  monkeypatch.setattr(kddcup99, 'BLOCK', 16)
  folder = tmp_path / 'raw'
  folder.mkdir()
  (folder / kddcup99.FILES[0]).write_bytes(gzip.compress(raw))
  return folder


MNIST_SIZES = {'train': 30, 'test': 12}


@pytest.fixture
def mnist_files(tmp_path, monkeypatch):
  """Four small files that pass as the published ones, and their arrays."""
  monkeypatch.setattr(images, 'BLOCK', 8)
  folder = tmp_path / 'raw'
  return folder, fakes.mnist_files(folder, monkeypatch, MNIST_SIZES)


@pytest.fixture
def cifar10_files(tmp_path, monkeypatch):
  """Small files that pass as the published ones, and their content."""
  monkeypatch.setattr(cifar10, 'COUNTS', python2_batches.COUNTS)
  sizes = {name: sum(counts) for name, counts in python2_batches.COUNTS.items()}
  monkeypatch.setattr(cifar10.Cifar10Blocks, 'SIZES', sizes)
  folder = tmp_path / 'raw'
  folder.mkdir()
  batches = {
    name: python2_batches.batch(name, seed)
    for seed, name in enumerate(python2_batches.COUNTS)
  }
  for name, batch in batches.items():
    (folder / name).write_bytes(python2_batches.python2(batch))
  return folder, batches


@pytest.fixture
def load_prepared(tmp_path, data_config):
  def make(name, **fields):
    fields = {'protocol': 'given', 'data_dir': str(tmp_path / 'sets'), **fields}
    return sources.load(data_config(name=name, **fields))

  return make


@pytest.fixture
def ped2_files(tmp_path, monkeypatch):
  trees.shrink(monkeypatch, ucsd_ped2.UcsdPed2)
  return fakes.ucsd_ped2_tree(tmp_path / 'raw')
