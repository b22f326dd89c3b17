"""JAX's settings change no number without a word."""

import json
import threading

import jax
import numpy as np
import pytest

from memae_jax.methods import base
from memae_jax.runtime import errors, jax_settings
from memae_jax.training import experiment, loop, run_folder, step
from tests import helpers

FIXED = {
  'jax_threefry_partitionable': False,
  'jax_random_seed_offset': 3,
  'jax_enable_x64': True,
  'jax_numpy_dtype_promotion': 'strict',
  'jax_debug_infs': True,
}


def _value(name):
  value = getattr(jax.config, name, jax.config.values[name])
  return getattr(value, 'value', value)  # It may be an enumeration.


@pytest.fixture
def settings():
  """Sets settings of JAX, and puts them back."""
  before = {}

  def change(name, value):
    before.setdefault(name, _value(name))
    jax.config.update(name, value)

  yield change
  for name, value in before.items():
    jax.config.update(name, value)


@pytest.mark.parametrize('name', FIXED)
def test_what_no_run_depends_on_is_put_back(name, settings, caplog):
  usual = _value(name)
  settings(name, FIXED[name])
  assert name in jax_settings.chosen()
  jax_settings.fix()
  assert _value(name) == usual
  assert f'{name.upper()}={FIXED[name]} is left out' in caplog.text
  assert not jax_settings.chosen().keys() - {'XLA_FLAGS'}
  caplog.clear()
  jax_settings.fix()
  assert not caplog.text


def test_the_kind_of_random_numbers_is_ours(settings):
  """Of noise, and of weights: no key leaves its kind to JAX."""
  exp = experiment.build(helpers.digits(**{'fleet.variants': ('dae', 'vae')}))
  one = jax.tree.map(lambda x: x[0], exp.programs.hyper)
  batch = np.zeros((16, 8, 8, 1), np.float32)

  def draw():
    keys = step.sample_keys(one.seed, 3, np.arange(16))
    return base.Batch(batch, None, keys, 16).normal((8, 8, 1))

  expected = draw()
  settings('jax_default_prng_impl', 'rbg')
  np.testing.assert_array_equal(expected, draw())
  for path in (helpers.ROOT / 'memae_jax').rglob('*.py'):
    text = path.read_text()
    assert 'PRNGKey(' not in text
    assert text.count('random.key(') == text.count('impl=jax_settings.PRNG')


def test_settings_are_stored_and_compared(settings, tmp_path, caplog):
  exp = experiment.build(helpers.digits())
  assert exp.meta['environment']['jax_settings'] == jax_settings.chosen()
  loop.train(exp, tmp_path)
  settings('jax_default_matmul_precision', 'highest')
  again = experiment.build(helpers.digits())
  stored = json.loads(json.dumps(again.environment))['jax_settings']
  assert stored['jax_default_matmul_precision'] == 'highest'
  with pytest.raises(errors.UserError, match='jax_default_matmul_precision is'):
    loop.train(again, tmp_path)
  caplog.clear()
  with run_folder.opened(again, tmp_path) as checkpoints:
    run_folder.trained(again, checkpoints, tmp_path)
  assert 'warning: jax_default_matmul_precision is "highest"' in caplog.text


def test_a_setting_of_rounding_is_a_line(settings, caplog):
  stored = {'jax_settings': {'jax_disable_jit': True, 'XLA_FLAGS': '--x=1'}}
  now = jax_settings.chosen().get('XLA_FLAGS')
  jax_settings.check(stored, goes_on=True)
  assert 'jax_disable_jit' in caplog.text
  assert (now or "JAX's default") in caplog.text
  caplog.clear()
  jax_settings.check({}, goes_on=True)  # Of an earlier version.
  jax_settings.check({'jax_settings': jax_settings.chosen()}, goes_on=True)
  assert not caplog.text


def test_flags_that_change_no_number(monkeypatch):
  idle = (
    '--xla_force_host_platform_device_count=8 --xla_dump_to=/tmp/x'
    ' --xla_cpu_collective_call_terminate_timeout_seconds=600'
  )
  monkeypatch.setenv('XLA_FLAGS', idle)
  assert 'XLA_FLAGS' not in jax_settings.chosen()
  monkeypatch.setenv('XLA_FLAGS', f'--xla_b=1 {idle} --xla_a=1')
  assert jax_settings.chosen()['XLA_FLAGS'] == '--xla_a=1 --xla_b=1'


@pytest.mark.parametrize(
  'error',
  [
    RuntimeError("Unable to initialize backend 'cuda': no such thing"),
    AssertionError(),
  ],
)
def test_no_device(monkeypatch, error):
  def refuse(*_):
    raise error

  monkeypatch.setattr(jax, 'devices', refuse)
  monkeypatch.setenv('JAX_PLATFORMS', 'cuda')
  with pytest.raises(errors.UserError, match='no device.*JAX_PLATFORMS=cuda'):
    experiment.build(helpers.digits())


def test_training_beside_the_main_thread(tmp_path):
  exp, found = experiment.build(helpers.digits()), []
  thread = threading.Thread(
    target=lambda: found.append(loop.train(exp, tmp_path))
  )
  thread.start()
  thread.join()
  assert found and (tmp_path / 'config.json').exists()


@pytest.mark.slow
@pytest.mark.parametrize(
  'variable, words',
  [
    ('JAX_NUM_CPU_DEVICES=abc', 'jax_num_cpu_devices'),
    ('JAX_NUM_CPU_DEVICES=0', 'JAX_NUM_CPU_DEVICES=0'),
    ('JAX_ENABLE_X64=maybe', 'JAX_ENABLE_X64'),
    ('JAX_PLATFORMS=nonsense', 'JAX_PLATFORMS=nonsense'),
  ],
)
def test_variables_that_jax_cannot_read(variable, words, tmp_path):
  name, value = variable.split('=')
  found = helpers.start(
    '--config=configs/digits.py:smoke', f'--workdir={tmp_path}/run',
    variables={name: value},
  )  # fmt: skip
  out, err = found.communicate(timeout=120)
  assert found.returncode == 2 and words in err and not out
  assert err.startswith('error: ') and err.count('\n') == 1


@pytest.mark.parametrize('name', FIXED)
def test_settings_are_fixed_within_a_block_alone(settings, name):
  before = _value(name)
  settings(name, FIXED[name])
  with jax_settings.fixed():
    assert _value(name) == before
    assert jax_settings.chosen().get(name, before) == before
  assert _value(name) == FIXED[name]
