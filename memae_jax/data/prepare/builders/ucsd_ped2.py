"""UCSD Ped2 as a TFDS data set without TensorFlow.

It is read from the publisher's tree (TIFF frames, masks, labels in a .m file),
or from the tree of the "future frame prediction" release (JPEG frames), which
many use.
"""

import pathlib

import tensorflow_datasets as tfds

from memae_jax.data import listing
from memae_jax.data.prepare.builders import videos
from memae_jax.data.videos import decode_video, video_labels
from memae_jax.runtime import errors

_LABELS = ('UCSDped2.m', 'ped2.mat', 'frame_labels_ped2.npy')


class UcsdPed2(videos.VideoSet):
  """`ucsd_ped2`: pedestrians on a walkway, 360x240 grey; carts and bicycles."""

  VERSION = tfds.core.Version('1.0.0')
  HOMEPAGE = 'http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm'
  URLS = (
    'http://www.svcl.ucsd.edu/projects/anomaly/UCSD_Anomaly_Dataset.tar.gz',
  )
  ARCHIVES = {
    'UCSD_Anomaly_Dataset.tar.gz': ('md5', '5006421b89885f45a6f93b041145f2eb')
  }
  VIDEOS = 16, 12
  FRAMES = 2010

  def read(self, folder: pathlib.Path) -> videos.Tree:
    """Finds videos, labels and masks in a folder; see `VideoSet.read`."""
    for inside in (('UCSDped2/Train', 'UCSDped2/Test'), ('Train', 'Test')):
      if root := videos.base(folder, *inside):
        train, test = (root / name for name in inside)
        return _tree(train, test, test, test, 'TIFF as published')
    if root := videos.base(folder, 'training/frames', 'testing/frames'):
      train, test = root / 'training/frames', root / 'testing/frames'
      masks = root / 'testing/pixel_masks'
      return _tree(train, test, masks, root, 'JPEG copies')
    raise videos.nothing_found(
      folder,
      'UCSDped2/Train and UCSDped2/Test, nor training/frames and'
      ' testing/frames',
      self.HOMEPAGE,
    )


def _tree(train, test, masks, labels, origin) -> videos.Tree:
  """Reads the labels, and lists the files of the videos.

  Args:
    train: folder with a folder of frames for each training video.
    test: likewise for the test videos; may also hold folders of masks.
    masks: folder with the folders of masks.
    labels: folder with the file of labels.
    origin: of the frames, in words for the results.
  """
  is_video = lambda folder: not folder.name.endswith('_gt')
  tests = [
    (folder.name, videos.frames(folder))
    for folder in filter(is_video, listing.folders(test))
  ]
  paths = [labels / name for name in _LABELS if (labels / name).is_file()]
  if not paths:
    raise errors.UserError(
      f'{labels} has no {" or ".join(_LABELS)} with the labels of the test'
      ' videos; fetch one of them'
    )
  names, files = zip(*tests) if tests else ((), ())
  labels_of = video_labels.read(paths[0], names, list(map(len, files)))
  return videos.Tree(
    [
      videos.Video(folder.name, videos.frames(folder))
      for folder in listing.folders(train)
    ],
    [
      videos.Video(name, frames, label, _masks(masks, number, len(frames)))
      for number, (name, frames, label) in enumerate(
        zip(names, files, labels_of)
      )
    ],
    origin,
    paths[0].name,
  )


def _masks(folder: pathlib.Path, number: int, frames: int):
  """Returns a function that reads the masks [n, H, W] bool, or None.

  Folders of masks are named after the publisher's videos, in either tree.

  Args:
    folder: with the folders of masks.
    number: of the video, from 0.
    frames: how many the video has.
  """
  masks = folder / f'Test{number + 1:03d}_gt'
  if not masks.is_dir():
    return None
  return lambda: decode_video.masks(videos.frames(masks), frames, 0)
