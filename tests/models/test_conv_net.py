"""The image networks have the shapes of the paper and fit any size."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.models import conv_net, memae
from memae_jax.runtime import errors
from tests import helpers

PAPER = {
  'mnist': ((32, 16, 8), (3, 3, 3), (2, 2, 3), (), (), (28, 28, 1), (3, 3, 8)),
  'mnist_v1': (
    (16, 32, 64),
    (1, 3, 3),
    (2, 2, 2),
    (64, 32),
    (3, 3, 3),
    (28, 28, 1),
    (4, 4, 64),
  ),
  'cifar10': (
    (64, 128, 128, 256),
    (),
    (),
    (),
    (),
    (32, 32, 3),
    (2, 2, 256),
  ),
}


def _knobs(use_memory=True, sample_code=False, threshold=1.0, slots=5):
  return memae.Knobs(
    jnp.asarray(use_memory),
    jnp.asarray(sample_code),
    jnp.float32(threshold),
    jnp.int32(slots),
  )


def _build(shape, with_head=False, **fields):
  fields = {
    'model.network': 'conv',
    'model.code': 3,
    'model.activation': 'leaky_relu',
    'model.batch_norm': True,
    'model.memory.slots': 5,
  } | {f'model.{key}': value for key, value in fields.items()}
  return memae.build(helpers.digits(**fields).model, shape, 5, with_head)


@pytest.mark.parametrize('name', PAPER)
def test_the_networks_of_the_paper(name):
  widths, kernels, strides, d_widths, d_kernels, shape, code = PAPER[name]
  model = _build(
    shape,
    widths=widths,
    kernels=kernels,
    strides=strides,
    decoder_widths=d_widths,
    decoder_kernels=d_kernels,
  )
  variables = jax.eval_shape(
    lambda: model.init(jax.random.key(0), jnp.zeros((1, *shape)), _knobs())
  )
  shapes = lambda part: [
    leaf.shape
    for path, leaf in jax.tree.leaves_with_path(variables['params'][part])
    if 'kernel' in str(path)
  ]
  kernels = kernels or (3,) * len(widths)
  wide = (shape[-1], *widths)
  assert shapes('encoder') == [
    (k, k, a, b) for k, a, b in zip(kernels, wide, wide[1:])
  ]
  d_wide = (widths[-1], *(d_widths or widths[-2::-1]), shape[-1])
  assert shapes('decoder') == [
    (k, k, a, b) for k, a, b in zip(d_kernels or kernels, d_wide, d_wide[1:])
  ]
  assert model.code_shape == code
  assert variables['params']['bank']['slots'].shape == (5, np.prod(code))


@pytest.mark.slow
@pytest.mark.parametrize('layout', ['strided', 'pool'])
@pytest.mark.parametrize('per_position', [True, False])
@pytest.mark.parametrize('shape', [(8, 8, 1), (11, 14, 3), (5, 6, 7, 2)])
def test_any_size_comes_back(layout, per_position, shape):
  model = _build(
    shape,
    widths=(4, 6),
    kernels=(3, 5),
    strides=(2, 3),
    layout=layout,
    **{'memory.per_position': per_position},
  )
  x = jax.random.normal(jax.random.key(0), (3, *shape))
  variables = jax.jit(model.init)(jax.random.key(1), x, _knobs())
  run = functools.partial(model.apply, train=True, mutable=['batch_stats'])
  out, _ = jax.jit(run)(variables, x, _knobs())
  assert out.reconstruction.shape == x.shape
  assert out.code.shape == (3, *model.code_shape)
  positions = np.prod(model.code_shape[:-1]) if per_position else 1
  assert out.read.kept.shape == (3 * positions,)
  if not per_position:
    slots = variables['params']['bank']['slots']
    decode = functools.partial(model.apply, method=memae.MemAE.decode)
    assert jax.eval_shape(decode, variables, slots).shape == (5, *shape)


def test_strides_in_time_are_those_of_the_video_network():
  plan = conv_net.plan(
    (96, 128, 256, 256), (), (), (1, 2, 2, 2), 'strided', (16, 256, 256, 1)
  )
  assert [level.size for level in plan.levels] == [
    (16, 256, 256),
    (16, 128, 128),
    (8, 64, 64),
    (4, 32, 32),
  ]
  assert plan.code_shape == (2, 16, 16, 256)


@pytest.mark.parametrize('size', [(8, 8), (7, 9)])
def test_pooling_is_that_of_flax(size):
  x = jax.random.normal(jax.random.key(0), (2, *size, 3))
  np.testing.assert_array_equal(
    conv_net.max_pool(x, (2, 2)), nn.max_pool(x, (2, 2), (2, 2), 'SAME')
  )
  up = conv_net.up_sample(conv_net.max_pool(x, (2, 2)), (2, 2), size)
  assert up.shape == x.shape
  np.testing.assert_array_equal(up[:, 0, 0], up[:, 1, 1])
  assert (np.asarray(up) >= np.asarray(x)).all()


def test_a_head_draws_in_training_only():
  x = jax.random.normal(jax.random.key(0), (3, 8, 8, 1))
  model = _build((8, 8, 1), with_head=True, widths=(4,))
  knobs = _knobs(use_memory=False, sample_code=True)
  variables = model.init(jax.random.key(1), x, knobs)
  one, two = (
    model.apply(
      variables,
      x,
      knobs,
      train=True,
      mutable=['batch_stats'],
      code_noise=jax.random.normal(
        jax.random.key(seed), (3, *model.code_shape)
      ),
    )[0]
    for seed in (2, 3)
  )
  assert np.abs(one.reconstruction - two.reconstruction).max() > 1e-3
  np.testing.assert_array_equal(one.divergence, two.divergence)
  assert (np.asarray(one.divergence) > 0).all()
  out = model.apply(variables, x, knobs)
  again = model.apply(variables, x, _knobs(use_memory=False))
  assert np.abs(out.reconstruction - again.reconstruction).max() > 1e-6


def test_of_equal_values_the_first_has_the_gradient():
  x = jnp.zeros((1, 3, 2, 4, 1))
  gradient = jax.grad(lambda x: conv_net.max_pool(x, (2, 2, 2)).sum())(x)
  expected = np.zeros(x.shape)
  expected[:, ::2, ::2, ::2] = 1
  np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize('layout', ['strided', 'pool'])
@pytest.mark.parametrize('shape', [(32, 32, 3), (8, 32, 32, 1)])
def test_remat_keeps_less_for_the_backward_pass(layout, shape):
  x = jnp.zeros((4, *shape))

  def kept(remat):
    model = _build(shape, widths=(16, 16), layout=layout, remat=remat)
    run = lambda variables: model.apply(
      variables, x, _knobs(), train=True, mutable=['batch_stats']
    )
    saved = jax.eval_shape(
      lambda key: jax.vjp(run, model.init(key, x, _knobs()))[1],
      jax.random.key(0),
    )
    return sum(leaf.size for leaf in jax.tree.leaves(saved))

  assert kept(True) < 0.6 * kept(False)


@pytest.mark.parametrize(
  ('fields', 'shape', 'message'),
  [
    (dict(widths=(4, 4), strides=(2,)), (8, 8, 1), 'strides 1'),
    (dict(widths=(4,), time_strides=(1,)), (8, 8, 1), 'without time'),
    (dict(widths=(4,)), (8,), 'use "dense"'),
    (dict(widths=(4,), kernels=(2,), layout='pool'), (8, 8, 1), 'odd'),
    (dict(widths=(4,), decoder_widths=(3,)), (8, 8, 1), 'decoder_widths'),
    (dict(widths=(4,), decoder_kernels=(4,)), (8, 8, 1), 'odd or even'),
    (
      dict(widths=(4,), decoder_kernels=(3, 2), layout='pool'),
      (8, 8, 1),
      'decoder_kernels',
    ),
  ],
)
def test_networks_that_do_not_fit(fields, shape, message):
  with pytest.raises(errors.UserError, match=message):
    _build(shape, **fields)


@pytest.mark.parametrize('layout', ['strided', 'pool'])
def test_positions_are_centred_in_what_they_see(layout):
  """Picture r has a white row r: positions that see the row are above 0."""
  plan = conv_net.plan((2, 2, 2), (3, 5, 1), (2, 1, 3), (), layout, (47, 47, 1))
  encoder = conv_net.ConvEncoder(plan, layout, 'leaky_relu', False)
  x = jnp.broadcast_to(jnp.eye(47)[:, :, None, None], (47, 47, 47, 1))
  params = jax.tree.map(
    lambda p: jnp.full(p.shape, 0.1 * (p.ndim > 1)),
    encoder.init(jax.random.key(0), x, False),
  )
  seen = np.asarray(encoder.apply(params, x, False)[:, :, 4, 0]) > 0
  rows, columns = conv_net.centres(plan, layout)
  assert rows == columns and seen.shape == (47, len(rows))
  within = ~(seen[0] | seen[-1])
  assert within.sum() > 4
  middle = [np.flatnonzero(field).mean() for field in seen.T]
  np.testing.assert_allclose(
    np.asarray(rows)[within], np.asarray(middle)[within], atol=1e-6
  )


@pytest.mark.parametrize(
  ('size', 'wanted', 'kernel', 'zeros'),
  [(4, 4, 3, 1), (8, 7, 3, 1), (16, 14, 3, 0), (9, 4, 5, 0), (7, 4, 5, 2)],
)
def test_a_convolution_takes_off_what_is_too_much(size, wanted, kernel, zeros):
  assert conv_net.padding((size, 5), (wanted, 5), kernel) == (
    zeros,
    kernel // 2,
  )


def test_a_decoder_convolves_a_surplus_away():
  """28 -> 14 -> 7 -> 4 and 4 -> 8 -> 16 -> 14 -> 28, by plain convolutions."""
  plan = conv_net.plan((3, 2, 2), (), (), (), 'pool', (28, 28, 1))
  assert plan.code_shape == (4, 4, 2)
  decoder = conv_net.ConvDecoder(
    plan,
    1,
    *conv_net.mirrored(plan, 'pool', (), ()),
    layout='pool',
    activation='relu',
    batch_norm=False,
    surplus='convolve',
    output_activation='sigmoid',
  )
  code = jax.random.normal(jax.random.key(0), (2, 4, 4, 2))
  init = jax.jit(
    lambda x: decoder.init_with_output(jax.random.key(1), x, False)
  )
  found, variables = init(code)
  x = code
  for i, padding in enumerate(('SAME', 'SAME', 'VALID', 'SAME')):
    layer = variables['params'][f'Conv_{i}']
    x = jax.lax.conv_general_dilated(
      x,
      layer['kernel'],
      (1, 1),
      padding,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )
    x = x + layer['bias'].reshape(1, 1, 1, -1)
    if i < 3:
      x = np.asarray(jax.nn.relu(x)).repeat(2, axis=1).repeat(2, axis=2)
  expected = 1 / (1 + np.exp(-np.asarray(x)))
  assert found.shape == (2, 28, 28, 1)
  np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize('shape', [(11, 14, 3), (5, 6, 7, 2), (29, 13, 1)])
def test_any_size_comes_back_by_a_surplus_that_is_convolved(shape):
  model = _build(
    shape,
    widths=(4, 4, 4),
    layout='pool',
    surplus='convolve',
    kernels=(3, 5, 3),
  )
  out, _ = jax.eval_shape(
    lambda x: model.init_with_output(jax.random.key(0), x, _knobs()),
    jnp.zeros((2, *shape)),
  )
  assert out.reconstruction.shape == (2, *shape)
