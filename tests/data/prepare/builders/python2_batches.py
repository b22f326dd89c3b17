"""Batches of CIFAR-10 in small, as their publisher wrote them."""

import io
import pickle

import numpy as np

from memae_jax.data import sources

COUNTS = {
  'data_batch_1': (2, 1, 3, 0, 1, 1, 1, 1, 1, 1),
  'data_batch_2': (1,) * 10,
  'test_batch': (1,) * 10,
}


class Python2(pickle._Pickler):
  """Writes bytes as text of Python 2, and numpy by its old module name."""

  dispatch = dict(pickle._Pickler.dispatch)

  def _save_text(self, content):
    size = len(content)
    head = (
      b'U' + bytes([size]) if size < 256 else b'T' + size.to_bytes(4, 'little')
    )
    self.write(head + content)
    self.memoize(content)

  def save_global(self, thing, name=None):
    if getattr(thing, '__name__', '') == '_reconstruct':
      self.write(b'cnumpy.core.multiarray\n_reconstruct\n')
      self.memoize(thing)
    else:
      super().save_global(thing, name)

  dispatch[bytes] = _save_text
  dispatch[type(np.ones)] = save_global
  dispatch[type(np._core.multiarray._reconstruct)] = save_global


def python2(batch):
  out = io.BytesIO()
  Python2(out, 2).dump(batch)
  return out.getvalue()


def batch(name, seed=0, **changes):
  rng = np.random.default_rng(seed)
  labels = np.repeat(np.arange(10), COUNTS[name])
  batch = {
    b'batch_label': name.encode(),
    b'data': rng.integers(0, 256, (len(labels), 3072), np.uint8),
    b'labels': [int(label) for label in rng.permutation(labels)],
    b'filenames': [b'a.png'] * len(labels),
  }
  return batch | {key.encode(): value for key, value in changes.items()}


def load(data_config, folder):
  return sources.load(data_config(name='cifar10', data_dir=str(folder)))


def check(source, batches):
  rows = np.concatenate([batch[b'data'] for batch in batches])
  planes = rows.reshape(-1, 3, 32, 32)
  assert source.inputs.dtype == np.uint8
  np.testing.assert_array_equal(source.inputs, np.moveaxis(planes, 1, -1))
  labels = [label for batch in batches for label in batch[b'labels']]
  np.testing.assert_array_equal(source.labels, labels)
