"""Weights in the names and axes of the released network, and back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.models import memae, reference_weights
from memae_jax.runtime import errors
from tests import helpers

WIDTHS, SLOTS = (4, 6, 8, 10), 7


@pytest.fixture(scope='module', params=[SLOTS, None], ids=['memae', 'ae'])
def variables(request):
  """Returns random weights for every leaf."""
  model = memae.build(helpers.clips().model, (16, 32, 48, 3), request.param)
  x, rng = jnp.zeros((1, 16, 32, 48, 3)), np.random.default_rng(0)
  knobs = memae.Knobs(True, False, np.float32(0.6), np.int32(SLOTS))
  shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), x, knobs))
  return jax.tree.map(lambda s: rng.normal(size=s.shape).astype('f'), shapes)


def _released_names(has_memory):
  """Returns shapes by name, in the order of the released files."""
  wide, back = (3, *WIDTHS), (*WIDTHS[::-1], 3)
  norm = ('weight', 'bias', 'running_mean', 'running_var')
  names = {}
  for i in range(4):
    names[f'encoder.{3 * i}.weight'] = (wide[i + 1], wide[i], 3, 3, 3)
    names[f'encoder.{3 * i}.bias'] = (wide[i + 1],)
    names |= {f'encoder.{3 * i + 1}.{x}': (wide[i + 1],) for x in norm}
    names[f'encoder.{3 * i + 1}.num_batches_tracked'] = ()
  if has_memory:
    names['mem_rep.memory.weight'] = (SLOTS, WIDTHS[-1])
  for i in range(4):
    names[f'decoder.{3 * i}.weight'] = (back[i], back[i + 1], 3, 3, 3)
    names[f'decoder.{3 * i}.bias'] = (back[i + 1],)
    if i < 3:
      names |= {f'decoder.{3 * i + 1}.{x}': (back[i + 1],) for x in norm}
      names[f'decoder.{3 * i + 1}.num_batches_tracked'] = ()
  return names


def test_names_shapes_and_order(variables):
  weights = reference_weights.to_reference(variables)
  shapes = {name: array.shape for name, array in weights.items()}
  wanted = _released_names('bank' in variables['params'])
  assert list(shapes.items()) == list(wanted.items())


@pytest.mark.parametrize('counted', [True, False])
def test_there_and_back(variables, counted):
  weights = {
    name: array
    for name, array in reference_weights.to_reference(variables).items()
    if counted or not name.endswith('num_batches_tracked')
  }
  back = reference_weights.from_reference(weights, variables)
  assert jax.tree.structure(back) == jax.tree.structure(variables)
  for one, two in zip(jax.tree.leaves(back), jax.tree.leaves(variables)):
    assert one.dtype == two.dtype == np.float32
    np.testing.assert_array_equal(one, two)


def _changed(**changes):
  return lambda weights: (
    weights | {key.replace('__', '.'): value for key, value in changes.items()}
  )


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda w: dict(list(w.items())[1:]), '"encoder.0.weight" is missing; '),
    (lambda w: {}, r'"decoder.0.bias" is missing \(and \d+ more\)'),
    (_changed(encoder__12__weight=np.zeros(3)), '"encoder.12.weight" does not'),
    (
      _changed(decoder__3__weight=np.zeros((6, 8, 3, 3, 3))),
      r'"decoder.3.weight" has shape \(6, 8, .*takes \(8, 6, 3, 3, 3\)',
    ),
    (_changed(encoder__0__weight=np.zeros(())), r'has shape \(\), but'),
    (
      _changed(encoder__0__bias=np.full(4, np.nan)),
      '"encoder.0.bias" is not',
    ),
  ],
)
def test_weights_that_do_not_fit(variables, change, message):
  weights = change(reference_weights.to_reference(variables))
  with pytest.raises(errors.UserError, match=message):
    reference_weights.from_reference(weights, variables)
