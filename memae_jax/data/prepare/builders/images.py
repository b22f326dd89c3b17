"""Base class of the builders of image sets, which store blocks of images.

A TFDS example here is a block of images compressed with zlib, as in
`kddcup99`: one image per example takes many times longer to read back.
"""

import pathlib

import numpy as np
import tensorflow_datasets as tfds

BLOCK = 1000  # Images per example.


class ImageBlocks(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Blocks of images in the order of the publisher's files.

  image: [B, *SHAPE] uint8.
  label: [B] uint8, indices into `LABELS`.
  """

  HOMEPAGE: str
  URLS: tuple[str, ...]
  SHAPE: tuple[int, ...]
  LABELS: tuple[str, ...]
  SIZES: dict[str, int]  # Images of each split.
  TEST: str  # Name of the split that is the official test part.
  raw_dir: pathlib.Path  # Holds the publisher's files; set by `prepare`.

  def _info(self) -> tfds.core.DatasetInfo:
    tensor = lambda *shape: tfds.features.Tensor(
      shape=(None, *shape), dtype=np.uint8, encoding='zlib'
    )
    return tfds.core.DatasetInfo(
      builder=self,
      description=self.__doc__,
      homepage=self.HOMEPAGE,
      disable_shuffling=True,
      features=tfds.features.FeaturesDict(
        {'image': tensor(*self.SHAPE), 'label': tensor()}
      ),
    )

  def _generate_examples(self, images, labels):
    for start in range(0, len(labels), BLOCK):
      block = slice(start, start + BLOCK)
      yield start, {'image': images[block], 'label': labels[block]}
