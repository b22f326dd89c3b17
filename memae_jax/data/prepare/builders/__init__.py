"""TFDS builders of the published data sets, without TensorFlow."""
