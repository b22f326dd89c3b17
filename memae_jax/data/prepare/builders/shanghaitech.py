"""ShanghaiTech Campus as a TFDS data set without TensorFlow.

It is read from the published tree: training videos as AVI files (or folders of
frames in training/frames), test videos as folders of frames with labels and
masks. This is the original split, whose training videos hold no anomaly.
"""

import pathlib

import tensorflow_datasets as tfds

from memae_jax.data import listing
from memae_jax.data.prepare.builders import videos
from memae_jax.data.videos import video_labels
from memae_jax.runtime import errors, foreign


class Shanghaitech(videos.VideoSet):
  """`shanghaitech`: 13 scenes of a campus, 856x480; bicycles, fights, carts."""

  VERSION = tfds.core.Version('1.0.0')
  HOMEPAGE = 'https://svip-lab.github.io/dataset/campus_dataset.html'
  URLS = ('http://101.32.75.151:8181/dataset/shanghaitech.tar.gz',)
  ARCHIVES = {
    'shanghaitech.tar.gz': ('md5', '08494decd30fb0fa213b519a9c555040')
  }
  VIDEOS = 330, 107
  FRAMES = 40_791

  def read(self, folder: pathlib.Path) -> videos.Tree:
    """Finds videos, labels and masks in a folder; see `VideoSet.read`."""
    root = videos.base(folder, 'training', 'testing/frames')
    if not root:
      raise videos.nothing_found(
        folder,
        'training/videos (or training/frames) and testing/frames',
        self.HOMEPAGE,
      )
    train = [
      videos.Video(file.stem, [file])
      for file in videos.films(root / 'training/videos')
    ] or [
      videos.Video(entry.name, videos.frames(entry))
      for entry in listing.folders(root / 'training/frames')
    ]
    tests = [
      (entry.name, videos.frames(entry))
      for entry in listing.folders(root / 'testing/frames')
    ]
    names, files = zip(*tests) if tests else ((), ())
    labels = video_labels.read(
      root / 'testing/test_frame_mask', names, list(map(len, files))
    )
    return videos.Tree(
      train,
      [
        videos.Video(name, frames, label, _masks(root, name, len(frames)))
        for name, frames, label in zip(names, files, labels)
      ],
      'as published',
      'test_frame_mask as published',
    )


def _masks(root, name, frames):
  """Returns a function that reads the masks [n, H, W] bool, or None."""
  path = root / 'testing/test_pixel_mask' / f'{name}.npy'
  if not path.is_file():
    return None

  def read():
    masks = foreign.npy(path)
    if masks.ndim != 3 or len(masks) != frames:
      raise errors.UserError(
        f'{path} has shape {masks.shape}, but the video has {frames} frames'
      )
    return masks != 0

  return read
