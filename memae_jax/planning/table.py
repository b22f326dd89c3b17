"""Text of a plan, for the terminal."""

from typing import Any

_KINDS = {
  'parameters': 'parameters and moments of norms',
  'optimizer': 'moments of Adam',
  'best_weights': 'copy of the best weights',
  'inputs': 'samples that stay there',
  'batch': 'batch',
  'read_ahead': 'batches read ahead',
  'layout': 'padding of layouts, less what is unused',
  'results': 'results',
  'temporaries': 'activations and temporaries',
  'code': 'program',
  'peak': 'peak',
}
_PARTS = ('compute', 'memory', 'links')


def _scaled(value: float, base: int, units: tuple[str, ...]) -> tuple:
  """Returns the value in the largest unit that it reaches, and the unit."""
  at = 0
  while abs(value) >= base and at < len(units) - 1:
    value, at = value / base, at + 1
  return value, units[at]


def size(count: float) -> str:
  """Writes a number of bytes in the unit that suits it."""
  value, unit = _scaled(count, 1024, ('B', 'KiB', 'MiB', 'GiB', 'TiB'))
  return f'{value:.0f} B' if unit == 'B' else f'{value:.2f} {unit}'


def _number(value: float | None, unit: str = '') -> str:
  """Writes a number with the prefix that suits it; a dash for None."""
  if value is None:
    return '-'
  value, prefix = _scaled(value, 1000, ('', 'k', 'M', 'G', 'T'))
  return f'{value:.4g} {prefix}{unit}'.rstrip()


def _seconds(value: float | None) -> str:
  """Writes seconds in milliseconds or microseconds; a dash for None."""
  if value is None:
    return '-'
  return f'{value * 1e3:.3g} ms' if value >= 1e-3 else f'{value * 1e6:.3g} us'


def _rows(rows: list[tuple[str, ...]]) -> list[str]:
  """Writes rows in columns: the first to the left, the others to the right."""
  widths = [max(map(len, column)) for column in zip(*rows)]
  return [
    '  '.join(
      [row[0].ljust(widths[0])]
      + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
    ).rstrip()
    for row in rows
  ]


def text(plan: dict[str, Any]) -> str:
  """Returns the plan as lines of text.

  Args:
    plan: from `plan.make`.
  """
  chip = plan['chip']
  lines = [f'{plan["devices"]} x {chip["name"]}; compiled, not run']
  for family in (plan, *plan['others'].values()):
    if plan['others']:
      lines.append(f'family {family["family"]}')
    lines += _family(family, bool(chip['memory']))
    if family is plan:
      limits = plan.get('limits', {})
      lines += [_limit(name, limit) for name, limit in limits.items()]
    lines.append('')
  return '\n'.join(lines[:-1])


def _limit(name: str, limit: dict[str, Any]) -> str:
  """Says which value of a config field is the largest that fits."""
  how = 'compiled' if limit['checked'] else 'estimated'
  largest = limit['largest']
  size = 'not found' if largest is None else f'{largest:,} ({how})'
  return f'largest {name} that training fits: {size}'


def _family(plan: dict[str, Any], has_memory: bool) -> list[str]:
  """Returns the lines of a family of methods.

  Args:
    plan: of the family.
    has_memory: whether the memory of a device is known.
  """
  names = {'train': 'training', 'score': 'scoring'}
  both = {w: plan[name] for name, w in names.items() if plan[name]}
  axes = ', '.join(f'{axis} {count}' for axis, count in plan['mesh'].items())
  lines = [
    f'mesh {axes}; {plan["replicas"]} replicas, {plan["slots"] or "no"} slots,'
    f' {plan["steps"]} steps, {plan["feed"]} feed',
    '',
  ]
  lines += _rows(_costs(both, has_memory)) + ['']
  rows = _collectives(both)
  return lines + (_rows(rows) if len(rows) > 1 else ['collectives: none known'])


def _costs(
  both: dict[str, dict[str, Any]], has_memory: bool
) -> list[tuple[str, ...]]:
  """Returns rows of bytes, arithmetic and times.

  Args:
    both: the programs by name.
    has_memory: whether the memory of a device is known.
  """
  rows = [('bytes of each device', *both)]
  programs = both.values()
  for kind, title in _KINDS.items():
    if any(p['bytes'].get(kind) for p in programs):
      rows.append((title, *(size(p['bytes'].get(kind, 0)) for p in programs)))
  if has_memory:
    rows.append(('of', *(size(p['memory']) for p in programs)))
  of = lambda key: [p.get(key) for p in programs]
  times = [v or {} for v in of('seconds')]
  return [
    *rows,
    ('', *('' for _ in programs)),
    ('samples of a step', *(str(p['samples']) for p in programs)),
    ('arithmetic of a device', *(_number(v, 'FLOP') for v in of('flops'))),
    (
      'the same in products of bfloat16',
      *(_number(v, 'FLOP') for v in of('matrix_unit_flops')),
    ),
    (
      'moved from and to its memory',
      *('-' if v is None else size(v) for v in of('bytes_moved')),
    ),
    *(
      (f'time of {part} at least', *(_seconds(t.get(part)) for t in times))
      for part in _PARTS
    ),
    (
      'time of a step at least',
      *(f'{_seconds(t["step"])} ({t["bound"]})' if t else '-' for t in times),
    ),
    (
      'samples per second and device at most',
      *(_number(v) for v in of('samples_per_second_per_device')),
    ),
  ]


def _collectives(both: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
  """Returns rows of what devices send each other, below their heads."""
  rows = [('collectives', 'axes', 'per step', 'bytes of a device')]
  for name, program in both.items():
    for collective in program.get('collectives', ()):
      rows.append(
        (
          f'{name}: {collective["kind"]}',
          ' x '.join(collective['axes']),
          str(collective['count']),
          size(collective['nbytes']),
        )
      )
  return rows
