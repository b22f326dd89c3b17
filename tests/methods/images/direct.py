"""Methods that are fitted and asked without a run around them."""

import jax
import numpy as np
import scipy.ndimage
import sklearn.metrics

from tests import helpers
from tests.methods import fitting


def built(build, name, shape, **fields):
  """Returns a method, and the values of its only replica."""
  config = helpers.digits(
    **{'fleet.variants': (name,), 'fleet.normal_classes': (0,), **fields}
  )
  replicas = fitting.replicas(config)
  method = build(config, shape, replicas)
  return method, jax.tree.map(lambda x: x[0], method.hyper(replicas, config))


def fit(build, name, train, **fields):
  """Fits a method to pictures [n, H, W, C]: variables, and what it predicts."""
  method, hyper = built(build, name, train.shape[1:], **fields)
  first = method.init(jax.random.key(0), train[:1], hyper)
  everyone = np.ones(len(train), bool)
  collect = jax.jit(lambda x: method.collect(first, x, hyper, everyone, 0, 0))
  collected = collect(train)
  variables, done = method.finish(
    *jax.device_get((first, collected)), hyper, 0, 0, np.random.default_rng(0)
  )
  assert done
  jax.tree.map(
    lambda a, b: np.testing.assert_equal(a.shape, b.shape), first, variables
  )

  @jax.jit
  def predict(x, variables):
    return method.predict(variables, x, hyper, np.ones(len(x), bool), None)

  asked = lambda x, by=variables: jax.device_get(predict(x, by))
  return variables, asked


def texture(count, seed, size=40):
  """Grey pictures [count, size, size, 1] of a soft surface in [-1, 1]."""
  noise = np.random.default_rng(seed).normal(size=(count, size, size))
  soft = scipy.ndimage.gaussian_filter(noise, 1.5, axes=(1, 2), mode='wrap')
  return np.float32(soft / soft.std() / 4)[..., None]


def planted(build, name, **fields):
  """Pixel AUROC of places in a texture where it is another one."""
  test = texture(4, 1)
  stripes = np.where(np.arange(test.shape[2]) % 4 < 2, 0.6, -0.6)[:, None]
  mask = np.zeros(test.shape[:3], bool)
  for i, (row, column) in enumerate([(3, 4), (20, 9), (14, 25), (27, 27)]):
    mask[i, row : row + 9, column : column + 9] = True
  test = np.float32(np.where(mask[..., None], stripes, test))
  _, predict = fit(build, name, texture(4, 0), **fields)
  (found,) = predict(test).maps.values()
  return sklearn.metrics.roc_auc_score(mask.ravel(), found.ravel())
