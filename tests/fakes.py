"""Small sets that pass as the published ones, prepared for a config."""

import gzip
import hashlib
import pickle
import struct

import numpy as np
from PIL import Image

from memae_jax.data import prepare
from memae_jax.data.prepare.builders import cifar10 as cifar10_builder
from memae_jax.data.prepare.builders import creditcard_made
from memae_jax.data.prepare.builders import kddcup99 as kddcup99_builder
from memae_jax.data.prepare.builders import mnist as mnist_builder
from memae_jax.data.prepare.builders import ucsd_ped2 as ucsd_ped2_builder


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


def creditcard(folder, monkeypatch, rows=1500):
  """A generated table of card payments, two in a hundred of them frauds."""
  columns = creditcard_made.table(rows, rows // 50)
  creditcard_made.write(folder / 'raw/creditcard.csv', columns)
  _prepare('creditcard', folder, monkeypatch)


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


def frames(folder, train=('1', '10'), test=('a', 'b')):
  """Videos of flat grey frames, 24x16: video v, frame i has 20 v + i.

  Training videos have 12 frames, test videos 10, and masks say that frames 5 to
  8 of these are anomalous.
  """
  for number, name in enumerate((*train, *test)):
    is_test = name in test
    place = folder / ('test' if is_test else 'train') / name
    place.mkdir(parents=True)
    for i in range(10 if is_test else 12):
      pixels = np.full((16, 24), 20 * number + i, np.uint8)
      Image.fromarray(pixels).save(place / f'{i + 1}.png')
      if is_test:
        mask = np.zeros((16, 24), np.uint8)
        mask[2:12, 3:20] = 255 * (5 <= i <= 8)
        place_of_mask = folder / 'ground_truth' / name
        place_of_mask.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(place_of_mask / f'{i + 1}.png')
  return folder


def ucsd_ped2_tree(folder, videos=(2, 2), length=20):
  """The published tree in small: TIFF frames 36x24, masks, and a .m file."""
  rng = np.random.default_rng(0)
  for part, count in zip(('Train', 'Test'), videos):
    for number in range(1, count + 1):
      place = folder / f'UCSDped2/{part}/{part}{number:03d}'
      place.mkdir(parents=True)
      for i in range(length):
        pixels = rng.integers(0, 256, (24, 36), np.uint8)
        Image.fromarray(pixels).save(place / f'{i + 1:03d}.tif')
      if part == 'Test':
        masks = place.with_name(f'{place.name}_gt')
        masks.mkdir()
        for i in range(length):
          mask = np.zeros((24, 36), np.uint8)
          mask[4:12, 6:18] = 255 * (i >= 9 + number)
          Image.fromarray(mask).save(masks / f'{i + 1:03d}.bmp')
  lines = [
    f'TestVideoFile{{end+1}}.gt_frame = [{10 + number}:{length}];'
    for number in range(1, videos[1] + 1)
  ]
  script = folder / 'UCSDped2/Test/UCSDped2.m'
  script.write_text('TestVideoFile = {};\n' + '\n'.join(lines) + '\n')
  return folder


def ucsd_ped2(folder, monkeypatch, length=20):
  """Two videos to train on and two to test on, prepared."""
  builder = ucsd_ped2_builder.UcsdPed2
  monkeypatch.setattr(builder, 'VIDEOS', (2, 2))
  monkeypatch.setattr(builder, 'FRAMES', 2 * length)
  ucsd_ped2_tree(folder / 'raw', length=length)
  _prepare('ucsd_ped2', folder, monkeypatch)


def kddcup99_row(i):
  kind = ('normal', 'smurf', 'smurf', 'neptune', 'smurf')[i % 5]
  cells = [str(i % 7)] * len(kddcup99_builder.COLUMNS)
  cells[1:4] = 'tcp', ('http', 'private')[i % 2], 'SF'
  cells[24] = f'{i % 4 / 4:.2f}'
  return ','.join(cells) + f',{kind}.\n'
