"""What the builders of video sets share: one example is one video.

It holds the publisher's files as they are, pictures or one video file: decoded,
ShanghaiTech would take 400 GB. Names and labels lie in the metadata, so that
they are read without the frames.
"""

import pathlib
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from memae_jax.data import listing
from memae_jax.data.images import decode_image
from memae_jax.data.prepare.builders import raw
from memae_jax.data.videos import decode_video
from memae_jax.runtime import errors, foreign


class Video(NamedTuple):
  """A video of the publisher.

  files: pictures in order, or one video file.
  labels: [n] of a test video, 1 where a frame is anomalous.
  masks: returns [n, H, W] of a test video; None: there are none.
  """

  name: str
  files: Sequence[pathlib.Path]
  labels: np.ndarray | None = None
  masks: Callable[[], np.ndarray] | None = None


class Tree(NamedTuple):
  """What a publisher's tree holds.

  frames_from, labels_from: in words, for the results.
  """

  train: Sequence[Video]
  test: Sequence[Video]
  frames_from: str
  labels_from: str


class VideoSet(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Videos in natural order of their names.

  files: [bytes] uint8 of all files, one after the other; sizes: of each.
  suffix: of the files. masks: [n, H, W] uint8, or [0, 0, 0] if there are none.
  """

  HOMEPAGE: str
  URLS: tuple[str, ...]
  ARCHIVES: dict[str, tuple[str, str]]  # Name -> kind and digits of checksum.
  VIDEOS: tuple[int, int]  # To train on, and to test on.
  FRAMES: int  # Of all test videos.
  raw_dir: pathlib.Path  # Holds the publisher's files; set by `prepare`.

  def read(self, folder: pathlib.Path) -> Tree:
    """Returns what the publisher's tree in a folder holds."""
    raise NotImplementedError

  def _info(self) -> tfds.core.DatasetInfo:
    tensor = lambda rank, dtype=np.uint8, encoding='zlib': tfds.features.Tensor(
      shape=(None,) * rank, dtype=dtype, encoding=encoding
    )
    return tfds.core.DatasetInfo(
      builder=self,
      description=self.__doc__,
      homepage=self.HOMEPAGE,
      disable_shuffling=True,
      metadata=tfds.core.MetadataDict(),
      features=tfds.features.FeaturesDict(
        {
          'files': tensor(1, encoding='bytes'),  # They are compressed.
          'sizes': tensor(1, np.int64),
          'suffix': tfds.features.Text(),
          'masks': tensor(3),
        }
      ),
    )

  def download_and_prepare(self, **options) -> None:
    """See TFDS. What has to be unpacked is there while this runs."""
    # A user's own folder may be read-only. What a killed run leaves here is
    # removed by the next one, as of TFDS itself.
    beside = pathlib.Path(self.data_path).parent
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
      dir=beside, prefix='incomplete.'
    ) as folder:
      self._tree = self.read(self._unpack(pathlib.Path(folder)))
      self._check(self._tree)
      super().download_and_prepare(**options)

  def _split_generators(self, dl_manager):
    del dl_manager
    tree = self._tree
    self.info.metadata.update(
      train=[video.name for video in tree.train],
      test=[video.name for video in tree.test],
      labels=[video.labels.astype(int).tolist() for video in tree.test],
      masks=all(video.masks for video in tree.test),
      labels_from=tree.labels_from,
      frames_from=tree.frames_from,
    )
    return {
      'train': self._generate_examples(tree.train),
      'test': self._generate_examples(tree.test),
    }

  def _generate_examples(self, videos):
    for number, video in enumerate(videos):
      content = [file.read_bytes() for file in video.files]
      masks = video.masks() if video.masks else np.zeros((0, 0, 0))
      yield (
        number,
        {
          'files': np.frombuffer(b''.join(content), np.uint8),
          'sizes': np.array([len(part) for part in content], np.int64),
          'suffix': video.files[0].suffix.lower(),
          'masks': masks.astype(np.uint8),
        },
      )

  def _unpack(self, target: pathlib.Path) -> pathlib.Path:
    """Unpacks the archives if they are there; returns where the files are."""
    there = [name for name in self.ARCHIVES if (self.raw_dir / name).is_file()]
    for name in there:
      path = self.raw_dir / name
      raw.check_file(path, *self.ARCHIVES[name], self.HOMEPAGE)
      try:
        if path.suffix == '.zip':
          with zipfile.ZipFile(path) as archive:
            archive.extractall(target)  # It strips ".." and "/".
        else:
          with tarfile.open(path) as archive:
            archive.extractall(target, filter='data')
      except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error,
              RuntimeError) as error:  # fmt: skip
        raise errors.UserError(
          f'{path} cannot be unpacked ({foreign.reason(error)}); fetch it again'
          f' from {self.HOMEPAGE}'
        ) from error
    return target if there else self.raw_dir

  def _check(self, tree: Tree) -> None:
    for part, videos, expected in zip(
      ('training', 'test'), (tree.train, tree.test), self.VIDEOS
    ):
      if len(videos) != expected:
        raise errors.UserError(
          f'{self.raw_dir} has {len(videos)} {part} videos, expected {expected}'
          f'; fetch the missing ones from {self.HOMEPAGE}, or remove what is'
          ' no video of the set'
        )
    for video in tree.test:
      if len(video.files) not in (1, len(video.labels)):
        raise errors.UserError(
          f'{video.files[0].parent} has {len(video.files)} frames, but there'
          f' are {len(video.labels)} labels of it; fetch the video again from'
          f' {self.HOMEPAGE}'
        )
    found = sum(len(video.labels) for video in tree.test)
    if found != self.FRAMES:
      raise errors.UserError(
        f'{self.raw_dir} has labels of {found:,} test frames, expected'
        f' {self.FRAMES:,}; fetch it again from {self.HOMEPAGE}'
      )


def base(folder: pathlib.Path, *inside: str) -> pathlib.Path | None:
  """Returns the folder, or one at most two below, that has all of `inside`."""
  for found in (folder, *folder.glob('*'), *folder.glob('*/*')):
    if all((found / name).exists() for name in inside):
      return found
  return None


def frames(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the pictures in a folder, in natural order.

  Raises:
    UserError: there are none.
  """
  files = listing.files(folder) if folder.is_dir() else []
  found = [f for f in files if f.suffix.lower() in decode_image.SUFFIXES]
  if not found:
    raise errors.UserError(f'{folder} has no frames; fetch the set again')
  return found


def films(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the video files in a folder, in natural order."""
  files = listing.files(folder) if folder.is_dir() else []
  return [f for f in files if f.suffix.lower() in decode_video.SUFFIXES]


def nothing_found(folder: pathlib.Path, layout: str, url: str) -> Any:
  """Returns the error that a publisher's tree is not there."""
  return errors.UserError(
    f'{folder} does not hold {layout}; fetch them from {url} and give their'
    ' folder as --manual_dir'
  )
