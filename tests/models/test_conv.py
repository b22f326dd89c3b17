"""Convolutions against their definition, XLA's own, and each other."""

import functools
import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.models import conv as conv_lib

# size, kernel, strides, padding, channels in and out, block budget
CASES = {
  'plain 2-D': ((6, 5), (3, 3), (2, 2), (1, 1), 6, 5, 2**21),
  'one image per block': ((6, 5), (3, 3), (2, 2), (1, 1), 6, 5, 600),
  'one plane per block': ((6, 7), (3, 2), (3, 1), (1, 2), 5, 6, 1),
  'larger 2-D': ((9, 7), (3, 3), (2, 2), (1, 1), 6, 5, 2**21),
  'no stride': ((9, 8), (3, 2), (1, 1), (1, 1), 6, 5, 2**21),
  'no stride, small image': ((4, 3), (3, 2), (1, 1), (1, 0), 6, 5, 2**21),
  'no stride, more padding': ((8, 9), (1, 3), (1, 1), (1, 2), 6, 7, 2**21),
  'no stride, one channel': ((9, 8), (3, 3), (1, 1), (1, 1), 1, 5, 2**21),
  'tiles': ((12, 8), (4, 4), (2, 2), (1, 1), 5, 6, 2**21),
  'tiles, some pixels unseen': ((9, 11), (2, 6), (2, 3), (0, 1), 5, 6, 2**21),
  'tiles in one direction': ((7, 9), (3, 4), (1, 2), (2, 1), 6, 5, 2**21),
  'tiles of one tap': ((8, 9), (3, 3), (3, 3), (0, 0), 5, 6, 100),
  'two planes per block': ((7, 6), (5, 4), (1, 3), (2, 0), 5, 5, 1200),
  'one channel': ((6, 8), (3, 4), (3, 2), (1, 0), 1, 5, 2**21),
  'few channels': ((5, 6), (4, 1), (2, 1), (2, 0), 3, 2, 100),
  'phases without a tap': ((8, 9), (1, 2), (2, 3), (0, 1), 6, 5, 2**21),
  'phases of one tap': ((9, 9), (1, 1), (3, 3), (0, 0), 6, 5, 2**21),
  'one channel, no tap': ((8, 9), (1, 2), (3, 3), (0, 0), 1, 1, 10),
  '1-D': ((11,), (5,), (2,), (2,), 5, 6, 50),
  '3-D': ((4, 6, 5), (3, 3, 3), (1, 2, 2), (1, 1, 1), 5, 6, 2**21),
  '3-D in blocks': ((5, 4, 7), (3, 2, 3), (2, 2, 3), (1, 0, 1), 5, 6, 300),
  '3-D, one channel': ((5, 6, 7), (3, 3, 3), (2, 2, 2), (1, 1, 1), 1, 5, 99),
}


def problem(size, kernel, strides, padding, ci, co, batch=2):
  """Random x, w and g (of the shape of the convolution's result)."""
  out = [
    (n + 2 * p - k) // s + 1
    for n, k, s, p in zip(size, kernel, strides, padding)
  ]
  rng = np.random.default_rng(0)
  shapes = (batch, *size, ci), (*kernel, ci, co), (batch, *out, co)
  return [rng.standard_normal(shape) for shape in shapes]


def definition(x, w, g, strides, padding):
  """The convolution of x and its adjoints at g in x and in w, tap by tap."""
  pads = [(0, 0), *((p, p) for p in padding), (0, 0)]
  padded = np.pad(x, pads)
  y, dx, dw = np.zeros_like(g), np.zeros_like(padded), np.zeros_like(w)
  for tap in itertools.product(*map(range, w.shape[:-2])):
    at = (slice(None),) + tuple(
      slice(t, t + s * (m - 1) + 1, s)
      for t, s, m in zip(tap, strides, g.shape[1:-1])
    )
    y += padded[at] @ w[tap]
    dx[at] += g @ w[tap].T
    dw[tap] = np.tensordot(padded[at], g, [range(g.ndim - 1)] * 2)
  cut = tuple(slice(p, p + n) for p, n in zip(padding, x.shape[1:-1]))
  return y, dx[(slice(None), *cut)], dw


def values_and_gradients(strides, padding, size, lowering):
  """Returns (x, w, g) -> both maps, each with its two gradients."""

  def run(x, w, g):
    y, pull = jax.vjp(
      lambda x, w: conv_lib.conv(x, w, strides, padding, lowering), x, w
    )
    z, pull_transpose = jax.vjp(
      lambda g, w: conv_lib.conv_transpose(
        g, w, strides, padding, size, lowering
      ),
      g,
      jnp.swapaxes(w, -1, -2),
    )
    dx, dw = pull(g)
    dg, dv = pull_transpose(x)
    return y, dx, dw, z, dg, jnp.swapaxes(dv, -1, -2)

  return jax.jit(run)


@pytest.mark.parametrize('case', CASES)
def test_values_and_gradients_are_the_definition(case, monkeypatch):
  size, kernel, strides, padding, ci, co, budget = CASES[case]
  monkeypatch.setattr(conv_lib, 'BLOCK', budget)
  x, w, g = problem(size, kernel, strides, padding, ci, co)
  y, dx, dw = definition(x, w, g, strides, padding)
  with jax.enable_x64(True):
    got = values_and_gradients(strides, padding, size, 'cpu')(x, w, g)
  # The transposed map is the adjoint; its gradients are the other two maps.
  for one, want in zip(got, (y, dx, dw, dx, y, dw)):
    assert one.dtype == np.float64
    np.testing.assert_allclose(one, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('case', ['plain 2-D', 'no stride', '3-D'])
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_lowerings_agree(case, dtype):
  size, kernel, strides, padding, ci, co, _ = CASES[case]
  args = [
    jnp.asarray(a, dtype)
    for a in problem(size, kernel, strides, padding, ci, co)
  ]
  run = lambda how: values_and_gradients(strides, padding, size, how)(*args)
  for one, want in zip(run('auto'), run('xla')):
    assert one.dtype == want.dtype == dtype
    one, want = np.asarray(one, np.float32), np.asarray(want, np.float32)
    scale = np.max(np.abs(want))
    tolerance = {'float32': 1e-6, 'bfloat16': 2e-2}[dtype]
    np.testing.assert_allclose(one / scale, want / scale, atol=tolerance)


PADDING, SIZE = (1, 1), (8, 7)
STRIDES = (2, 2), (1, 1)  # Of our own maps, and where XLA's stands in.


def _loss(strides, kernels, x, lowering='auto'):
  """A little autoencoder."""
  first, second = kernels
  conv = jax.checkpoint(
    lambda x, w: conv_lib.conv(x, w, strides, PADDING, lowering)
  )
  code = jnp.tanh(conv(x, first))
  out = conv_lib.conv_transpose(code, second, strides, PADDING, SIZE, lowering)
  return jnp.mean((out - x) ** 2)


@pytest.fixture(params=STRIDES)
def models(request):
  """Returns a loss, kernels of two replicas, and a batch."""
  rng = np.random.default_rng(1)
  draw = lambda *shape: jnp.asarray(rng.standard_normal(shape), jnp.float32)
  kernels = draw(2, 3, 3, 5, 6), draw(2, 3, 3, 6, 5)
  return functools.partial(_loss, request.param), kernels, draw(2, *SIZE, 5)


@pytest.mark.parametrize('budget', [2**21, 200])
@pytest.mark.parametrize('how', ['vmap', 'map', 'shard_map'])
def test_composes_with_fleets(how, budget, models, monkeypatch):
  monkeypatch.setattr(conv_lib, 'BLOCK', budget)
  loss, kernels, x = models
  one = lambda kernels: jax.grad(loss)(kernels, x)
  each = {
    'vmap': jax.vmap(one),
    'map': lambda kernels: jax.lax.map(one, kernels),
  }
  mesh = jax.make_mesh(
    (2,),
    ('replica',),
    devices=jax.devices()[:2],
    axis_types=(jax.sharding.AxisType.Auto,),
  )
  each['shard_map'] = jax.shard_map(
    each['map'],
    mesh=mesh,
    in_specs=jax.P('replica'),
    out_specs=jax.P('replica'),
    check_vma=False,
  )
  run = jax.jit(each[how])
  got = run(kernels)
  if how != 'shard_map':
    with jax.transfer_guard('disallow'):
      jax.block_until_ready(run(kernels))
  want = [
    jax.grad(loss)(tuple(k[i] for k in kernels), x, 'xla') for i in range(2)
  ]
  want = jax.tree.map(lambda *k: np.stack(k), *want)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
    got,
    want,
  )


@pytest.mark.parametrize(
  'platform, native', [('tpu', True), ('cuda', True), ('cpu', False)]
)
def test_export_takes_the_lowering_of_its_platform(platform, native, models):
  loss, kernels, x = models
  kernels = jax.tree.map(lambda k: k[0], kernels)
  run = jax.jit(jax.grad(loss))
  text = jax.export.export(run, platforms=[platform])(kernels, x).mlir_module()
  plain = loss.args == (STRIDES[1],)
  assert ('stablehlo.convolution' in text) == (native or plain)
  assert ('stablehlo.dot_general' in text) != native


def test_errors_say_what_does_not_fit():
  x, kernel = jnp.zeros((1, 6, 5, 3)), jnp.zeros((3, 3, 3, 2))
  conv, transpose = conv_lib.conv, conv_lib.conv_transpose
  two, one = (2, 2), (1, 1)
  for wrong, message in (
    (lambda: conv(x, kernel[0], two, one), 'need a kernel of rank 4'),
    (lambda: conv(x, kernel, (2,), one), 'need a kernel of rank 4, 2 strides'),
    (lambda: conv(x[..., :2], kernel, two, one), 'has 2 channels'),
    (lambda: conv(x, kernel, (0, 1), one), 'must be positive'),
    (lambda: conv(x[:, :1], kernel, two, (0, 1)), 'less than kernel'),
    (lambda: conv(x, kernel, two, one, 'gpu'), 'lowering is "gpu"'),
    (lambda: transpose(x, kernel, two, one, (12,)), 'does not fit input'),
    (
      lambda: transpose(x, kernel, two, one, (13, 10)),
      'size (13, 10) gives (7, 5), but the input has size (6, 5)',
    ),
  ):
    with pytest.raises(ValueError, match=re.escape(message)):
      wrong()
