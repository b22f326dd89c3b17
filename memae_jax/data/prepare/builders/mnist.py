"""MNIST as a TFDS data set without TensorFlow, from the publisher's idx files.

An idx file is a header of big-endian numbers (two zero bytes, the type, the
number of axes, the length of each axis) and the values.
"""

import math
import pathlib
import struct

import numpy as np
import tensorflow_datasets as tfds

from memae_jax.data.prepare.builders import images, raw
from memae_jax.runtime import errors

_BASE = 'https://ossci-datasets.s3.amazonaws.com/mnist/'
_UINT8 = 8  # Type in the header of an idx file.
# Checksums of the unpacked files: gzip headers differ for the same content.
SHA256 = {
  'train-images-idx3-ubyte': (
    'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db'
  ),
  'train-labels-idx1-ubyte': (
    '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5'
  ),
  't10k-images-idx3-ubyte': (
    '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7'
  ),
  't10k-labels-idx1-ubyte': (
    'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2'
  ),
}


class MnistBlocks(images.ImageBlocks):
  """`mnist_blocks`: handwritten digits, 28x28 grey, in the published order."""

  VERSION = tfds.core.Version('1.0.0')
  HOMEPAGE = 'http://yann.lecun.com/exdb/mnist/'
  URLS = tuple(f'{_BASE}{name}.gz' for name in SHA256)
  SHAPE = (28, 28, 1)
  LABELS = tuple('0123456789')
  SIZES = {'train': 60_000, 'test': 10_000}
  TEST = 'test'

  def _split_generators(self, dl_manager):
    del dl_manager
    splits = {}
    for split, prefix in (('train', 'train'), ('test', 't10k')):
      size = self.SIZES[split]
      pixels = read(self.raw_dir, f'{prefix}-images-idx3-ubyte', (size, 28, 28))
      labels = read(self.raw_dir, f'{prefix}-labels-idx1-ubyte', (size,))
      splits[split] = self._generate_examples(pixels[..., None], labels)
    return splits


def read(folder: pathlib.Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
  """Reads a published idx file, plain or as .gz.

  Args:
    folder: that it is in.
    name: of the plain file, one of `SHA256`.
    shape: of its values.

  Returns:
    the values, uint8 of `shape`.

  Raises:
    UserError: the file is missing, damaged, or not the published one.
  """
  url = f'{_BASE}{name}.gz'
  path = raw.find(folder, (name + '.gz', name), url)
  content = raw.unpacked(path, url)
  header = struct.pack(f'>HBB{len(shape)}I', 0, _UINT8, len(shape), *shape)
  start, size = len(header), math.prod(shape)
  if content[:4] != header[:4]:
    raise errors.UserError(
      f'{path} is not an idx file of bytes along {len(shape)} axes: it begins'
      f' with {content[:4].hex(" ") or "nothing"}, expected'
      f' {header[:4].hex(" ")}; fetch {url} again'
    )
  if content[:start] != header and len(content) >= start:
    announced = struct.unpack_from(f'>{len(shape)}I', content, 4)
    raise errors.UserError(
      f'{path} announces values of shape {announced}, expected {shape}; fetch'
      f' {url} again'
    )
  if len(content) != start + size:
    raise errors.UserError(
      f'{path} has {len(content):,} bytes, expected {start + size:,}; fetch'
      f' {url} again'
    )
  raw.check(content, 'sha256', SHA256[name], path, url)
  return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
