"""The modules are thin: they hand the memory what it needs, unchanged."""

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import memory
from memae_jax.models import memae
from tests import helpers
from tests.models import variant


def _model(slots=7, shape=(6,)):
  config = helpers.digits(**{'model.widths': (5,), 'model.code': 4}).model
  return memae.build(config, shape, slots)


def test_variants_are_one_network():
  x = jax.random.normal(jax.random.key(0), (9, 6))
  model = _model()
  variables = model.init(jax.random.key(1), x, variant.knobs())
  plain = _model(slots=None)
  encoder = {k: v for k, v in variables['params'].items() if k != 'bank'}
  code = model.apply(variables, x, method=memae.MemAE.encode)

  out = model.apply(variables, x, variant.knobs(use_memory=False))
  alone = plain.apply({'params': encoder}, x, variant.knobs())
  np.testing.assert_allclose(out.reconstruction, alone.reconstruction)
  np.testing.assert_allclose(out.code, code)

  out = model.apply(variables, x, variant.knobs(threshold=0.0))
  slots = variables['params']['bank']['slots']
  value = memory.read(code, slots, 0.0).value
  decoded = model.apply(variables, value, method=memae.MemAE.decode)
  np.testing.assert_allclose(out.reconstruction, decoded, rtol=1e-5, atol=1e-6)
  assert np.all(np.asarray(out.read.kept) == 7)


def test_threshold_is_a_multiple_of_one_over_n():
  x = jax.random.normal(jax.random.key(0), (9, 6))
  model = _model()
  variables = model.init(jax.random.key(1), x, variant.knobs())
  code = model.apply(variables, x, method=memae.MemAE.encode)
  slots = variables['params']['bank']['slots']
  for n in (4, 7):
    out = model.apply(variables, x, variant.knobs(threshold=1.1, slots=n))
    expected = memory.read(code, slots[:n], 1.1 / n)
    np.testing.assert_array_equal(out.read.kept, expected.kept)


def test_images_keep_their_shape():
  x = jnp.zeros((2, 8, 8, 1))
  model = _model(shape=(8, 8, 1))
  variables = model.init(jax.random.key(1), x, variant.knobs())
  assert (
    model.apply(variables, x, variant.knobs()).reconstruction.shape == x.shape
  )


def test_settled_norms_encode_as_the_first_step_does():
  config = helpers.digits(
    **{'model.widths': (5, 7), 'model.code': 4, 'model.batch_norm': True}
  ).model
  model = memae.build(config, (6,), 7)
  x = 1e-2 * jax.random.normal(jax.random.key(0), (9, 6)) + 3
  variables = model.init(jax.random.key(1), x[:1], variant.knobs())
  encode = {'method': memae.MemAE.encode}
  first, _ = model.apply(variables, x, True, mutable=['batch_stats'], **encode)
  settled = memae.settled(model, variables, x)
  np.testing.assert_allclose(
    model.apply(settled, x, **encode), first, rtol=1e-3, atol=1e-4
  )
  assert np.abs(model.apply(variables, x, **encode) - first).max() > 0.1
  for name in ('params', 'batch_stats'):
    jax.tree.map(
      np.testing.assert_array_equal,
      settled[name]['decoder'],
      variables[name]['decoder'],
    )
  plain = _model().init(jax.random.key(1), x[:1], variant.knobs())
  assert memae.settled(_model(), plain, x) is plain
