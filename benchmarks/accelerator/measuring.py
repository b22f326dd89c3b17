"""Stages 1 to 3: the card, the speed of programs, and mappings of fleets."""

import re
import statistics
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benchmarks.accelerator import machine as machine_lib
from benchmarks.accelerator import stages

ROUNDS = 7
PAPER = 0.0262  # Seconds per frame, on a Titan X: section 4.2 of the paper.
# Makers' figures in FLOPs per second without sparsity: (float32 outside of
# matrix units, TF32, bfloat16). Titan X, V100 and T4 have neither TF32
# nor bfloat16.
PEAKS = {
  'H100 80GB HBM3': (6.7e13, 4.95e14, 9.89e14),
  'H100 PCIe': (5.1e13, 3.78e14, 7.56e14),
  'H200': (6.7e13, 4.95e14, 9.89e14),
  'A100': (1.95e13, 1.56e14, 3.12e14),
  'V100': (1.57e13, None, None),
  'Tesla T4': (8.1e12, None, None),
  'L4': (3.03e13, 6e13, 1.21e14),
  'RTX 4090': (8.26e13, 8.26e13, 1.652e14),
  'TITAN X': (1.1e13, None, None),
}
_PRECISIONS = ('float32 highest', 'float32 default', 'bfloat16')


def peaks(kind: str) -> dict[str, float | None]:
  """Returns the maker's peaks of a card by precision; empty if unknown."""
  known = [
    name
    for name in PEAKS
    if re.search(rf'(?<![A-Z0-9]){name}(?![A-Z0-9])', kind, re.IGNORECASE)
  ]
  return dict(zip(_PRECISIONS, PEAKS[known[0]])) if known else {}


def guarded(make) -> dict[str, Any]:
  """Returns the row that `make` returns, or {'failed': reason}."""
  try:
    return make()
  except machine_lib.Failed as error:
    return {'failed': str(error)}


def card(machine: machine_lib.Machine) -> Iterator[stages.Task]:
  """Yields the tasks of stage 1: the card, its best rates, parity on it."""
  yield stages.Task('device', lambda left: dict(machine.device))
  for precision in _PRECISIONS:
    yield stages.Task(
      f'matrix product, {precision}',
      lambda left, p=precision: guarded(lambda: _product(machine, p)),
    )
  yield stages.Task('copy', lambda left: guarded(lambda: _copy(machine)))
  for key, options in _parities(machine):
    yield stages.Task(
      key,
      lambda left, o=options: guarded(
        lambda: machine.ask('jax', 'parity', **o)
      ),
    )


def _product(machine, precision: str) -> dict[str, Any]:
  size = 256 if machine.small else 8192
  options = {'what': 'product', 'size': size, 'precision': precision}
  row = _timed(machine, {'product': ('jax', options)})
  if machine.small:
    return row
  run = row['runs']['product']
  rate = run['flops'] / run['median_seconds']
  row['flops_per_second'] = rate
  if peak := peaks(machine.device['kind']).get(precision):
    row |= {'makers_peak': peak, 'share_of_peak': round(rate / peak, 3)}
  return row


def _copy(machine) -> dict[str, Any]:
  size = 2**20 if machine.small else 2**30
  row = _timed(machine, {'copy': ('jax', {'what': 'copy', 'size': size})})
  if not machine.small:
    row['bytes_per_second'] = 2 * size / row['runs']['copy']['median_seconds']
  return row


def _parities(machine) -> Iterator[tuple[str, dict[str, Any]]]:
  """Yields (key, options of `worker`'s parity)."""
  folder = machine.find('golden') or machine_lib.ROOT / 'tests/golden'
  read, video = folder / 'addressing.npz', folder / 'video.npz'
  kinds = 'dense', 'streaming', 'top_k'
  for kind in kinds:
    options = {'what': 'addressing', 'kind': kind, 'precision': 'highest'}
    yield f'parity, {kind} read, formulas in NumPy', options
    if read.exists():
      cases = {'path': str(read), 'most': 2 if machine.small else 100}
      yield f'parity, {kind} read, golden', options | cases
  if not video.exists():
    return
  for precision in ('highest', None):
    yield (
      f'parity, video network, precision {precision or "default"}',
      {'what': 'evaluation', 'path': str(video), 'precision': precision},
    )
  if not machine.small:  # It takes minutes on a CPU, where tests do it.
    for double in (False, True):
      yield (
        f'parity, video training, {"float64" if double else "float32"}',
        {
          'what': 'training',
          'path': str(video),
          'precision': 'highest',
          'double': double,
        },
      )


def _timed(machine, runs: Mapping[str, tuple[str, dict]]) -> dict[str, Any]:
  """Prepares programs and times them in turns; on a CPU it gives no speed.

  Args:
    machine: this one.
    runs: (side, options of `speed.Programs.prepare`) by name. A program that
      cannot be prepared is left out of the turns.

  Returns:
    A row with `runs`: facts by name, with the median and the least of the
    seconds per call, and the number of samples.
  """
  facts, samples = {}, {}
  for name, (side, options) in runs.items():
    try:
      facts[name] = machine.ask(side, 'prepare', name=name, **options)
      samples[name] = []
    except machine_lib.Failed as error:
      facts[name] = {'failed': str(error)}
  for _ in range(1 if machine.small else ROUNDS):
    for name in samples:
      side, _ = runs[name]
      samples[name].append(machine.ask(side, 'time', name=name)['seconds'])
  for side in {side for side, _ in runs.values()}:
    machine.ask(side, 'forget')
  if machine.small:
    lines = {name: run.get('failed', 'it ran') for name, run in facts.items()}
    failed = [line for line in lines.values() if line != 'it ran']
    row = {'runs': lines, 'speed': stages.NOT_RUN}
    return row | ({'failed': failed[0]} if failed else {})
  for name, seconds in samples.items():
    facts[name] |= {
      'median_seconds': statistics.median(seconds),
      'least_seconds': min(seconds),
      'samples': len(seconds),
    }
  return {'runs': facts}


def _with_shares(machine, row, precision: str, rates: Mapping[str, Any]):
  """Adds to the runs of a row their shares of the card's best rates."""
  if machine.small:
    return row
  measured = rates.get(f'matrix product, {precision}', {}).get(
    'flops_per_second'
  )
  peak = peaks(machine.device['kind']).get(precision)
  for run in row['runs'].values():
    if 'flops' not in run or 'median_seconds' not in run:
      continue
    rate = run['flops'] / run['median_seconds']
    run['flops_per_second'] = rate
    if measured:
      run['share_of_measured_product'] = round(rate / measured, 4)
    if peak:
      run['share_of_makers_peak'] = round(rate / peak, 4)
  row['precision'] = precision
  if precision == 'float32 default':
    row['products_in'] = 'TF32 where the card has it, as XLA does by itself'
  row['versions'] = {
    'jax': machine.device['versions']['jax'],
    'torch': machine.torch and machine.torch['version'],
  }
  return row


def speed(
  machine: machine_lib.Machine, rates: Mapping[str, Any]
) -> Iterator[stages.Task]:
  """Yields the tasks of stage 2.

  Args:
    machine: this one.
    rates: rows of stage 1 by key.
  """
  plans = [*_videos(machine), *_reads(machine), *_frames(machine)]
  for key, runs, precision, more in sorted(plans, key=lambda plan: plan[3]):
    del more
    yield stages.Task(
      key, lambda left, r=runs, p=precision: _row(machine, r, p, rates)
    )


def _row(machine, runs, precision, rates) -> dict[str, Any]:
  def make():
    if not machine.small:
      machine.rest()  # So that the peak of a process is that of its row.
    row = _with_shares(machine, _timed(machine, runs), precision, rates)
    return row if machine.small else row | _per_frame(runs, row)

  return guarded(make)


def _per_frame(runs, row) -> dict[str, Any]:
  """Returns the seconds per frame of runs that score, beside the paper's."""
  out = {}
  for name, (_, options) in runs.items():
    if options.get('task') == 'score' and 'median_seconds' in row['runs'][name]:
      seconds = row['runs'][name]['median_seconds']
      out[name] = seconds / options['batch']  # One clip per frame.
  return {'seconds_per_frame': out, 'papers': PAPER} if out else {}


def _against(machine, options: Mapping[str, Any]) -> dict[str, tuple]:
  """Returns the run of the same by PyTorch, if it is installed."""
  return {'torch': ('torch', dict(options))} if machine.torch else {}


def _videos(machine) -> Iterator[tuple]:
  size, batch, slots = (32, 2, 10) if machine.small else (256, 14, 2000)
  for compute in ('float32', 'bfloat16'):
    for task in ('train', 'score'):
      options = {
        'what': 'video',
        'size': size,
        'batch': batch,
        'slots': slots,
        'task': task,
        'variant': 'memae',
        'compute': compute,
      }
      runs = {'jax': ('jax', options), **_against(machine, options)}
      precision = 'bfloat16' if compute == 'bfloat16' else 'float32 default'
      yield f'Ped2 {task}, {compute}, batch {batch}', runs, precision, 0


def _frames(machine) -> Iterator[tuple]:
  size, slots = (32, 10) if machine.small else (256, 2000)
  for variant in ('memae', 'ae'):
    for batch in (1, 16) if not machine.small else (1,):
      options = {
        'what': 'video',
        'size': size,
        'batch': batch,
        'slots': slots,
        'task': 'score',
        'variant': variant,
        'compute': 'float32',
      }
      runs = {'jax': ('jax', options), **_against(machine, options)}
      yield f'frames, {variant}, batch {batch}', runs, 'float32 default', 1


def _reads(machine) -> Iterator[tuple]:
  """Yields dense, streaming and top-k reads.

  The more slots, the fewer queries, as the dense read would not fit otherwise.
  """
  sizes = [(2000, 7168), (65_536, 4096), (1_000_000, 1024)]
  if machine.small:
    sizes = [(100, 64)]
  for slots, queries in sizes:
    for compute in ('float32', 'bfloat16'):
      for direction in ('both', 'forward', 'sparse'):
        kinds = ['dense', 'streaming']
        if direction == 'sparse':
          kinds = ['streaming', 'top_k']
        size = {'slots': slots, 'queries': queries}
        options = {'what': 'read', **size, 'direction': direction}
        runs = {
          kind: ('jax', {**options, 'kind': kind, 'compute': compute})
          for kind in kinds
        }
        # A read takes products in full float32, whatever the type of queries.
        if compute == 'float32' and direction != 'sparse':
          runs |= _against(machine, options)
        key = f'read {slots}x{queries}, {direction}, {compute}'
        late = 2 if compute == 'float32' else 3
        yield key, runs, 'float32 highest', late


def fleets(machine: machine_lib.Machine) -> Iterable[stages.Task]:
  """Yields the tasks of stage 3: R replicas by vmap and by lax.map."""
  sizes, steps = ((2,), 2) if machine.small else ((10, 30, 90), 100)
  for replicas in sizes:
    runs = {
      how: (
        'jax',
        {'what': 'fleet', 'replicas': replicas, 'steps': steps, 'how': how},
      )
      for how in ('vmap', 'map')
    }
    yield stages.Task(
      f'{replicas} MNIST networks, {steps} steps',
      lambda left, r=runs, n=replicas * steps: guarded(
        lambda: _mapped(machine, r, n)
      ),
    )


def _mapped(machine, runs, count: int) -> dict[str, Any]:
  """Returns the row of a fleet; `count` is replicas times steps."""
  if not machine.small:
    machine.rest()
  row = _timed(machine, runs)
  if machine.small:
    return row
  seconds = {
    name: run['median_seconds']
    for name, run in row['runs'].items()
    if 'median_seconds' in run
  }
  row['ms_per_step_and_replica'] = {
    name: round(1e3 * median / count, 4) for name, median in seconds.items()
  }
  if len(seconds) == 2:
    row['map_over_vmap'] = round(seconds['map'] / seconds['vmap'], 3)
    row['faster'] = min(seconds, key=seconds.get)
  return row
