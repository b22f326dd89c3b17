"""Files of samples: places to find them by, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from memae_jax.exported import sample_files
from memae_jax.runtime import errors

_IMAGES = {
  'kind': 'images',
  'shape': [8, 8, 1],
  'dtype': 'uint8',
  'image_size': 0,
  'levels': [0, 255],
}


def _prepared(samples, where):
  if samples.shape[1:] != (8, 8, 1):
    raise errors.UserError(f'{where}another shape')
  return samples


def test_an_array_has_numbers_and_pictures_have_names(tmp_path):
  x = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)
  np.save(tmp_path / 'x.npy', x)
  places, samples = sample_files.read(tmp_path / 'x.npy', _IMAGES, _prepared)
  assert places == {'image': [0, 1, 2]}
  np.testing.assert_array_equal(samples, x)
  folder = tmp_path / 'pictures'
  folder.mkdir()
  for i, image in enumerate(x):
    Image.fromarray(image[..., 0]).save(folder / f'{i}.png')
  places, samples = sample_files.read(folder, _IMAGES, _prepared)
  assert places == {'image': ['0.png', '1.png', '2.png']}
  np.testing.assert_array_equal(samples, x)


def test_what_does_not_fit_is_named(tmp_path):
  path = tmp_path / 'x.npy'
  with pytest.raises(errors.UserError, match='x.npy does not exist'):
    sample_files.read(path, _IMAGES, _prepared)
  np.save(path, np.zeros((2, 9, 9, 1), np.uint8))
  with pytest.raises(errors.UserError, match='x.npy: another shape'):
    sample_files.read(path, _IMAGES, _prepared)
