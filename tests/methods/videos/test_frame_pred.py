"""Frame-Pred: losses in NumPy, who learns from which, and what it may see."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from memae_jax import export, scorer
from memae_jax.evaluation.scoring import collect, plain_videos
from memae_jax.methods import base
from memae_jax.runtime import errors
from memae_jax.training import experiment
from tests import helpers
from tests.methods import resuming
from tests.methods.videos import predicting

_ADVERSARIAL = {'methods.frame_pred.adversarial': 0.05}


@pytest.fixture(scope='module')
def exp():
  return experiment.build(predicting.config('frame_pred', **_ADVERSARIAL))


@pytest.fixture(scope='module')
def started(exp):
  """Method, random variables and four samples."""
  method, x = exp.trainer.method, predicting.samples(exp, 4)
  return method, predicting.filled(method, x.shape[1:], ()), x


def _edges(image):
  """Sizes of the differences to the next pixels, 0 at the far borders."""
  down, right = np.zeros_like(image), np.zeros_like(image)
  down[:, :-1] = np.abs(image[:, 1:] - image[:, :-1])
  right[:, :, :-1] = np.abs(image[:, :, 1:] - image[:, :, :-1])
  return down, right


def _loss(method, x, size, mask=None):
  """A function of the parameters: loss and terms."""
  batch = base.Batch(jnp.asarray(x), mask, None, size)

  def loss(params):
    parts = method.loss({'params': params}, batch, (), base.Across())
    return {'loss': parts.loss, **parts.terms}

  return loss


def test_the_losses_are_those_of_the_paper(started):
  """Of three samples; the fourth one is padding, and has no part in them."""
  method, variables, x = started
  params = variables['params']
  mask = np.arange(4) < 3
  found = jax.jit(_loss(method, x, 3, mask))(params)
  # Frames as channels, the oldest first; the last frame is wanted.
  seen = np.concatenate([x[:3, i] for i in range(4)], axis=-1)
  apply = lambda net, part, x: np.asarray(
    jax.jit(net.apply)({'params': params[part]}, x), float
  )
  out = apply(method.network, 'generator', seen)
  judged = np.concatenate([x[:3, 4], out]).astype(np.float32)
  real, made = np.split(apply(method.critic, 'discriminator', judged), 2)
  wanted = x[:3, 4].astype(float)
  pairs = zip(_edges(out), _edges(wanted))
  expected = {
    'reconstruction': np.mean((out - wanted) ** 2),
    'edges': sum(np.mean(np.abs(one - two)) for one, two in pairs),
    'adversarial': np.mean((made - 1) ** 2) / 2,
    'discriminator': np.mean((real - 1) ** 2) / 2 + np.mean(made**2) / 2,
  }
  expected['loss'] = expected['reconstruction'] + expected['edges']
  expected['loss'] += 0.05 * expected['adversarial'] + expected['discriminator']
  assert found.keys() == expected.keys()
  for name, value in expected.items():
    np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=name)


def test_each_part_learns_from_its_own_losses(started):
  """Gradients of each term go where they should, and nowhere else."""
  method, variables, x = started
  gradients = jax.jit(jax.jacrev(_loss(method, x, 4)))(variables['params'])
  flat = {
    name: {
      part: np.concatenate([v.ravel() for v in jax.tree.leaves(tree)])
      for part, tree in by_part.items()
    }
    for name, by_part in gradients.items()
  }
  of_generator = 'reconstruction', 'edges', 'adversarial'
  for name in of_generator:
    assert np.abs(flat[name]['generator']).max() > 1e-4, name
    assert not flat[name]['discriminator'].any(), name
  assert np.abs(flat['discriminator']['discriminator']).max() > 1e-4
  assert not flat['discriminator']['generator'].any()
  np.testing.assert_allclose(
    flat['loss']['discriminator'], flat['discriminator']['discriminator']
  )
  weighted = zip(of_generator, (1, 1, 0.05))
  expected = sum(share * flat[name]['generator'] for name, share in weighted)
  np.testing.assert_allclose(
    flat['loss']['generator'], expected, rtol=1e-4, atol=1e-6
  )


def test_the_predicted_frame_is_not_seen(started):
  method, variables, x = started
  seen = predicting.sensitivity(method, variables, x, ())
  assert (seen[:4] > 0).all() and seen[4] == 0


@pytest.mark.slow
def test_the_motion_that_is_predicted_is_not_seen():
  fields = {
    'data.input': 'both',
    'data.motion': 'difference',
    'data.clip_frames': 1,
    'methods.frame_pred.widths': (3, 4),
  }
  exp = experiment.build(predicting.config('frame_pred', **fields))
  method = exp.trainer.method
  assert not method.network.decoder.bounded
  x = np.random.default_rng(0).normal(size=(2, 16, 24, 2)).astype(np.float32)
  variables = jax.jit(method.init)(jax.random.key(0), x, ())

  def total(x):
    return method.predict(variables, x, (), None, None).output.sum()

  seen = np.abs(jax.jit(jax.grad(total))(x)).sum(axis=(0, 1, 2))
  assert seen[0] > 0 and seen[1] == 0


def _zeros(params):
  return jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), params)


@pytest.fixture(scope='module')
def linear(exp, started):
  """Scores of samples by the network without its tanh, by its weights."""
  method, _, _ = started
  network = method.network.clone(
    decoder=method.network.decoder.clone(bounded=False)
  )
  method = dataclasses.replace(method, network=network)
  trainer = exp.trainer._replace(method=method)

  def scores(generator, x):
    variables = {'params': {'generator': generator}}
    return trainer.predict(variables, x, (), None, None).scores

  return jax.jit(scores)


def test_an_error_of_a_tenth_is_twenty_decibels(exp, started, linear):
  params = _zeros(started[1]['params']['generator'])
  params['decoder']['Conv_1']['bias'][:] = 0.2  # Of a range of 2.
  x = np.zeros((len(exp.splits[0].test), 5, 16, 24, 1), np.float32)
  np.testing.assert_allclose(linear(params, x)['psnr'], -20, rtol=1e-6)


def _repeats(params):
  """Weights of a linear network that predicts the last frame it sees.

  That frame plus 1, which ReLU lets through, takes the skip of the first level.
  """
  params = _zeros(params)
  encoder, decoder = params['encoder'], params['decoder']
  first, second = (encoder['_Block_0'][f'Conv_{i}'] for i in (0, 1))
  first['kernel'][1, 1, 3, 0], first['bias'][0] = 1, 1
  second['kernel'][1, 1, 0, 0] = 1
  for i in (0, 1):
    decoder['_Block_0'][f'Conv_{i}']['kernel'][1, 1, 0, 0] = 1
  last = decoder['Conv_1']
  last['kernel'][1, 1, 0, 0], last['bias'][0] = 1, -1
  return params


def test_who_repeats_the_last_frame_is_the_frame_difference(
  exp, started, linear
):
  """By every rule of that row, for every frame of the test videos."""
  rows = exp.splits[0].test
  params = _repeats(started[1]['params']['generator'])
  found = linear(params, predicting.samples(exp, len(rows)))
  expected = plain_videos.score(
    exp.source,
    exp.splits[0].transform,
    rows,
    'frame_difference',
    exp.trainer.frames,
  )
  assert expected.keys() == {'mse', 'psnr', 'max_cell', 'largest_cells'}
  anomalous = exp.source.labels[rows]
  for rule, score in expected.items():
    np.testing.assert_allclose(
      found[rule], score, rtol=1e-4, atol=1e-6, err_msg=rule
    )
    one, two = (
      sklearn.metrics.roc_auc_score(anomalous, np.round(s, 5))
      for s in (found[rule], score)
    )
    assert one == pytest.approx(two, abs=1e-4), rule


def test_the_first_four_frames_have_no_score(exp):
  videos, rows = exp.source.videos, exp.splits[0].test
  for video in np.unique(videos.video[rows]):
    frames = videos.frame[rows][videos.video[rows] == video]
    assert sorted(frames) == list(range(4, videos.lengths[video]))


def test_the_published_network_has_the_published_size():
  wide = {'methods.frame_pred.widths': (64, 128, 256, 512)}
  shape = 5, 256, 256, 3
  method = predicting.built(predicting.config('frame_pred', **wide), shape)
  down = (12, 64), (64, 128), (128, 256), (256, 512)  # Each level: two layers.
  up = (512, 256), (256, 128), (128, 64)
  layers = [
    *((9, *pair) for a, b in down for pair in ((a, b), (b, b))),
    *((4, *pair) for pair in up),
    *((9, *pair) for a, b in up for pair in ((a, b), (b, b))),
    (9, 64, 3),
  ]
  expected = sum(taps * a * b + b for taps, a, b in layers)
  found = predicting.shapes(method, shape, ())
  assert predicting.count(found) == expected == 7_704_195
  assert found['params'].keys() == {'generator'}
  out = jax.eval_shape(
    lambda v, x: method.predict(v, x, (), None, None),
    found,
    jax.ShapeDtypeStruct((2, *shape), np.float32),
  )
  assert out.output.shape == (2, 256, 256, 3)


def test_frames_are_bounded_where_their_scaling_is(exp):
  assert exp.trainer.method.network.decoder.bounded
  other = predicting.config('frame_pred', **{'data.scaling': 'standard'})
  method = predicting.built(other, (5, 16, 24, 1))
  assert not method.network.decoder.bounded


def test_what_it_cannot_do_is_refused():
  with pytest.raises(errors.UserError, match='"frame_pred" .* predicts; set'):
    predicting.config('frame_pred', **{'model.task': 'reconstruct'})
  deep = {'methods.frame_pred.widths': (2,) * 6}
  with pytest.raises(errors.UserError, match='has 6 levels, .* of 16x24'):
    experiment.build(predicting.config('frame_pred', **deep))


@pytest.mark.slow
def test_a_fleet_equals_single_runs():
  build = lambda **f: experiment.build(
    predicting.config('frame_pred', **_ADVERSARIAL | f)
  )
  both = predicting.trained(build(**{'fleet.seeds': 2}))
  for seed in (0, 1):
    alone = predicting.trained(build(**{'train.seed': seed}))
    for rule in ('mse', 'psnr'):
      np.testing.assert_allclose(both[rule][seed], alone[rule][0], rtol=1e-3)


@pytest.mark.slow
def test_a_batch_may_be_spread_over_devices():
  """Also one that eight devices do not divide, with a discriminator."""
  fields = _ADVERSARIAL | {'train.batch_size': 13, 'train.epochs': 0.5}
  alone, spread = (
    predicting.trained(
      experiment.build(predicting.config('frame_pred', **fields | mesh))
    )
    for mesh in ({}, {'mesh.data': 8})
  )
  np.testing.assert_allclose(spread['mse'], alone['mse'], rtol=2e-3)


@pytest.mark.slow
def test_what_is_computed_again_is_the_same():
  """With `model.remat`."""
  fields = {'model.network': 'conv', 'train.epochs': 0.2}
  one, two = (
    predicting.trained(
      experiment.build(
        predicting.config('frame_pred', **fields, **{'model.remat': remat})
      )
    )
    for remat in (False, True)
  )
  np.testing.assert_allclose(one['mse'], two['mse'], rtol=1e-4)


@pytest.mark.slow
def test_it_resumes_bit_for_bit_and_is_exported(tmp_path):
  """Both families, one with a discriminator, which no scorer holds."""
  fields = _ADVERSARIAL | {
    'fleet.variants': ('frame_pred', 'mnad'),
    'eval.score': 'psnr',
    'train.log_every': 1,
    'train.checkpoint_every': 1,
    'train.epochs': 1.0,
  }
  build = lambda: experiment.build(predicting.config('frame_pred', **fields))
  exp, _ = resuming.check(build, tmp_path, [('frame_pred', 1), ('mnad', 2)])
  for member in exp.members:
    straight = tmp_path / 'straight'
    _, weights, _ = collect.restored(member, straight)
    rows = member.splits[0].test[:5]
    scores = member.programs.score(weights, [rows]).scores['psnr'][0, :5]
    path = tmp_path / f'{member.family}.scorer'
    export.to_file(straight, path, member.replicas[0].name)
    found = scorer.load(path).score(member.source.inputs[rows])
    np.testing.assert_allclose(found, scores, rtol=1e-4)


@pytest.mark.slow
def test_it_finds_what_moves_otherwise():
  """Trained for half a minute on a laptop."""
  found = predicting.auroc_of_shapes('frame_pred')
  assert found['psnr'] >= 0.9
  assert found['mse'] == pytest.approx(found['psnr'])


@pytest.mark.slow
def test_a_run_from_the_command_line(tmp_path):
  code, _, err = helpers.run(
    f'--config={helpers.ROOT}/configs/moving_shapes.py:smoke,size=16,'
    'variant=frame_pred+mnad+memae,task=predict',
    f'--workdir={tmp_path}',
    '--config.train.epochs=0.1',
    '--config.eval.baselines=frame_difference',
    '--config.methods.frame_pred.widths=4,6',
    '--config.methods.mnad.widths=4,6',
  )
  assert code == 0, err
  page = (tmp_path / 'report.html').read_text()
  assert 'Frame-Pred' in page and 'MNAD' in page
