"""The reader of HLO finds what was counted by hand, in texts of every JAX.

python -m tests.planning.test_hlo > tests/golden/hlo_jax_VERSION.txt

writes the text of the JAX in use; see `compiled_text`.
"""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from memae_jax.planning import hlo, machines
from tests import helpers

_MESH = {'data': 2, 'memory': 2}
_LOOPS = 5
_X = 4 * 4 * 128  # Bytes of x on a device.
# Kind, axes, times a step, bytes of them, devices: counted in `compiled_text`.
_COUNTED = {
  ('all-reduce', ('memory',), _LOOPS, _LOOPS * _X, 2),
  ('all-gather', ('data',), 1, 2 * _X, 2),
  ('collective-permute', ('memory',), 1, _X, 2),
  ('all-reduce', ('data', 'memory'), 1, 4, 4),
}
_SCATTER = ('reduce-scatter', ('data',), 1, _X // 2, 2)
_SCATTER_OF_TPU = ('all-reduce', ('data',), 1, _X, 2)  # Then it takes a part.
# The texts have x in memory before and after each pass of the inner loop, read
# by the all-gather and written by the last sum; one padded slice of a table;
# and numbers of four bytes, of each operand and result.
_TRAFFIC = _LOOPS * (2 * _X + 12) + 2 * _X + 1024 + 4 * (2 + 1 + 3 + 2 + 2 + 1)
_GOLDEN = sorted(helpers.GOLDEN.glob('hlo_jax_*.txt'))


def compiled_text(topology: str) -> str:
  """The optimised HLO of a small program of all kinds of communication.

  A loop of unknown length, whose step has a loop of five passes.

  Args:
    topology: of four devices.
  """
  devices, _ = machines.devices(topology)
  types = (jax.sharding.AxisType.Auto,) * len(_MESH)
  mesh = jax.make_mesh(
    tuple(_MESH.values()), tuple(_MESH), devices=devices, axis_types=types
  )

  def one(_, x):  # [4, 128] of [8, 128]
    def inner(_, x):
      return jnp.tanh(lax.psum(x, 'memory'))

    x = lax.fori_loop(0, _LOOPS, inner, x)
    both = lax.all_gather(x, 'data')  # [2, 4, 128]
    x = jnp.sin(both[0] * both[1])
    x = x * lax.ppermute(jnp.cos(x), 'memory', [(0, 1), (1, 0)])
    part = lax.psum_scatter(x.reshape(2, 2, 128), 'data')
    return x + lax.psum(jnp.sum(part), ('data', 'memory'))

  @functools.partial(jax.jit, donate_argnums=1)
  def steps(count, x):
    spread = jax.shard_map(
      lambda count, x: lax.fori_loop(0, count, one, x),
      mesh=mesh,
      in_specs=(P(), P('data')),
      out_specs=P('data'),
      check_vma=False,
    )
    return spread(count, x)

  shape = functools.partial(jax.ShapeDtypeStruct)
  place = lambda spec: NamedSharding(mesh, spec)
  given = (
    shape((), np.int32, sharding=place(P())),
    shape((8, 128), np.float32, sharding=place(P('data'))),
  )
  return steps.lower(*given).compile().as_text()


def _trimmed(text: str) -> str:
  """Leaves out where in which source file all is from, and the schedule."""
  start = text.index('\n', text.index('HloModule')) + 1
  lines = text[start:].splitlines()
  begin = next(i for i, line in enumerate(lines) if line.endswith('{'))
  kept = [re.sub(r', (metadata|backend_config)=\{.*', '', one) for one in lines]
  return '\n'.join(kept[begin:]) + '\n'


def _found(text: str) -> set[tuple]:
  module = hlo.Module.parse(text)
  return {tuple(c) for c in module.collectives(_MESH, steps=True)}


def test_there_is_a_text_of_each_end():
  assert {path.stem for path in _GOLDEN} >= {
    'hlo_jax_0.10.2',
    'hlo_jax_0.12.0.1',
  }


@pytest.mark.parametrize('path', _GOLDEN, ids=lambda path: path.stem)
def test_texts_for_tpus(path):
  text = path.read_text()
  assert _found(text) == _COUNTED | {_SCATTER_OF_TPU}
  assert hlo.Module.parse(text).traffic(steps=True) == _TRAFFIC


def test_the_text_of_this_jax():
  jax.devices()  # Else JAX would have four from here on.
  assert _found(compiled_text('cpu:4')) == _COUNTED | {_SCATTER}


def test_axes_of_collectives():
  mesh = {'replica': 2, 'data': 2, 'memory': 2}
  text = (
    'ENTRY %main (x: f32[4]) -> f32[4] {\n'
    '  %x = f32[4]{0} parameter(0)\n'
    '  %a = f32[4]{0} all-reduce(%x),'
    ' replica_groups={{0,1},{2,3},{4,5},{6,7}}\n'
    '  %b = f32[4]{0} all-reduce(%a), replica_groups=[4,2]<=[2,2,2]T(0,2,1)\n'
    '  %c = (f32[4]{0}, f32[8]{0}) all-gather-start(%b),'
    ' replica_groups=[2,4]<=[8]\n'
    '  ROOT %d = f32[8]{0} all-gather-done(%c)\n}\n'
  )
  found = hlo.Module.parse(text).collectives(mesh, steps=False)
  assert [tuple(c) for c in found] == [
    ('all-gather', ('data', 'memory'), 1, 32, 4),
    ('all-reduce', ('memory',), 1, 16, 2),
    ('all-reduce', ('data',), 1, 16, 2),
  ]


if __name__ == '__main__':
  print(_trimmed(compiled_text('v5e:2x2')), end='')
