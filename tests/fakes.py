"""Small sets that pass as the published ones, prepared for a config."""

import gzip
import hashlib
import pickle
import struct

import numpy as np
from PIL import Image

from memae_jax.data import prepare
from memae_jax.data.builders import cifar10 as cifar10_builder
from memae_jax.data.builders import kddcup99 as kddcup99_builder
from memae_jax.data.builders import mnist as mnist_builder


def _prepare(name, folder, monkeypatch):
  prepare.prepare(name, folder, folder / 'raw')
  monkeypatch.setenv('MEMAE_DATA_DIR', str(folder))


def kddcup99(folder, monkeypatch, rows=1500):
  """Random rows in the layout of the published file."""
  rng = np.random.default_rng(0)
  columns = kddcup99_builder.COLUMNS
  lines = []
  for i in range(rows):
    kind = ('normal', 'smurf', 'back', 'neptune', 'smurf')[i % 5]
    cells = [str(x) for x in rng.integers(0, 9, len(columns))]
    for name in ('land', 'logged_in', 'is_host_login', 'is_guest_login'):
      cells[columns.index(name)] = str(i % 2)
    cells[1:4] = 'tcp', ('http', 'private')[i % 2], 'SF'
    lines.append(','.join(cells) + f',{kind}.\n')
  raw = ''.join(lines).encode()
  digest = hashlib.sha256(raw).hexdigest()
  monkeypatch.setattr(kddcup99_builder, 'SHA256', digest)
  monkeypatch.setattr(kddcup99_builder, 'ROWS', rows)
  (folder / 'raw').mkdir()
  path = folder / 'raw' / kddcup99_builder.FILES[0]
  path.write_bytes(gzip.compress(raw))
  _prepare('kddcup99', folder, monkeypatch)


def idx(array):
  """An idx file of bytes."""
  header = struct.pack(f'>HBB{array.ndim}I', 0, 8, array.ndim, *array.shape)
  return header + array.tobytes()


def mnist_files(folder, monkeypatch, sizes):
  """Writes the four files in small, which pass as published; their arrays."""
  rng = np.random.default_rng(0)
  monkeypatch.setattr(mnist_builder.MnistBlocks, 'SIZES', sizes)
  folder.mkdir()
  arrays = {}
  for name in mnist_builder.SHA256:
    size = sizes['train' if name.startswith('train') else 'test']
    shape, high = ((size, 28, 28), 256) if 'images' in name else ((size,), 10)
    arrays[name] = rng.integers(0, high, shape, np.uint8)
    content = idx(arrays[name])
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(mnist_builder.SHA256, name, digest)
    (folder / f'{name}.gz').write_bytes(gzip.compress(content))
  return arrays


def mnist(folder, monkeypatch):
  """Random images and labels in idx files."""
  mnist_files(folder / 'raw', monkeypatch, {'train': 300, 'test': 200})
  _prepare('mnist', folder, monkeypatch)


def cifar10(folder, monkeypatch, each=20):
  """Random images in two pickled batches."""
  rng = np.random.default_rng(0)
  names = ('data_batch_1', 'test_batch')
  monkeypatch.setattr(
    cifar10_builder, 'COUNTS', {name: (each,) * 10 for name in names}
  )
  monkeypatch.setattr(
    cifar10_builder.Cifar10Blocks, 'SIZES', dict.fromkeys(names, 10 * each)
  )
  (folder / 'raw').mkdir()
  for name in names:
    batch = {
      'data': rng.integers(0, 256, (10 * each, 3072), np.uint8),
      'labels': [i % 10 for i in range(10 * each)],
    }
    (folder / 'raw' / name).write_bytes(pickle.dumps(batch))
  _prepare('cifar10', folder, monkeypatch)


def pictures(folder, kinds=('scratch',), side=32, suffix='.png', colour=False):
  """A folder of grey noise pictures; anomalies have a white square and mask."""
  rng = np.random.default_rng(0)
  for part, count in (('train/good', 12), ('test/good', 4)):
    (folder / part).mkdir(parents=True)
    for i in range(count):
      shape = (side, side, 3) if colour else (side, side)
      pixels = rng.integers(0, 100, shape, np.uint8)
      Image.fromarray(pixels).save(folder / part / f'{i:03d}{suffix}')
  for kind in kinds:
    (folder / 'test' / kind).mkdir(parents=True)
    (folder / 'ground_truth' / kind).mkdir(parents=True)
    for i in range(4):
      shape = (side, side, 3) if colour else (side, side)
      pixels = rng.integers(0, 100, shape, np.uint8)
      mask = np.zeros((side, side), np.uint8)
      mask[2 + i : 9 + i, 3:10] = 255
      pixels[mask > 0] = 255
      Image.fromarray(pixels).save(folder / 'test' / kind / f'{i:03d}{suffix}')
      place = folder / 'ground_truth' / kind / f'{i:03d}_mask.png'
      Image.fromarray(mask).save(place)
  return folder
