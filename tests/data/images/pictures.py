"""Pictures and folders of pictures that the tests write."""

import struct
import zlib

import numpy as np
from PIL import Image

SIDE = 8


SQUARE = np.zeros((SIDE, SIDE), np.uint8)
SQUARE[2:5, 1:3] = 255  # 6 pixels.


CORNER = np.zeros((SIDE, SIDE), np.uint8)
CORNER[:2, :2] = 255  # 4 pixels.


def noise(seed):
  return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), np.uint8)


def save(path, pixels=None, **options):
  """Writes pixels, or noise, as a picture; returns its path."""
  path.parent.mkdir(parents=True, exist_ok=True)
  if pixels is None:
    pixels = noise(sum(map(ord, str(path)[-40:])))
  kind = {'.JPG': 'JPEG', '.PNG': 'PNG'}.get(path.suffix)
  quality = {'quality': 95} if path.suffix.lower() in ('.jpg', '.jpe') else {}
  image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
  image.save(path, **{'format': kind, **quality, **options})
  return path


def folder(root, files):
  """Writes pictures at paths; a pair (path, pixels) has these pixels."""
  for entry in files:
    path, pixels = (entry, None) if isinstance(entry, str) else entry
    save(root / path, pixels)
  return root


def plain(root, normal='good', kinds=('crack',), tested='good', suffix='.png'):
  paths = [f'train/{normal}/{i:03d}{suffix}' for i in range(4)]
  paths += [f'test/{tested}/{i:03d}{suffix}' for i in range(2)]
  paths += [f'test/{kind}/{i:03d}{suffix}' for kind in kinds for i in range(2)]
  return folder(root, paths)


def visa(root):
  """An object of VisA without the file of its split."""
  files = [f'Data/Images/Normal/{i:04d}.JPG' for i in range(5)]
  files += [f'Data/Images/Anomaly/{i:03d}.JPG' for i in range(3)]
  files += [(f'Data/Masks/Anomaly/{i:03d}.png', SQUARE) for i in range(3)]
  folder(root, files)
  (root / 'image_anno.csv').write_text('image,label,mask\n')
  return root


def dagm(root, said=None):
  """A class of DAGM; `said`: the file of labels calls all pictures so."""
  for part in ('Train', 'Test'):
    lines = ['1']
    for i in range(1, 7):
      name = f'{i:04d}.PNG'
      save(root / part / name)
      bad = i == 5
      if bad:
        save(root / f'{part}/Label/{i:04d}_label.PNG', SQUARE)
      label = f'{i:04d}_label.PNG' if bad else '0'
      lines.append(f'{i}\t{int(said or bad)}\t{name}\t0\t{label}')
    (root / f'{part}/Label/Labels.txt').write_text('\r\n'.join(lines) + '\r\n')
  return root


def five_sets(root):
  """Categories of MVTec AD, LOCO, VisA, BTAD and DAGM, in folders of sets."""
  plain(root / 'mvtec/screw')
  plain(root / 'mvtec/metal_nut')
  plain(root / 'loco/juice_bottle', kinds=('logical_anomalies',))
  save(root / 'loco/juice_bottle/validation/good/000.png')
  visa(root / 'visa/candle')
  plain(root / 'btad/BTech/01', 'ok', ('ko',), 'ok', '.bmp')
  dagm(root / 'DAGM2007/Class1')
  (root / 'visa/split_csv').mkdir()
  (root / 'papers').mkdir()
  return root


def kinds(source):
  """Returns {file: its kind, or '' if normal}."""
  names = ('', *source.label_names[1:])
  return dict(
    zip(source.places['file'].tolist(), [names[i] for i in source.labels])
  )


def marked(source):
  """Returns {file: number of pixels of its mask} of the files with a mask."""
  return {
    file: int(mask.sum())
    for file, mask in zip(source.places['file'].tolist(), source.masks)
    if mask.any()
  }


def png_of_16_bits(values):
  """Returns a PNG of uint16 [H, W, 1 to 4]; Pillow writes no such colours."""
  height, width, channels = values.shape
  kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

  def chunk(name, body):
    check = zlib.crc32(name + body)
    return struct.pack('>I', len(body)) + name + body + struct.pack('>I', check)

  rows = b''.join(b'\0' + row.astype('>u2').tobytes() for row in values)
  header = struct.pack('>IIBBBBB', width, height, 16, kind, 0, 0, 0)
  return (
    b'\x89PNG\r\n\x1a\n'
    + chunk(b'IHDR', header)
    + chunk(b'IDAT', zlib.compress(rows))
    + chunk(b'IEND', b'')
  )


def tiff_of_16_bits(values, order='<', compressed=False):
  """Returns a TIFF of uint16 [H, W, 3]; `compressed`: by deflate."""
  height, width, channels = values.shape
  body = values.astype(f'{order}u2').tobytes()
  body = zlib.compress(body) if compressed else body
  bits = 8 + 2 + 10 * 12 + 4
  tags = [
    (256, 4, width), (257, 4, height), (258, 3, None),
    (259, 3, 8 if compressed else 1), (262, 3, 2),
    (273, 4, bits + 2 * channels), (277, 3, channels), (278, 4, height),
    (279, 4, len(body)), (284, 3, 1),
  ]  # fmt: skip
  out = (b'II*\0' if order == '<' else b'MM\0*') + struct.pack(order + 'I', 8)
  out += struct.pack(order + 'H', len(tags))
  for tag, kind, value in tags:
    count = channels if value is None else 1
    out += struct.pack(order + 'HHI', tag, kind, count)
    if value is None or kind == 4:
      out += struct.pack(order + 'I', bits if value is None else value)
    else:
      out += struct.pack(order + 'HH', value, 0)
  out += struct.pack(order + 'I', 0)
  return out + struct.pack(f'{order}{channels}H', *[16] * channels) + body


def scaled(values, low, high):
  """Returns pixels by the rule of the documentation, in float64."""
  scaled = (values.astype(float) - low) * 255 / (high - low)
  return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def twelve_bit_folder(root, high=4096):
  rng = np.random.default_rng(1)
  values = {}
  for i, place in enumerate(['train/good'] * 4 + ['test/good', 'test/crack']):
    values[f'{place}/{i}.png'] = rng.integers(0, high, (6, 5), np.uint16)
  values['test/crack/5.png'][0, 0] = 5000  # More than any that trains.
  for name, pixels in values.items():
    save(root / name, pixels)
  return values
