"""Settings of JAX that change numbers, and its devices.

The same command gives the same numbers, whatever variables of JAX a shell has.
Programs put back the settings that are no choice (`fix`). The others, such as
the precision of products, are stored with each checkpoint (`chosen`) and
compared when training goes on (`check`).
"""

import contextlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jax

from memae_jax.runtime import errors

_LOG = logging.getLogger(__name__)

PRNG = 'threefry2x32'  # Every key here is of this kind.
# Name: (value, why it is the only one).
_FIXED = {
  'jax_threefry_partitionable': (True, 'seeds mean one thing in all runs'),
  'jax_random_seed_offset': (0, 'seeds mean one thing in all runs'),
  'jax_enable_x64': (False, 'weights and scores are float32'),
  'jax_numpy_dtype_promotion': ('standard', 'the code relies on it'),
  'jax_debug_infs': (False, 'infinities are masks here; NaNs can be debugged'),
}
# Names and defaults of JAX.
_PRECISION = {'jax_default_matmul_precision': None}
# Settings that change more than rounding.
_DECIDE = (
  *_PRECISION,
  'jax_threefry_partitionable',
  'jax_random_seed_offset',
)
_ROUNDING = {
  'jax_disable_jit': False,
  'jax_disable_most_optimizations': False,
  'jax_optimization_level': 'UNKNOWN',
  'jax_exec_time_optimization_effort': 0.0,
  'jax_softmax_custom_jvp': False,
}
_VARIABLES = ('XLA_FLAGS', 'LIBTPU_INIT_ARGS', 'NVIDIA_TF32_OVERRIDE')
# Flags that change no number: where dumps go, simulated devices, patience.
_IDLE = re.compile(r'--xla_(dump_\S*|force_host_platform\S*|\S*timeout\S*)')


def fix() -> None:
  """Puts back the settings that are no choice; warns of each."""
  for name, (value, why) in _FIXED.items():
    if _value(name) != value:
      _LOG.warning('%s=%s is left out: %s', name.upper(), _value(name), why)
      jax.config.update(name, value)


@contextlib.contextmanager
def fixed() -> Iterator[None]:
  """Holds the settings that are no choice within a block, in this thread.

  A library must not change the settings of the program that calls it. Where
  JAX has no setting of a thread, that of the process is put back at the end.
  """
  with contextlib.ExitStack() as stack:
    for name, (value, _) in _FIXED.items():
      before = _value(name)
      if before == value:
        continue
      local = getattr(jax, name.removeprefix('jax_'), None)
      if local is not None:
        stack.enter_context(local(value))
      else:
        stack.callback(jax.config.update, name, before)
        jax.config.update(name, value)
    yield


def _value(name: str) -> Any:
  """Returns a setting as text, number, bool or None."""
  value = getattr(jax.config, name, jax.config.values.get(name))
  return getattr(value, 'value', value)  # It may be an enumeration.


def _flags(text: str) -> str:
  """Returns the flags of a variable that may change numbers, sorted."""
  return ' '.join(sorted(w for w in text.split() if not _IDLE.match(w)))


def chosen() -> dict[str, Any]:
  """Returns the settings that may change numbers and are not JAX's default."""
  defaults = {name: value for name, (value, _) in _FIXED.items()}
  defaults |= _PRECISION | _ROUNDING
  for name in defaults.keys() - jax.config.values.keys():
    del defaults[name]  # This version of JAX lacks it.
  out = {
    name: _value(name)
    for name, default in defaults.items()
    if _value(name) != default
  }
  variables = {name: _flags(os.environ.get(name, '')) for name in _VARIABLES}
  return out | {name: text for name, text in variables.items() if text}


def check(stored: Mapping[str, Any], goes_on: bool) -> None:
  """Compares the settings with those that weights were trained under.

  A setting that changes more than rounding must not change within a training.
  For other settings, and before an evaluation, there is a warning.

  Args:
    stored: `environment` of a checkpoint.
    goes_on: whether its training goes on.

  Raises:
    UserError: a setting differs that must not.
  """
  if 'jax_settings' not in stored:
    return  # An earlier version wrote it.
  then, now = stored['jax_settings'], chosen()
  for name in sorted({*then, *now}):
    there, here = (_text(values, name) for values in (then, now))
    if there == here:
      continue
    if goes_on and name in _DECIDE:
      raise errors.UserError(
        f'the JAX setting {name} is {here}, but this run was trained with'
        f' {there}; set it as it was, or give another --workdir'
      )
    _LOG.warning(
      'warning: %s is %s, but this run was trained with %s; numbers may differ'
      ' by rounding%s',
      name,
      here,
      there,
      ' or more' if name in _DECIDE else '',
    )


def _text(settings: Mapping[str, Any], name: str) -> str:
  return json.dumps(settings[name]) if name in settings else "JAX's default"


def devices() -> list[jax.Device]:
  """Returns the devices of all processes.

  Raises:
    UserError: JAX finds no device of the platform that its variables name.
  """
  try:
    return jax.devices()
  except (RuntimeError, AssertionError) as error:
    asked = [
      f'{name}={os.environ[name]}'
      for name in ('JAX_PLATFORMS', 'JAX_NUM_CPU_DEVICES')
      if name in os.environ
    ]
    why = ' '.join(str(error).split())[:200] or 'no such platform'
    raise errors.UserError(
      f'JAX finds no device ({why}); {" and ".join(asked) or "JAX_PLATFORMS"}'
      ' must name what this machine has, such as JAX_PLATFORMS=cpu'
    ) from error
