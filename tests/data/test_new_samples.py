"""New pictures and videos are read as those that trained."""

import numpy as np

from memae_jax.data import new_samples
from tests.data.images import pictures


def test_a_folder_of_12_bits_and_what_is_scored_later(tmp_path, load_pictures):
  values = pictures.twelve_bit_folder(tmp_path)
  source = load_pictures(tmp_path)
  assert source.levels == (0, 4095)
  for name, pixels in zip(source.places['file'], source.inputs):
    want = pictures.scaled(values[name], 0, 4095)
    np.testing.assert_array_equal(pixels[..., 0], want)
  assert source.notes['pictures_clipped_from_16_bits'] == 1
  assert source.notes['pictures_scaled_from_16_bits'] == 6
  wanted = {
    'kind': 'images',
    'dtype': 'uint8',
    'shape': [6, 5, 1],
    'image_size': 0,
    'levels': list(source.levels),
  }
  names, later = new_samples.read(tmp_path / 'test', wanted)
  assert names == ['crack/5.png', 'good/4.png']
  np.testing.assert_array_equal(later, source.inputs[source.is_test])
  wanted['levels'] = [0, 65535]
  _, by_all_16_bits = new_samples.read(tmp_path / 'test', wanted)
  assert by_all_16_bits.max() == round(5000 / 257)
