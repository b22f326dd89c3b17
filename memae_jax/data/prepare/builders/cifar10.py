"""CIFAR-10 as a TFDS data set without TensorFlow, from the "python version".

The publisher's files are pickles in an archive. The pickles are read without
running anything that they name, the archive without unpacking it to disk.
"""

import io
import pathlib
import reprlib
import sys
import tarfile
import zlib

import numpy as np
import tensorflow_datasets as tfds

from memae_jax.data.prepare.builders import images, pickles, raw
from memae_jax.runtime import child, errors, foreign

URL = 'https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz'
ARCHIVE = 'cifar-10-python.tar.gz'
ARCHIVE_MD5 = 'c58f30108f718f92721af3b95e74349a'  # As published.
FOLDER = 'cifar-10-batches-py'
TEST = 'test_batch'
_SECONDS = 60  # Within which a batch must be read.
# Number of images of each class. No checksums of single batches are published.
COUNTS = {
  'data_batch_1': (1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981),
  'data_batch_2': (984, 1007, 1010, 995, 1010, 988, 1008, 1026, 987, 985),
  'data_batch_3': (994, 1042, 965, 997, 990, 1029, 978, 1015, 961, 1029),
  'data_batch_4': (1003, 963, 1041, 976, 1004, 1021, 1004, 981, 1024, 983),
  'data_batch_5': (1014, 1014, 952, 1016, 997, 1025, 980, 977, 1003, 1022),
  TEST: (1000,) * 10,
}


class Cifar10Blocks(images.ImageBlocks):
  """`cifar10_blocks`: 32x32 colour photographs, in the published order.

  Each of the publisher's batches is a split, so that a set which was prepared
  from some of them tells which.
  """

  VERSION = tfds.core.Version('1.0.0')
  HOMEPAGE = 'https://www.cs.toronto.edu/~kriz/cifar.html'
  URLS = (URL,)
  SHAPE = (32, 32, 3)
  LABELS = tuple(
    'airplane automobile bird cat deer dog frog horse ship truck'.split()
  )
  SIZES = {name: sum(counts) for name, counts in COUNTS.items()}
  TEST = TEST

  def _split_generators(self, dl_manager):
    del dl_manager
    archive = self.raw_dir / ARCHIVE
    read = _from_archive if archive.is_file() else _from_folder
    return {
      name: self._generate_examples(*decode(content, where, name))
      for name, (content, where) in read(archive).items()
    }


def _from_archive(path: pathlib.Path) -> dict[str, tuple[bytes, str]]:
  """Returns content, and name for messages, of each batch in the archive."""
  raw.check_file(path, 'md5', ARCHIVE_MD5, URL)
  content = path.read_bytes()
  batches = {}
  try:
    with tarfile.open(fileobj=io.BytesIO(content), mode='r:gz') as archive:
      for name in COUNTS:
        # By their exact names: other members are never looked at.
        batch = archive.extractfile(f'{FOLDER}/{name}').read()
        batches[name] = batch, f'{path} {name}'
  except (tarfile.TarError, KeyError, AttributeError, OSError, EOFError,
          zlib.error) as error:  # fmt: skip
    raise errors.UserError(
      f'{path} is not an archive with the files {", ".join(COUNTS)} in'
      f' {FOLDER} ({error}); fetch {URL} again'
    ) from error
  return batches


def _from_folder(archive: pathlib.Path) -> dict[str, tuple[bytes, str]]:
  """Returns content, and name for messages, of each batch that is on disk.

  The batches lie where the archive would, or in the folder that it unpacks to.
  """
  folder = archive.parent / FOLDER
  folder = folder if folder.is_dir() else archive.parent
  names = [name for name in COUNTS if (folder / name).is_file()]
  if TEST not in names or len(names) < 2:
    raise errors.UserError(
      f'{folder} holds neither {ARCHIVE} nor its files {TEST} and data_batch_1'
      ' to data_batch_5; put them there, or leave --manual_dir out to download'
      f' them from {URL}'
    )
  missing = [name for name in COUNTS if name not in names]
  if missing:
    print(
      f'warning: {folder} has no {" and no ".join(missing)}; the set is'
      ' prepared without these images, and results say so (to add them, delete'
      ' the set and prepare it again)',
      file=sys.stderr,
    )
  return {
    name: (foreign.content(folder / name, raw.LIMIT), str(folder / name))
    for name in names
  }


def decode(
  content: bytes, where: str, name: str
) -> tuple[np.ndarray, np.ndarray]:
  """Reads a pickled batch, without trusting it.

  Args:
    content: of the file.
    where: its path, for messages.
    name: of the batch that it must be, one of `COUNTS`.

  Returns:
    images [N, 32, 32, 3] uint8 and labels [N] uint8.

  Raises:
    UserError: the file is not that batch, or would run code.
  """
  counts = COUNTS[name]
  refuse = lambda text: errors.UserError(f'{where} {text}; fetch {URL} again')
  try:
    # In a child process: a few bytes may ask for all memory, or never end.
    batch = child.call(pickles.load, (content,), _SECONDS)
  except ValueError as error:
    raise refuse(f'is refused as a pickle of data: {error}') from error
  if not isinstance(batch, dict):
    raise refuse(f'holds {type(batch).__name__}, expected a dictionary')
  fields = {
    key.decode('latin1') if isinstance(key, bytes) else key: value
    for key, value in batch.items()
  }
  for key in ('data', 'labels'):
    if key not in fields:
      raise refuse(f'has no key "{key}" (keys: {", ".join(map(str, fields))})')
  try:
    rows = pickles.byte_array(fields['data'])
  except ValueError as error:
    raise refuse(f'key "data" {error}') from error
  shape = (sum(counts), 3072)
  if rows.shape != shape:
    raise refuse(f'key "data" has shape {rows.shape}, expected {shape}')
  labels = fields['labels']
  if not isinstance(labels, list) or len(labels) != len(rows):
    length = len(labels) if isinstance(labels, list) else 'no list of'
    raise refuse(f'has {length} labels, expected {len(rows)}')
  for row, label in enumerate(labels):
    if type(label) is not int or not 0 <= label < len(counts):
      raise refuse(
        f'row {row} has label {reprlib.repr(label)}, expected 0 to'
        f' {len(counts) - 1}'
      )
  read_counts = tuple(np.bincount(labels, minlength=len(counts)).tolist())
  if read_counts != counts:
    raise refuse(
      f'is not the published {name}: its classes have {read_counts} images,'
      f' expected {counts}'
    )
  pixels = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
  return pixels, np.array(labels, np.uint8)
