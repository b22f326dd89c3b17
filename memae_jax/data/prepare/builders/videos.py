"""Base class of the builders of video sets, which store one video per example.

An example holds the publisher's files as they are, pictures or one video file:
decoded, ShanghaiTech would take 400 GB. Names and labels lie in the metadata,
so that they are read without the frames.
"""

import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from memae_jax.data import listing
from memae_jax.data.images import decode_image
from memae_jax.data.prepare.builders import raw
from memae_jax.data.videos import decode_video
from memae_jax.runtime import errors


class Video(NamedTuple):
  """A video of the publisher.

  name: of the video.
  files: pictures in order, or one video file.
  labels: [n] of a test video, 1 where a frame is anomalous.
  masks: returns the masks [n, H, W] of a test video; None: it has none.
  """

  name: str
  files: Sequence[pathlib.Path]
  labels: np.ndarray | None = None
  masks: Callable[[], np.ndarray] | None = None


class Tree(NamedTuple):
  """Videos in a publisher's tree of folders.

  train, test: the videos, in order.
  frames_from, labels_from: where frames and labels are from, in words for the
    results.
  """

  train: Sequence[Video]
  test: Sequence[Video]
  frames_from: str
  labels_from: str


class VideoSet(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Videos in natural order of their names.

  files: [bytes] uint8, the content of all files, one after the other.
  sizes: [files] int64, bytes of each file.
  suffix: of the files, in lower case.
  masks: [n, H, W] uint8, or [0, 0, 0] if there are none.
  """

  HOMEPAGE: str
  URLS: tuple[str, ...]
  ARCHIVES: dict[str, tuple[str, str]]  # Name -> kind and digits of checksum.
  VIDEOS: tuple[int, int]  # Number of training and of test videos.
  FRAMES: int  # Number of frames of all test videos.
  raw_dir: pathlib.Path  # Holds the publisher's files; set by `prepare`.

  def read(self, folder: pathlib.Path) -> Tree:
    """Finds the publisher's tree in a folder, or at most two levels below.

    Raises:
      UserError: the tree is not there, or files of it are missing or wrong.
    """
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
    """Prepares the set, see TFDS; archives are unpacked while this runs.

    Args:
      **options: of TFDS.

    Raises:
      UserError: files are missing or wrong.
    """
    # Not in the folder of the archives, which may be read-only. If the process
    # is killed, the next one removes this folder, as it does those of TFDS.
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
    """Unpacks archives, if there are any; returns the folder of the files."""
    names = [name for name in self.ARCHIVES if (self.raw_dir / name).is_file()]
    for name in names:
      path = self.raw_dir / name
      raw.check_file(path, *self.ARCHIVES[name], self.HOMEPAGE)
      raw.extract(path, target, self.HOMEPAGE)
    return target if names else self.raw_dir

  def _check(self, tree: Tree) -> None:
    """Refuses a tree with other numbers of videos or frames than published."""
    for part, videos, expected in zip(
      ('training', 'test'), (tree.train, tree.test), self.VIDEOS
    ):
      if len(videos) != expected:
        raise errors.UserError(
          f'{self.raw_dir} has {len(videos)} {part} videos, expected {expected}'
          f'; fetch the missing ones from {self.HOMEPAGE}, or remove what is'
          ' not a video of the set'
        )
    for video in tree.test:
      if len(video.files) not in (1, len(video.labels)):
        raise errors.UserError(
          f'{video.files[0].parent} has {len(video.files)} frames, but there'
          f' are {len(video.labels)} labels for it; fetch the video again from'
          f' {self.HOMEPAGE}'
        )
    count = sum(len(video.labels) for video in tree.test)
    if count != self.FRAMES:
      raise errors.UserError(
        f'{self.raw_dir} has labels of {count:,} test frames, expected'
        f' {self.FRAMES:,}; fetch it again from {self.HOMEPAGE}'
      )


def base(folder: pathlib.Path, *inside: str) -> pathlib.Path | None:
  """Returns the folder that has certain entries; None: there is none.

  Args:
    folder: to look at, and at the folders up to two levels below.
    *inside: names of the entries.
  """
  for candidate in (folder, *folder.glob('*'), *folder.glob('*/*')):
    if all((candidate / name).exists() for name in inside):
      return candidate
  return None


def frames(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the pictures in a folder, in natural order.

  Raises:
    UserError: there are none.
  """
  files = listing.files(folder) if folder.is_dir() else []
  pictures = [f for f in files if f.suffix.lower() in decode_image.SUFFIXES]
  if not pictures:
    raise errors.UserError(f'{folder} has no frames; fetch the set again')
  return pictures


def films(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the video files in a folder, in natural order."""
  files = listing.files(folder) if folder.is_dir() else []
  return [f for f in files if f.suffix.lower() in decode_video.SUFFIXES]


def nothing_found(folder: pathlib.Path, layout: str, url: str) -> Any:
  """Returns the error that a publisher's tree is not there.

  Args:
    folder: that was looked in.
    layout: the folders that should be there, in words.
    url: where to fetch them.
  """
  return errors.UserError(
    f'{folder} does not hold {layout}; fetch them from {url} and give their'
    ' folder as --manual_dir'
  )
