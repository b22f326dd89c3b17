"""Operations are counted as XLA counts them, and each pass of a loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from memae_jax.planning import flops, hlo


def test_a_loop_of_known_length_counts_as_often_as_it_runs():
  one = lambda row: jnp.tanh(row @ jnp.ones((64, 64)))

  def steps(start, stop):
    body = lambda _, rows: lax.map(one, rows)
    return lax.fori_loop(start, stop, body, jnp.ones((7, 64, 64)))

  traced = jax.jit(steps).trace(0, 1)
  compiled = traced.lower().compile()
  product = 2 * 64**3
  assert flops.count(traced.jaxpr, 'cpu') == (7 * product, 7 * product)
  assert compiled.cost_analysis()['flops'] < 3 * product  # XLA: one of seven.
  module = hlo.Module.parse(compiled.as_text())
  ran = module.executed(steps=True)
  assert [n for _, one, n in ran if 'dot_general' in one.rest] == [7]
  assert module.traffic(steps=True) >= 7 * 4 * 3 * 64**2


@pytest.mark.parametrize('groups', [1, 3])
@pytest.mark.parametrize('dilation', [1, 2])
def test_flops_of_convolutions_are_those_of_xla(groups, dilation):
  def convolve(x, kernel):
    return lax.conv_general_dilated(
      x, kernel, (1, 2), [(1, 1), (2, 0)], (dilation, 1),
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'), feature_group_count=groups,
    )  # fmt: skip

  shapes = (
    jax.ShapeDtypeStruct((4, 10, 9, 6), np.float32),
    jax.ShapeDtypeStruct((3, 3, 6 // groups, 12), np.float32),
  )
  traced = jax.jit(convolve).trace(*shapes)
  counted, _ = flops.count(traced.jaxpr, 'cpu')
  assert counted == traced.lower().cost_analysis()['flops']
