"""A plan as a person reads it."""

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
  """The value in the largest unit that it reaches, and the unit."""
  at = 0
  while abs(value) >= base and at < len(units) - 1:
    value, at = value / base, at + 1
  return value, units[at]


def size(count: float) -> str:
  """Bytes in the unit that suits them."""
  value, unit = _scaled(count, 1024, ('B', 'KiB', 'MiB', 'GiB', 'TiB'))
  return f'{value:.0f} B' if unit == 'B' else f'{value:.2f} {unit}'


def _number(value: float | None, unit: str = '') -> str:
  """With the prefix that suits it; what is not known is a dash."""
  if value is None:
    return '-'
  value, prefix = _scaled(value, 1000, ('', 'k', 'M', 'G', 'T'))
  return f'{value:.4g} {prefix}{unit}'.rstrip()


def _seconds(value: float | None) -> str:
  if value is None:
    return '-'
  return f'{value * 1e3:.3g} ms' if value >= 1e-3 else f'{value * 1e6:.3g} us'


def _rows(rows: list[tuple[str, ...]]) -> list[str]:
  """Columns: the first to the left, the others to the right."""
  widths = [max(map(len, column)) for column in zip(*rows)]
  return [
    '  '.join(
      [row[0].ljust(widths[0])]
      + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
    ).rstrip()
    for row in rows
  ]


def text(plan: dict[str, Any]) -> str:
  """The plan in lines of text."""
  both = plan['train'], plan['score']
  chip, mesh = plan['chip'], plan['mesh']
  axes = ', '.join(f'{axis} {count}' for axis, count in mesh.items())
  lines = [
    f'{plan["devices"]} x {chip["name"]}; mesh {axes}; compiled, not run',
    f'{plan["replicas"]} replicas, {plan["slots"] or "no"} slots,'
    f' {plan["steps"]} steps, {plan["feed"]} feed',
    '',
  ]
  rows = [('bytes of each device', 'training', 'scoring')]
  for kind, words in _KINDS.items():
    if any(p['bytes'].get(kind) for p in both):
      rows.append((words, *(size(p['bytes'].get(kind, 0)) for p in both)))
  if chip['memory']:
    rows.append(('of', *(size(p['memory']) for p in both)))
  rows += [
    ('', '', ''),
    ('a step of', *(f'{p["samples"]} samples' for p in both)),
  ]
  of = lambda key: [p.get(key) for p in both]
  rows += [
    ('arithmetic of a device', *(_number(v, 'FLOP') for v in of('flops'))),
    (
      'the same in products of bfloat16',
      *(_number(v, 'FLOP') for v in of('matrix_unit_flops')),
    ),
    (
      'moved from and to its memory',
      *('-' if v is None else size(v) for v in of('bytes_moved')),
    ),
  ]
  times = [v or {} for v in of('seconds')]
  for part in _PARTS:
    words = f'time of {part} at least'
    rows.append((words, *(_seconds(t.get(part)) for t in times)))
  rows += [
    (
      'time of a step at least',
      *(f'{_seconds(t["step"])} ({t["bound"]})' if t else '-' for t in times),
    ),
    (
      'samples a second and device at most',
      *(_number(v) for v in of('samples_per_second_per_device')),
    ),
  ]
  lines += _rows(rows) + ['']
  rows = [('collectives', 'axes', 'a step', 'bytes of a device')]
  for name, program in (('training', both[0]), ('scoring', both[1])):
    for each in program.get('collectives', ()):
      rows.append(
        (
          f'{name}: {each["kind"]}',
          ' x '.join(each['axes']),
          str(each['count']),
          size(each['nbytes']),
        )
      )
  lines += _rows(rows) if len(rows) > 1 else ['collectives: none known']
  for what, found in plan.get('limits', {}).items():
    largest, checked = found['largest'], found['checked']
    how = 'compiled' if checked else 'estimated'
    said = 'not found' if largest is None else f'{largest:,} ({how})'
    lines.append(f'largest {what} that training fits: {said}')
  return '\n'.join(lines)
