"""`--mode=plan`: what programs take, on machines that are not at hand."""

import importlib.util
import json

import jax
import pytest

from memae_jax.planning import machines, plan, table
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
  said = plan.too_large(found)
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


def _bank(slots, devices=4):
  fields = {
    'fleet.variants': ('bank',),
    'fleet.normal_classes': (0,),
    'methods.bank.features': 'raw',
    'model.memory.slots': slots,
    'model.memory.read_bytes': 2**20,
    'mesh.data': 1,
    'mesh.memory': devices,
  }
  return _plan(f'cpu:{devices}', **fields)


def test_a_bank_over_devices():
  small, large = _bank(2**14), _bank(2**18)
  assert small['train'] is None and small['slots'] == 2**14
  for found, slots in ((small, 2**14), (large, 2**18)):
    sizes = found['score']['bytes']
    assert sizes['parameters'] == 4 * (64 * slots // 4 + 1)
    assert sizes['temporaries'] < 2**20  # The slots are not copied.
  sent = small['score']['collectives']
  assert sent == large['score']['collectives']
  assert {c['axes'] for c in sent} == {('memory',)}
  fewer = sum(c['nbytes'] for c in _bank(2**14, 2)['score']['collectives'])
  assert sum(c['nbytes'] for c in sent) < 1.1 * fewer


def test_a_bank_that_does_not_fit():
  found = _bank(2**14)
  score = found['score']
  score['memory'], score['fits'], found['fits'] = 2**20, False, False
  said = plan.too_large(found)
  assert 'scoring needs' in said and 'raise mesh.memory' in said


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


@pytest.mark.slow
def test_slots_beside_the_parameters_have_a_limit():
  fields = {'fleet.variants': ('encoder_bank',)}
  found = _plan('cpu:1', limits=True, memory=2**20, **fields)
  limit = found['limits']['slots']
  assert limit['checked'] and limit['largest'] > 10
  assert limit['peaks'][limit['largest']] <= 2**20


def test_streamed_batches_and_best_weights():
  found = _plan(
    'cpu:1', **{'data.feed': 'streaming', 'eval.checkpoint': 'validation'}
  )
  sizes = found['train']['bytes']
  assert sizes['best_weights'] == sizes['parameters'] + 2 * 8
  assert sizes['batch'] == 2 * 16 * 64 + 4  # And the number of the step.
  assert sizes['read_ahead'] == 4 * sizes['batch']


@pytest.mark.slow
def test_what_does_not_fit_is_one_line(monkeypatch, tmp_path):
  small = machines.Chip('a small chip', 2**16)
  monkeypatch.setattr(machines, 'chip_of', lambda found: small)
  code, out, err = helpers.run(
    '--mode=plan', SMOKE, '--topology=cpu:2', f'--workdir={tmp_path}',
    '--nolimits',
  )  # fmt: skip
  assert code == 2 and 'peak' in out
  line = err.splitlines()[-1]
  assert 'more than a small chip has' in line and 'lower' in line
  assert not json.loads((tmp_path / 'plan.json').read_text())['fits']


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


def test_plan_needs_a_config():
  code, _, err = helpers.run('--mode=plan')
  assert code == 2 and '--config is missing' in err


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
  sizes = int(40.25 * gib), int(15.75 * gib)
  assert plan.compile_if_it_fits(lowered) == (None, *sizes)
  lowered.words = 'INTERNAL: something else'
  with pytest.raises(jax.errors.JaxRuntimeError):
    plan.compile_if_it_fits(lowered)


def test_a_tpu_that_is_not_at_hand(tmp_path):
  if importlib.util.find_spec('libtpu') is None:
    pytest.skip("no libtpu: pip install 'memae_jax[plan]'")
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
