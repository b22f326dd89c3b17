"""Small experiments whose methods predict the last frame of a clip."""

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.metrics

from memae_jax.methods import registry
from memae_jax.training import experiment, fleet, loop, step
from tests import helpers

FIELDS = {
  'model.task': 'predict',
  'model.widths': (4, 6),
  'model.time_strides': (),
  'data.clip_frames': 5,
  'data.image_size': 16,
  'data.image_width': 24,
  'data.clip_stride': 10,
  'methods.frame_pred.widths': (4, 6),
  'methods.frame_pred.discriminator': (3, 4),
  'methods.mnad.widths': (4, 6),
  'model.memory.slots': 6,
  'model.memory.threshold': 0.0,
  'train.epochs': 1.0,
  'eval.batch_size': 64,
}


def config(variant, **fields):
  """A config of one method on generated clips; `fields` are dotted."""
  return helpers.clips(**FIELDS | {'fleet.variants': (variant,)} | fields)


def trained(exp):
  """Trains an experiment and returns the scores of its test samples."""
  state, now = exp.programs.init(), 0
  while now < exp.steps:
    state, now, _ = loop.advance(exp, state, now)
  rows = [split.test for split in exp.splits]
  found = exp.programs.score(step.weights(state), rows).scores
  return {k: np.asarray(v)[:, : len(rows[0])] for k, v in found.items()}


def samples(exp, count):
  """The first test samples, as model inputs."""
  x = exp.source.inputs[exp.splits[0].test[:count]]
  return np.asarray(x, np.float32) / np.float32(127.5) - 1


def sensitivity(method, variables, x, hyper):
  """Size of the gradient of a prediction for each frame of a clip, [T]."""
  mask = np.ones(len(x), bool)

  def total(x):
    return method.predict(variables, x, hyper, mask, None).output.sum()

  gradient = jax.jit(jax.grad(total))(x)
  return np.abs(np.asarray(gradient)).sum(axis=(0, 2, 3, 4))


def shapes(method, shape, hyper):
  """Shapes of the initial variables for samples of a shape."""
  x = jax.ShapeDtypeStruct((1, *shape), np.float32)
  return jax.eval_shape(lambda x: method.init(jax.random.key(0), x, hyper), x)


def filled(method, shape, hyper):
  """Random numbers in place of initial variables, without a compilation."""
  rng = np.random.default_rng(0)

  def fill(leaf):
    scale = 1.5 / np.sqrt(np.prod(leaf.shape[:-1]))  # Of kernels.
    drawn = rng.normal(0, scale if leaf.ndim > 1 else 0.1, leaf.shape)
    return jnp.asarray(drawn, jnp.float32)

  return jax.tree.map(fill, shapes(method, shape, hyper))


def built(config, shape):
  """The method of a config with one family, for samples of a shape."""
  replicas = fleet.replicas(config)
  return registry.find(replicas[0].variant).build(config, shape, replicas)


def count(variables):
  """How many parameters there are."""
  return sum(leaf.size for leaf in jax.tree.leaves(variables['params']))


def auroc_of_shapes(variant, **fields):
  """Trains on generated videos; AUROC of test frames by rule."""
  fields = {
    'data.image_size': 32,
    'data.image_width': 0,
    'data.clip_stride': 2,
    'methods.frame_pred.widths': (8, 16, 32),
    'methods.mnad.widths': (8, 16, 32),
    'model.memory.slots': 10,
    'train.epochs': 4.0,
    'train.batch_size': 8,
    **fields,
  }
  exp = experiment.build(config(variant, **fields))
  anomalous = exp.source.labels[exp.splits[0].test]
  return {
    rule: sklearn.metrics.roc_auc_score(anomalous, score[0])
    for rule, score in trained(exp).items()
  }
