"""Makes a file of data/ from the results.json of a run, or from a study.

python docs/results/extract.py runs/digits digits auroc variance_explained \
    --command='python -m memae_jax.main --config=configs/digits.py ...'

The first metric is the headline; further files of a run are not read. Of a
study there is a row for each point. --more=RUN adds rows for the methods of
another run to the table `main`, above the baselines, and below them those that
it alone has; RUN:METHOD=LABEL,... gives some methods other labels. --events
adds the table `events` of videos.
"""

import argparse
import decimal
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import tables

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.evaluation.report import wording

_DIGITS = 4  # That pages show.
_WIDTH = 80
_PUBLISHED_AS = {
  'ocsvm': 'OC-SVM',
  'kde': 'KDE',
  'dagmm': 'DAGMM',
  'dcn': 'DCN',
  'dsebm_e': 'DSEBM',
}
_TITLES = {  # Where those of the report are long.
  'f1_at_ratio': 'F1',
  'precision_at_ratio': 'precision',
  'recall_at_ratio': 'recall',
  'average_precision': 'average precision',
  'auroc_contrast': 'beyond contrast',
  'variance_explained': 'variance explained',
  'pseudo_auroc': 'pseudo-AUROC',
}


def extract(
  results: Mapping[str, Any], metrics: Sequence[str], commands: Sequence[str]
) -> dict[str, Any]:
  """Returns the data file of a run.

  Args:
    results: of its results.json.
    metrics: names of those that are kept, the headline first.
    commands: by which it was run.

  Returns:
    Facts of the run, and the tables `main` (methods, then baselines from the
    best to the worst), `pairs` (paired differences), `rules` (of scores, where
    there are several), `chosen` (of the rules that pseudo-anomalies choose),
    `over_rows` (of videos, less rows that learn nothing), `memory`, and
    `classes` where several classes are normal in turn.
  """
  titles = [_TITLES.get(m) or wording.title(m) for m in metrics]
  made = {
    'main': _main(results, metrics, titles),
    'pairs': table(
      ['paired difference', *titles],
      [
        [
          ' - '.join(map(wording.label, pair.split(' - '))),
          *(cell(values.get(m), 'difference') for m in metrics),
        ]
        for pair, values in results['differences'].items()
      ],
    ),
  }
  if not results['differences']:
    del made['pairs']
  rules = {
    name: by_rule
    for name, by_rule in (results.get('rules') or {}).items()
    if len(by_rule) > 1
  }
  if any(
    metrics[0] in s for by_rule in rules.values() for s in by_rule.values()
  ):
    made['rules'] = _rules(rules, metrics[0])
  if results.get('chosen'):
    made['chosen'] = _chosen(results)
  if results.get('over_rows'):
    made['over_rows'] = _over_rows(results['over_rows'])
  if results['memory']:
    made['memory'] = _memory(results['memory'])
  if len(results['classes'] or ()) > 1:
    names = list(results['methods'])
    made['classes'] = table(
      ['normal class', *map(wording.label, names)],
      [
        [kind, *(cell(values[n][metrics[0]], 'mean', False) for n in names)]
        for kind, values in results['classes'].items()
      ],
    )
  return facts(results, commands) | {'tables': made}


def add_run(
  data: dict[str, Any],
  results: Mapping[str, Any],
  metrics: Sequence[str],
  labels: Mapping[str, str],
  above: int,
) -> None:
  """Adds the methods of another run to the table `main` of a data file.

  Baselines that only the other run has come last.

  Args:
    data: from `extract`; it is changed.
    results: of the other run.
    metrics: those of the table.
    labels: {method: its label}, where that is not the usual one.
    above: number of the baselines in the table, which stay below.
  """
  table = data['tables']['main']
  wide = len(table['columns'])  # A column of the paper may be in one run alone.
  made = _main(results, metrics, metrics)['rows']
  for row, name in zip(made, results['methods']):
    label = labels.get(name, row[0])
    at = len(table['rows']) - above
    table['rows'].insert(at, [label, *row[1:], None][:wide])
  known = {row[0] for row in table['rows']}
  table['rows'] += [
    [*row, None][:wide]
    for row in made[len(results['methods']) :]
    if row[0] not in known
  ]
  data['source'] = 'extracted from the `results.json` of these runs'
  data['time'] += f'; then {_training(results)}'


def cost(results: Mapping[str, Any], labels: Mapping[str, str]) -> list:
  """Returns rows of seconds: of training and of scoring, of each family.

  Args:
    results: of a run.
    labels: {method: its label}, where that is not the usual one.
  """
  others = results.get('families', {})
  of_others = {name for of in others.values() for name in of['methods']}
  first = [name for name in results['methods'] if name not in of_others]
  families = [(first, results['throughput'])]
  families += [(of['methods'], of['throughput']) for of in others.values()]
  name = lambda method: labels.get(method, wording.label(method))
  seconds = lambda of, key: of.get(key) and round(of[key])
  return [
    [
      ', '.join(map(name, methods)),
      sum(r['fields']['variant'] in methods for r in results['replicas']),
      seconds(of, 'training_seconds'),
      seconds(of, 'scoring_seconds'),
    ]
    for methods, of in families
  ]


_COST = 'methods', 'runs', 'seconds of training', 'seconds of scoring'


_EVENTS = {  # Of videos: metric, title, digits.
  'event_f1': ('F1', 3),
  **{f'event_f1_{n}': (f'F1 at {n} %', 3) for n in (10, 20, 30, 40, 50)},
  'event_recall': ('events found', 3),
  'detection_delay': ('delay, frames', 1),
  'detection_delay_seconds': ('delay, s', 1),
  'false_alarms': ('false alarms per 1,000 frames', 1),
  'false_alarms_per_hour': ('false alarms per hour', 0),
  'latency_aware_ap': ('latency-aware AP', 3),
  'rbdc': ('RBDC', 3),
  'tbdc': ('TBDC', 3),
}


def events(results: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a table of what somebody who answers alarms sees.

  A row for each method, for flagging every frame, and for each baseline, the
  best first; columns that no row has, such as seconds of videos without a rate,
  are left out.

  Args:
    results: of a run of videos.
  """
  methods = results['methods']
  rows = _main(results | {'paper': None}, list(_EVENTS), list(_EVENTS))['rows']
  whole = next(iter(methods.values()))['event_f1_all_positive']
  every = ['Every frame flagged', cell(whole, spread=False)]
  rows.insert(len(methods), every + [None] * (len(_EVENTS) - 1))
  columns = [('method', 0), *_EVENTS.values()]
  kept = [i for i in range(len(columns)) if any(r[i] is not None for r in rows)]
  titles, digits = zip(*(columns[i] for i in kept))
  rows = [[row[i] for i in kept] for row in rows]
  return table(list(titles), rows) | {'digits': list(digits)}


def extract_study(
  folder: pathlib.Path,
  metrics: Sequence[str],
  commands: Sequence[str],
  across: str = '',
) -> dict[str, Any]:
  """Returns the data file of a study, with a table `main` of its points.

  Args:
    folder: of the study.
    metrics: names of those that are kept, the headline first.
    commands: by which it was run.
    across: field whose values are columns, of the headline alone; '': none.
  """
  study = json.loads((folder / 'study.json').read_text())
  points = [p for p in study['points'] if p['state'] == 'finished']
  of_run = folder / 'runs' / points[0]['run'] / 'results.json'
  known = facts(json.loads(of_run.read_text()), commands)
  count = sum(point['replicas'] for point in points)
  known |= {
    'source': 'extracted from the `study.json` of this study',
    'time': f'{study["wall_seconds"]:.0f} s for {count} networks or memories,'
    ' with their evaluation',
  }
  del known['config']
  made = crossed(points, metrics[0], across) if across else None
  return known | {'tables': {'main': made or table_of_points(points, metrics)}}


def table_of_points(points, metrics) -> dict[str, Any]:
  """Returns a table with a row for each point: its label, or its fields."""
  headline, *others = metrics
  fields = [] if all(p['label'] for p in points) else _fields(points)
  rows = [
    [
      *([_value(p['fields'].get(f)) for f in fields] or [p['label']]),
      cell(p['metrics'].get(headline)),
      *(cell(p['metrics'].get(m), spread=False) for m in others),
    ]
    for p in points
  ]
  titles = [_TITLES.get(m) or wording.title(m) for m in metrics]
  return table([*(map(_name, fields) if fields else ['point']), *titles], rows)


def crossed(points, metric: str, across: str) -> dict[str, Any]:
  """Returns a table of one metric by the values of a field, in columns."""
  fields = [f for f in _fields(points) if f != across]
  found: dict[tuple, dict] = {}
  for point in points:
    key = tuple(_value(point['fields'].get(f)) for f in fields)
    mean = {'mean': point['metrics'][metric]['mean']}
    found.setdefault(key, {})[point['fields'].get(across)] = mean
  values = {v for row in found.values() for v in row}
  values = sorted(values, key=lambda v: (v is not None, v or 0))
  heads = ['' if v is None else f'{_name(across)} {_value(v)}' for v in values]
  rows = [[*key, *map(row.get, values)] for key, row in found.items()]
  return table([*map(_name, fields), *heads], rows)


def _fields(points) -> list[str]:
  """Returns the fields that points differ in."""
  names = dict.fromkeys(name for point in points for name in point['fields'])
  values = lambda name: {_value(p['fields'].get(name)) for p in points}
  return [name for name in names if len(values(name)) > 1]


def _name(field: str) -> str:
  return field.rpartition('.')[2].replace('_', ' ')


def _value(value: Any) -> str:
  """Returns the value of a field as text; '' where a point does not set it."""
  if isinstance(value, bool):
    return 'yes' if value else 'no'
  if isinstance(value, (int, float)):
    return f'{value:,g}' if isinstance(value, float) else f'{value:,}'
  return '' if value is None else str(value)


def table(columns, rows) -> dict[str, Any]:
  """Returns a table: text on the left, then numbers."""
  align = 'l' + 'r' * (len(columns) - 1)
  return {'columns': columns, 'align': align, 'digits': _DIGITS, 'rows': rows}


def _main(results, metrics, titles) -> dict[str, Any]:
  headline, *others = metrics
  paper = results['paper'] or {}
  published = {**paper.get('variants', {}), **paper.get('others', {})}
  rivals = sorted(
    results['baselines'].items(),
    key=lambda item: (item[1].get(headline) or {}).get('mean') or -1.0,
    reverse=True,
  )
  rows = []
  for name, values in [*results['methods'].items(), *rivals]:
    row = [wording.label(name), headline_cell(results, name, headline)]
    row += [cell(values.get(m), spread=False) for m in others]
    if paper:
      theirs = published.get(_PUBLISHED_AS.get(name, name), {})
      row.append(theirs.get(headline))
    rows.append(row)
  last = [f'paper {titles[0]}'] if paper else []
  return table(['method', *titles, *last], rows)


def headline_cell(results, name: str, metric: str):
  """Returns the cell of a method or baseline; of a run alone with an interval.

  Args:
    results: of a run.
    name: of the method or baseline.
    metric: of the cell.
  """
  values = results['methods'].get(name) or results['baselines'][name]
  found = dict(values.get(metric) or {})
  for replica in results['replicas']:
    if replica.get('interval') and replica['fields']['variant'] == name:
      found['interval'] = replica['interval'].get(metric)
  return cell(found)


def _over_rows(gaps) -> dict[str, Any]:
  """Returns differences of methods to rows of videos that learn nothing."""
  rows = []
  for method, of_method in gaps.items():
    for row, gap in of_method.items():
      name = ' - '.join(map(wording.label, (method, row)))
      difference = {k: gap[k] for k in ('difference', 'ci95') if gap[k]}
      rows.append([name, difference, f'{gap["won"]} : {gap["lost"]}'])
  head = ['difference', 'AUROC, normalised per video', 'videos won : lost']
  return table(head, rows)


def _rules(rules, metric: str) -> dict[str, Any]:
  """Returns a row per rule of scores, a column per method."""
  order = dict.fromkeys(rule for by_rule in rules.values() for rule in by_rule)
  return table(
    ['score', *map(wording.label, rules)],
    [
      [
        losses.find(rule).title,
        *(cell(of.get(rule, {}).get(metric)) for of in rules.values()),
      ]
      for rule in order
    ],
  )


def _chosen(results) -> dict[str, Any]:
  """Returns a row per method whose score was chosen without test data."""
  columns = ['method', 'AUROC, chosen', 'AUROC, fixed', 'rank correlation']
  rows = []
  for name, of in results['chosen'].items():
    chosen, ranks = of['metrics']['auroc'], of['metrics']['rank_correlation']
    fixed = results['methods'][name]['auroc']
    rows.append([wording.label(name), cell(chosen), cell(fixed), cell(ranks)])
  return table(columns, rows)


def _memory(memory) -> dict[str, Any]:
  columns = [
    'memory',
    'slots',
    'slots used',
    'slots kept per read',
    'dead reads',
  ]
  keys = 'used', 'mean_kept', 'dead_read_rate'
  rows = [
    [wording.label(name), round(values['slots']), *(values[k] for k in keys)]
    for name, values in memory.items()
  ]
  return table(columns, rows) | {'digits': [0, 0, 1, 1, 4]}


def cell(values, name: str = 'mean', spread: bool = True):
  """Returns the cell of a metric, or None where it is undefined."""
  if not values or values.get('mean') is None:
    return None
  cell = {name: values['mean']}
  if name == 'mean' and values['std'] is not None:  # Of several seeds.
    cell['std'] = values['std']
  ends = values.get('ci95') or values.get('interval')  # Of a run alone.
  if spread and ends:
    cell['ci95'] = ends
  return cell


def facts(results, commands) -> dict[str, Any]:
  """Returns how a run was made: commit, seeds, device, time, config."""
  where, config = results['environment'], results['config']
  first, seeds = config['train']['seed'], config['fleet']['seeds']
  devices = max(where['mesh'].values())
  kind = where['device'].upper()
  return {
    'source': 'extracted from the `results.json` of this run',
    'commands': list(commands),
    'commit': where['commit'],
    'seeds': f'seeds {first} to {first + seeds - 1}'
    if seeds > 1
    else f'seed {first}',
    'device': f'{devices} {kind} device{"s" if devices > 1 else ""} of'
    f' {where["machine"]}, jax {where["versions"]["jax"]}',
    'time': f'{_training(results)},'
    f' {where["peak_memory"]["host_bytes"] / 2**30:.2f} GiB of memory at most',
    'config': _changed(config),
  }


def _training(results) -> str:
  of_families = [
    of['throughput'] for of in results.get('families', {}).values()
  ]
  every = [results['throughput'], *of_families]
  seconds = sum(of.get('training_seconds') or 0 for of in every)
  count = len(results['replicas'])
  if not seconds:
    return f'no training, {count} memories or fits'
  return f'{seconds:.0f} s of training for {count} networks'


def _changed(config) -> dict[str, Any]:
  """Returns the fields of a config that differ from the default."""
  usual = config_lib.flatten(config_lib.default().to_dict())
  usual = json.loads(json.dumps(usual))  # With lists for tuples.
  fields = config_lib.flatten(config)
  for name in fields:
    if config_lib.has_role(name, 'path') and fields[name]:
      fields[name] = pathlib.PurePath(fields[name]).name  # Of whose machine.
  return {k: v for k, v in fields.items() if v != usual.get(k)}


def text(value: Any, indent: int = 0, key: str = '') -> str:
  """Writes JSON: a row of a table per line, numbers with all their digits."""
  line = _line(value)
  if len(line) + indent <= _WIDTH or not isinstance(value, (Mapping, list)):
    return line
  space = '\n' + ' ' * (indent + 2)
  if isinstance(value, Mapping):
    items = [f'{_line(k)}: {text(v, indent + 2, k)}' for k, v in value.items()]
  elif key == 'rows':
    items = [_line(v) for v in value]
  else:
    items = [text(v, indent + 2) for v in value]
  left, right = '{}' if isinstance(value, Mapping) else '[]'
  return left + space + f',{space}'.join(items) + '\n' + ' ' * indent + right


def _line(value: Any) -> str:
  if isinstance(value, Mapping):
    return (
      '{' + ', '.join(f'{_line(k)}: {_line(v)}' for k, v in value.items()) + '}'
    )
  if isinstance(value, (list, tuple)):
    return '[' + ', '.join(map(_line, value)) + ']'
  if isinstance(value, decimal.Decimal):
    return f'{value:f}'
  return json.dumps(value, ensure_ascii=False)


def write(name: str, file: Mapping[str, Any]) -> pathlib.Path:
  """Writes a file of data/."""
  path = tables.DATA / f'{name}.json'
  path.write_text(text(file) + '\n')
  return path


def main() -> None:
  """Reads the command line."""
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('run', type=pathlib.Path, help='folder of it')
  parser.add_argument('name', help='of the file in data/')
  parser.add_argument('metrics', nargs='+', help='the headline first')
  parser.add_argument('--command', action='append', default=[])
  parser.add_argument(
    '--across', default='', help='field of a study in columns'
  )
  parser.add_argument(
    '--more', action='append', default=[], metavar='RUN[:METHOD=LABEL,...]'
  )
  parser.add_argument(
    '--cost', action='store_true', help='a table of seconds, too'
  )
  parser.add_argument(
    '--events', action='store_true', help='a table of events of videos, too'
  )
  args = parser.parse_args()
  if (args.run / 'study.json').exists():
    made = extract_study(args.run, args.metrics, args.command, args.across)
  else:
    results = json.loads((args.run / 'results.json').read_text())
    made = extract(results, args.metrics, args.command)
    if args.events:
      made['tables']['events'] = events(results)
    rows = cost(results, {}) if args.cost else []
    methods = len(results['methods'])
    for more in args.more:
      folder, _, words = more.partition(':')
      other = json.loads((pathlib.Path(folder) / 'results.json').read_text())
      labels = dict(word.split('=') for word in words.split(',') if word)
      above = len(made['tables']['main']['rows']) - methods
      add_run(made, other, args.metrics, labels, above)
      methods += len(other['methods'])
      rows += cost(other, labels) if args.cost else []
    if rows:
      made['tables']['cost'] = table(list(_COST), rows) | {'digits': 0}
  print(write(args.name, made))


if __name__ == '__main__':
  main()
