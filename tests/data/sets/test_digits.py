"""The digits of scikit-learn as images of bytes."""

import numpy as np

from memae_jax.data import sources


def test_digits(data_config):
  source = sources.load(data_config())
  assert source.inputs.shape == (1797, 8, 8, 1)
  assert source.inputs.dtype == np.uint8
  assert (source.inputs.min(), source.inputs.max()) == (0, 255)
  assert source.label_names == tuple('0123456789')
  assert source.labels.dtype == np.int32
  assert source.notes['label_counts']['0'] == 178
  assert source.notes['duplicate_rows'] == 0
