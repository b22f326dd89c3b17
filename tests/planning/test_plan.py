"""`--mode=plan`: what programs take, on machines that are not at hand."""

import importlib.util
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from memae_jax.planning import fitting, flops, hlo, machines, plan, table
from tests import helpers

SMOKE = '--config=configs/digits.py:smoke'
WEIGHTS = 64 * 16 + 16 + 16 * 8 + 8 + 8 * 16 + 16 + 16 * 64 + 64


def _plan(topology, limits=False, memory=None, **changes):
  devices, chip = machines.devices(topology)
  if memory:
    chip = machines.Chip('small', memory)
  return plan.make(helpers.digits(**changes), devices, chip, limits)


def _spread(slots):
  return _plan(
    'cpu:8',
    **{
      'mesh.data': 2,
      'mesh.memory': 2,
      'model.memory.slots': slots,
      'model.memory.read': 'streaming',
    },
  )


@pytest.fixture(scope='module')
def spread():
  return _spread(10)


def test_bytes_are_those_of_one_device(spread):
  assert spread['mesh'] == {'replica': 2, 'data': 2, 'memory': 2}
  sizes = spread['train']['bytes']
  assert sizes['parameters'] == 4 * (WEIGHTS + 5 * 8)
  assert sizes['optimizer'] == 2 * sizes['parameters'] + 4
  assert sizes['best_weights'] == 0
  for program in spread['train'], spread['score']:
    sizes = dict(program['bytes'])
    assert sizes.pop('peak') == sum(sizes.values())
    assert program['fits'] and program['flops'] > 0
    assert program['bytes_moved'] > 0
  assert spread['train']['samples'] == 2 * 16
  json.dumps(spread, allow_nan=False)
  assert 'peak' in table.text(spread)


def test_every_family_of_a_run_is_planned(monkeypatch):
  variants = {'fleet.variants': ('memae', 'pca')}
  found = _plan('cpu:2', **variants)
  (pca,) = found['others'].values()
  assert found['train'] and pca['train'] is None  # It has no gradient.
  assert pca['score']['bytes']['parameters'] > 4 * 64 * 64
  assert pca['score']['samples'] == found['score']['samples']
  text = table.text(found)
  assert 'family autoencoder' in text and 'family pca' in text
  json.dumps(found, allow_nan=False)
  assert found['fits']
  pca['score']['bytes']['peak'], pca['score']['memory'] = 10_000, 5_000
  pca['fits'] = pca['score']['fits'] = False
  said = plan._too_large(found)
  assert 'scoring of "pca" needs' in said and 'eval.batch_size' in said


def test_what_is_sent_does_not_grow_with_the_memory(spread):
  def sent(found, axis):
    return [
      (c['kind'], c['count'], c['nbytes'])
      for c in found['train']['collectives']
      if c['axes'] == (axis,)
    ]

  larger = _spread(1000)
  assert sent(spread, 'memory') == sent(larger, 'memory') != []
  for program in spread['train'], larger['train'], larger['score']:
    assert {c['kind'] for c in program['collectives']} == {'all-reduce'}
  # Gradients of the slots and their usage are summed over the batch.
  grown = sent(larger, 'data')[0][2] - sent(spread, 'data')[0][2]
  assert grown == 4 * (8 + 1) * (1000 - 10) // 2


@pytest.mark.slow
def test_one_device_holds_all():
  found = _plan('cpu:1', limits=True, memory=2**20)
  sizes = found['train']['bytes']
  assert found['feed'] == 'resident'
  assert sizes['parameters'] == 2 * 4 * (WEIGHTS + 10 * 8)
  assert sizes['inputs'] > 1797 * 64 and sizes['batch'] == 8
  assert found['train']['collectives'] == []
  for what, before in (('slots', 10), ('batch_size', 16)):
    limit = found['limits'][what]
    assert limit['checked'] and limit['largest'] > before
    assert limit['peaks'][limit['largest']] <= 2**20


def test_streamed_batches_and_best_weights():
  found = _plan(
    'cpu:1', **{'data.feed': 'streaming', 'eval.checkpoint': 'validation'}
  )
  sizes = found['train']['bytes']
  assert sizes['best_weights'] == sizes['parameters'] + 2 * 8
  assert sizes['batch'] == 2 * 16 * 64 + 4  # And the number of the step.
  assert sizes['read_ahead'] == 4 * sizes['batch']


@pytest.mark.parametrize('at', [100, 4000])
def test_largest_follows_a_line_and_is_checked(at):
  compiled = []

  def peak(count):
    compiled.append(count)
    return 1000 + 3 * count

  other = 2 * at if peak(at) <= 10_000 else at // 2
  found = fitting.largest(peak, at, peak(at), other, 4, 10_000)
  assert found['checked'] and found['largest'] == 2900
  assert compiled[-1] == 2900 and found['peaks'][2900] <= 10_000
  # The line bends: the second check comes lower.
  steep = lambda count: 1000 + 3 * count + max(0, count - 2000) * 3
  found = fitting.largest(steep, 100, steep(100), 200, 4, 10_000)
  assert found['checked'] and 2000 <= found['largest'] <= 2500
  nothing = fitting.largest(lambda _: 2000, 100, 2000, 50, 4, 1000)
  assert nothing['largest'] is None


@pytest.mark.slow
def test_what_does_not_fit_is_one_line(monkeypatch, tmp_path):
  small = machines.Chip('a small chip', 2**16)
  monkeypatch.setattr(machines, '_here', lambda found: small)
  code, out, err = helpers.run(
    '--mode=plan', SMOKE, '--topology=cpu:2', f'--workdir={tmp_path}',
    '--nolimits',
  )  # fmt: skip
  assert code == 2 and 'peak' in out
  line = err.splitlines()[-1]
  assert 'more than a small chip has' in line and 'lower' in line
  assert not json.loads((tmp_path / 'plan.json').read_text())['fits']


@pytest.mark.parametrize(
  'topology', ['v5e', 'v9:2x2', 'cpu:0', 'cpu:2x2', 'v5e:4x0', 'v5e:2x2x2x2']
)
def test_unknown_topologies(topology, tmp_path):
  code, _, err = helpers.run(
    '--mode=plan', SMOKE, f'--topology={topology}', f'--workdir={tmp_path}'
  )
  assert code == 2
  assert topology in err and machines.KNOWN in err.splitlines()[-1]
  assert not list(tmp_path.iterdir())


def test_a_plan_without_a_folder_is_only_printed(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(plan, 'make', lambda *_: {'fits': True})
  monkeypatch.setattr(table, 'text', lambda _: 'the table')
  smoke = SMOKE.replace('configs', f'{helpers.ROOT}/configs')
  code, out, err = helpers.run('--mode=plan', smoke, '--topology=cpu:1')
  assert (code, out) == (0, 'the table\n'), err
  assert not list(tmp_path.iterdir())
  helpers.run('--mode=plan', smoke, '--topology=cpu:1', '--workdir=here')
  assert json.loads((tmp_path / 'here/plan.json').read_text()) == {'fits': True}


def test_too_many_simulated_devices(tmp_path):
  code, _, err = helpers.run('--mode=plan', SMOKE, '--topology=cpu:9')
  assert code == 2 and 'needs 9 devices' in err


def test_libtpu_is_missing(monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  code, _, err = helpers.run('--mode=plan', SMOKE, '--topology=v5e:4x4')
  assert code == 2 and "pip install -e '.[plan]'" in err


def test_plan_needs_a_config():
  code, _, err = helpers.run('--mode=plan')
  assert code == 2 and '--config is missing' in err


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


@pytest.mark.parametrize(
  'words',
  [
    'Ran out of memory on HBM, the total memory required for HLO temporaries'
    ' (40.25G) exceeds available HBM (15.75G).',
    'XLA:TPU compile permanent error. Ran out of memory in memory space hbm.'
    ' Used 40.25G of 15.75G hbm. Exceeded hbm capacity by 24.50G.',
  ],
)
def test_a_program_that_the_compiler_refuses(words):
  class Lowered:
    def compile(self):
      raise jax.errors.JaxRuntimeError(self.words)

  lowered = Lowered()
  lowered.words = f'RESOURCE_EXHAUSTED: {words}'
  gib = 2**30
  assert plan._compiled(lowered) == (None, int(40.25 * gib), int(15.75 * gib))
  lowered.words = 'INTERNAL: something else'
  with pytest.raises(jax.errors.JaxRuntimeError):
    plan._compiled(lowered)


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


def test_a_tpu_that_is_not_at_hand(tmp_path):
  if importlib.util.find_spec('libtpu') is None:
    pytest.skip("no libtpu: pip install -e '.[plan]'")
  process = helpers.start(
    '--mode=plan', SMOKE, '--topology=v5e:2x4', '--config.mesh.memory=2',
    '--nolimits', f'--workdir={tmp_path}',
  )  # fmt: skip
  out, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  found = json.loads((tmp_path / 'plan.json').read_text())
  assert found['environment']['device'] == 'tpu: TPU v5 lite'
  assert found['mesh'] == {'replica': 3, 'data': 1, 'memory': 2}
  assert found['train']['seconds']['step'] > 0
  assert 'mesh replica 3' in out
  process = helpers.start(
    '--mode=plan', SMOKE, '--topology=v5e:3x3', f'--workdir={tmp_path}'
  )
  _, err = process.communicate(timeout=300)
  assert process.returncode == 2 and 'v5e:3x3 is no topology' in err
