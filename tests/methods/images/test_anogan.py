"""AnoGAN: its losses and its search in NumPy, and what it finds."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from memae_jax import export, scorer
from memae_jax.methods import base
from memae_jax.methods.images import anogan
from memae_jax.planning import flops
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, step
from tests import helpers
from tests.methods.videos import predicting

_TINY = {
  'fleet.variants': ('anogan',),
  'fleet.normal_classes': (3,),
  'methods.anogan.latent': 2,
  'methods.anogan.width': 4,
}
SHAPE = 8, 8, 1


def _built(**fields):
  return predicting.built(helpers.digits(**_TINY | fields), SHAPE)


@pytest.fixture(scope='module')
def method():
  return _built()


@pytest.fixture(scope='module')
def variables(method):
  """Random weights, whose norms have seen no sample."""
  start = jax.jit(lambda x: method.init(jax.random.key(3), x, ()))
  return start(np.zeros((1, *SHAPE), np.float32))


@pytest.fixture(scope='module')
def predict(method):
  """`predict` of 16 pictures by their keys, compiled once, without ssim."""
  wanted = 'mse', 'anogan', 'generated_distance'

  def some(variables, x, keys):
    found = method.predict(variables, x, (), None, keys)
    scores = {rule: found.scores[rule] for rule in wanted}
    maps = {rule: found.maps[rule] for rule in wanted[:2]}
    return found._replace(scores=scores, maps=maps)

  return jax.jit(some)


def _keys(count, seed=0):
  return jax.random.split(jax.random.key(seed), count)


def _pictures(count):
  x = np.random.default_rng(0).uniform(-1, 1, (count, *SHAPE))
  return x.astype(np.float32)


def _apply(network, variables, part, *given, **options):
  """Calls one of both networks, compiled."""
  held = {**variables, 'params': variables['params'][part]}
  call = lambda held, *given: network.apply(held, *given, **options)
  return jax.jit(call)(held, *given)


def _judged(method, variables, x):
  """Logits [B] and features [B, F] of pictures, float64."""
  both = _apply(method.critic, variables, 'discriminator', x)
  return [np.asarray(one, float) for one in both]


@pytest.fixture(scope='module')
def learning(method, variables):
  """A batch of three samples and padding, its losses and their gradients."""
  batch = base.Batch(jnp.asarray(_pictures(4)), np.arange(4) < 3, _keys(4), 3)

  def loss(params):
    parts = method.loss(
      {**variables, 'params': params}, batch, (), base.Across()
    )
    return parts.terms, {'loss': parts.loss, **parts.terms}

  found = jax.jit(jax.jacrev(loss, has_aux=True))(variables['params'])
  return batch, *found


def test_the_losses_are_cross_entropies(method, variables, learning):
  """Padding has no part in them, nor in the moments of norms."""
  batch, _, found = learning
  draw = lambda key: jax.random.normal(
    jax.random.fold_in(key, 0), (method.latent,)
  )
  z = jnp.stack([draw(key) for key in batch.keys[:3]])
  made, _ = _apply(
    method.generator,
    variables,
    'generator',
    z,
    train=True,
    mutable=['batch_stats'],
  )
  both = np.concatenate([batch.x[:3], made])
  logit, _ = _judged(method, variables, both)
  real, fake = np.split(1 / (1 + np.exp(-logit)), 2)
  expected = {
    'adversarial': -np.log(fake).mean(),
    'discriminator': -np.log(real).mean() - np.log(1 - fake).mean(),
  }
  expected['loss'] = sum(expected.values())
  assert found.keys() == expected.keys()
  for name, value in expected.items():
    np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=name)


def test_each_network_learns_from_its_own_loss(learning):
  """The loss is their sum, see above."""
  _, gradients, _ = learning
  size = lambda tree: max(np.abs(leaf).max() for leaf in jax.tree.leaves(tree))
  own = {'adversarial': 'generator', 'discriminator': 'discriminator'}
  assert gradients.keys() == own.keys()
  for name, learns in own.items():
    for part, tree in gradients[name].items():
      assert size(tree) > 1e-3 if part == learns else size(tree) == 0


def test_the_search_takes_the_steps_of_adam():
  """Of a loss whose gradient is known, by the equations of its paper."""
  goal, scale = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[1.0, 4.0]])
  loss = lambda z: jnp.sum(jnp.asarray(scale) * (z - jnp.asarray(goal)) ** 2)
  search = anogan.Search(steps=7, rate=0.3, matching=0.1)
  found = anogan.descended(loss, jnp.zeros((2, 2)), search)
  z, first, second = np.zeros((2, 2)), 0.0, 0.0
  for i in range(7):
    gradient = 2 * scale * (z - goal)
    first = 0.9 * first + 0.1 * gradient
    second = 0.999 * second + 0.001 * gradient**2
    mean, square = first / (1 - 0.9 ** (i + 1)), second / (1 - 0.999 ** (i + 1))
    rate = 0.3 * (1 + np.cos(np.pi * i / 7)) / 2
    z = z - rate * mean / (np.sqrt(square) + 1e-8)
  np.testing.assert_allclose(found, z, rtol=1e-5)
  assert np.abs(z).min() > 0.3


def test_generated_pictures_are_found_again(method, variables, predict):
  """By a fixed random generator, with the published search of 300 steps."""
  assert method.search == anogan.Search(300, 0.02, 0.1)
  z = jax.random.normal(jax.random.key(1), (8, method.latent))
  made = _apply(method.generator, variables, 'generator', z)
  rng, spread = np.random.default_rng(0), np.std(made)
  noise = rng.normal(np.mean(made), spread, made.shape).astype(np.float32)
  found = predict(variables, jnp.concatenate([made, noise]), _keys(16))
  error, score = (
    np.split(np.asarray(found.scores[rule]), 2) for rule in ('mse', 'anogan')
  )
  assert error[0].max() < 1e-3 * spread**2
  assert error[1].min() > 0.5 * spread**2
  assert score[0].max() < 0.1 * score[1].min()


def test_the_score_weighs_pixels_and_features(method, variables, predict):
  x = _pictures(16)
  found = predict(variables, x, _keys(16))
  total = lambda a, b: np.abs(a - b).reshape(len(x), -1).sum(axis=1)
  _, seen = _judged(method, variables, x)
  _, made = _judged(method, variables, found.output)
  expected = 0.9 * total(x, np.asarray(found.output)) + 0.1 * total(seen, made)
  np.testing.assert_allclose(found.scores['anogan'], expected / 64, rtol=1e-5)
  square = (np.asarray(found.output) - x)[..., 0] ** 2
  np.testing.assert_allclose(found.maps['anogan'], square, atol=1e-6)


def test_scores_do_not_depend_on_the_others_of_a_batch(variables, predict):
  x, keys = _pictures(16), _keys(16)
  score = lambda *given: predict(variables, *given).scores
  whole = score(x, keys)
  order = np.r_[4, 15:4:-1, 0:4]
  shuffled = score(x[order], keys[order])
  others = score(np.r_[x[:1], -x[1:]], jnp.r_[keys[:1], _keys(15, seed=7)])
  for rule, values in whole.items():
    close = {'rtol': 1e-4, 'atol': 1e-5, 'err_msg': rule}
    np.testing.assert_allclose(shuffled[rule], values[order], **close)
    np.testing.assert_allclose(others[rule][0], values[0], **close)
  again = score(x, _keys(16, seed=7))  # As an exported scorer has others.
  for rule, values in whole.items():
    np.testing.assert_array_equal(again[rule], values)


def test_the_distance_to_generated_pictures_is_the_energy_score():
  rng = np.random.default_rng(0)
  x, made = rng.normal(size=(5, *SHAPE)), rng.normal(size=(4, *SHAPE))
  far = lambda a, b: np.sqrt(np.mean((a - b) ** 2))
  pairs = [far(a, b) for i, a in enumerate(made) for b in made[:i]]
  expected = [np.mean([far(a, b) for b in made]) for a in x]
  expected = np.array(expected) - np.mean(pairs) / 2
  found = anogan.generated_distance(*map(jnp.float32, (x, made)))
  np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_it_is_least_for_the_distribution_of_the_pictures():
  """Neither for copies of their mean or of a few, nor for other contrasts."""
  x, made = np.random.default_rng(0).normal(size=(2, 200, 2, 2, 1))
  distance = jax.jit(anogan.generated_distance)
  mean = lambda made: float(distance(x, made).mean())
  for other in (0 * made, 0.5 * made, made[:2].repeat(100, axis=0), 2 * made):
    assert mean(made) < mean(other) - 0.02


def test_the_criterion_needs_no_search(method, variables, monkeypatch):
  monkeypatch.setattr(anogan, 'descended', None)
  predict = lambda method: jax.eval_shape(
    lambda x: method.predict(variables, x, (), None, _keys(4)), _pictures(4)
  )
  assert predict(method.validator).scores.keys() == {method.criterion[0]}
  with pytest.raises(TypeError, match='not callable'):
    predict(method)


def test_the_plan_counts_each_step_of_the_search(method, variables):
  """The work of scoring grows by that of both networks, there and back."""

  def work(steps):
    search = method.search._replace(steps=steps)
    longer = dataclasses.replace(method, search=search)
    traced = jax.make_jaxpr(
      lambda x: longer.predict(variables, x, (), None, _keys(4)).scores
    )(_pictures(4))
    return flops.count(traced, 'cpu')[0]

  # Of each network at least the convolution, without its border.
  assert work(200) - work(100) > 100 * 2 * 2 * 4 * (2 * 4 * 16 * 2 * 2)


def test_what_it_cannot_do_is_refused():
  config = helpers.digits(**_TINY)
  for shape in ((7, 9, 1), (6,), (4, 8, 8, 1)):
    with pytest.raises(errors.UserError, match='at least 8 pixels a side'):
      predicting.built(config, shape)
  with pytest.raises(errors.UserError, match='data.scaling is "standard"'):
    _built(**{'data.scaling': 'standard'})


@pytest.mark.slow
def test_it_finds_foreign_digits_and_is_exported(tmp_path, monkeypatch):
  """It trains two networks for about a thousand steps."""
  fields = {
    'methods.anogan.latent': 16,
    'methods.anogan.width': 16,
    'methods.anogan.learning_rate': 1e-3,
    'methods.anogan.steps': 50,
    'methods.anogan.rate': 0.1,
    'train.batch_size': 32,
    'train.epochs': 250.0,
    'train.log_every': 400,
    'train.validate_every': 400,
    'train.checkpoint_every': 400,
  }
  exp = experiment.build(helpers.digits(**_TINY | fields))
  assert exp.rule == 'anogan' and exp.config.eval.score == 'mse'
  with monkeypatch.context() as patch:
    patch.setattr(anogan, 'descended', None)  # Validation takes no search.
    state = loop.train(exp, tmp_path / 'run')
  (split,) = exp.splits
  found = exp.programs.score(step.weights(state), [split.test])
  score = found.scores['anogan'][0, : len(split.test)]
  assert sklearn.metrics.roc_auc_score(split.anomalous, score) >= 0.8
  export.to_file(tmp_path / 'run', tmp_path / 'a.scorer')
  said = scorer.load(tmp_path / 'a.scorer').explain(
    exp.source.inputs[split.test]
  )
  # Its searches start elsewhere.
  assert np.corrcoef(said['score'], score)[0, 1] > 0.8
  assert said['errors'].shape == (len(split.test), *SHAPE[:2])
