"""Process on the device that the stages ask, see `machine.Machine.ask`.

It answers a line such as {"do": "prepare", ...} by one line of JSON: the result
of that function, or {"error": "one line"}.
"""

import json
import os
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

_LONGEST = 400  # Most letters of an error.


def _device() -> dict[str, Any]:
  """Returns the device of JAX, and versions."""
  import jax

  from memae_jax.runtime import environment

  devices = jax.devices()
  return {
    'platform': devices[0].platform,
    'kind': devices[0].device_kind,
    'count': len(devices),
    'memory_bytes': (devices[0].memory_stats() or {}).get('bytes_limit'),
    'versions': environment.versions(),
  }


def _parity(what: str, path: str = '', **options: Any) -> dict[str, Any]:
  """Returns the errors that a function of `golden` finds."""
  import jax

  from benchmarks.accelerator import golden

  precision, most = options.pop('precision'), options.pop('most', 0)
  with jax.default_matmul_precision(precision):
    if what == 'addressing':
      cases = golden.by_formula()
      if path:
        cases = golden.cases(pathlib.Path(path), most)
      row = golden.addressing_of(cases, **options)
    else:
      row = getattr(golden, what)(pathlib.Path(path), **options)
  return row | {'precision': precision or 'default'}


def _runs_differ(one: str, two: str) -> dict[str, Any]:
  """Returns how far the newest states of two runs are from each other."""
  from benchmarks.accelerator import states

  return states.differ(pathlib.Path(one), pathlib.Path(two))


def _weights(run: str, to: str) -> dict[str, Any]:
  """Writes the newest weights of a run as npz."""
  from benchmarks.accelerator import states

  return states.write_weights(pathlib.Path(run), pathlib.Path(to))


def _functions(side: str) -> dict[str, Callable[..., dict[str, Any]]]:
  from benchmarks.accelerator import speed

  programs = speed.Torch() if side == 'torch' else speed.Jax()
  functions = {
    name: getattr(programs, name) for name in ('prepare', 'time', 'forget')
  }
  if side == 'torch':
    return functions | {'version': programs.version}
  return functions | {
    'device': _device,
    'parity': _parity,
    'runs_differ': _runs_differ,
    'weights': _weights,
  }


def answer(
  functions: Mapping[str, Callable[..., dict[str, Any]]], line: str
) -> dict[str, Any]:
  """Returns the answer to a line of JSON."""
  request = json.loads(line)
  try:
    return functions[request.pop('do')](**request)
  except Exception as error:  # A library may raise any.
    text = ' '.join(f'{type(error).__name__}: {error}'.split())
    return {'error': text[:_LONGEST]}


def main(side: str) -> None:
  """Answers until there is no more input."""
  # Libraries print to stdout, too; answers go to a copy of it.
  out = os.fdopen(os.dup(1), 'w')
  os.dup2(2, 1)
  if side == 'jax':
    from memae_jax.runtime import jax_settings

    jax_settings.fix()
  try:
    functions = _functions(side)
  except ImportError as error:
    functions = {}
    print(f'{side} is left out: {error}', file=sys.stderr)
  for line in sys.stdin:
    print(json.dumps(answer(functions, line)), file=out, flush=True)


if __name__ == '__main__':
  main(sys.argv[1])
