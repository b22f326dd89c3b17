"""CUHK Avenue as a TFDS data set without TensorFlow, from the published files.

A frame is labelled anomalous if its published mask is not empty. Other labels
of the frames circulate, which differ: give them as `data.label_path`, and the
results name them.
"""

import pathlib

import tensorflow_datasets as tfds

from memae_jax.data.prepare.builders import videos
from memae_jax.data.videos import mat_files
from memae_jax.runtime import errors

_BASE = 'http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/'
_MASKS = 'testing_label_mask'


class CuhkAvenue(videos.VideoSet):
  """`cuhk_avenue`: people before a building, 640x360; running, throwing."""

  VERSION = tfds.core.Version('1.0.0')
  HOMEPAGE = f'{_BASE}dataset.html'
  URLS = (f'{_BASE}Avenue_Dataset.zip', f'{_BASE}ground_truth_demo.zip')
  ARCHIVES = {
    'Avenue_Dataset.zip': (
      'sha256',
      'fc9cb8432a11ca79c18aa180c72524411411b69d3b0ff27c8816e41c0de61531',
    ),
    'ground_truth_demo.zip': (
      'sha256',
      '60fec1728ec8f73a58aad3aeb5729d70a805a47e0b8eb4bf91ab67ef06386d77',
    ),
  }
  VIDEOS = 16, 21
  FRAMES = 15_324

  def read(self, folder: pathlib.Path) -> videos.Tree:
    """Finds videos and masks in a folder; see `VideoSet.read`."""
    root = videos.base(folder, 'training_videos', 'testing_videos')
    masks = videos.base(folder, _MASKS)
    if not root or not masks:
      raise videos.nothing_found(
        folder, f'training_videos, testing_videos and {_MASKS}', self.HOMEPAGE
      )
    return videos.Tree(
      [
        videos.Video(file.stem, [file])
        for file in videos.films(root / 'training_videos')
      ],
      [
        _test(file, masks / _MASKS)
        for file in videos.films(root / 'testing_videos')
      ],
      'AVI as published',
      'masks as published',
    )


def _test(film: pathlib.Path, folder: pathlib.Path) -> videos.Video:
  """Returns a test video; the masks of 01.avi are in 1_label.mat."""
  path = folder / f'{film.stem.lstrip("0")}_label.mat'
  if not path.is_file():
    raise errors.UserError(f'{path} is missing; fetch the masks again')

  def read_masks():
    masks, _ = mat_files.masks_or_labels(path)
    if masks is None:
      raise errors.UserError(f'{path} has no "volLabel"; fetch the masks again')
    return masks

  labels = read_masks().any(axis=(1, 2))
  return videos.Video(film.stem, [film], labels, read_masks)
