"""Rows of a board: what each folder of runs says of itself. Only reads."""

import json
import os
import pathlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from memae_jax.comparison import attempts
from memae_jax.evaluation.report import findings, tables, wording
from memae_jax.evaluation.results import results_file
from memae_jax.runtime import errors, foreign, locks, strict_json

_MARKS = results_file.NAME, 'config.json', 'study.json'
_PAGES = 'report.html', 'study.html', results_file.NAME, 'study.json'
_READ = (*_MARKS, 'attempts.jsonl', '.lock', '.claim', '.plan')
_INSIDE = 'checkpoints', 'eval', 'films', 'foretold', 'pictures', 'tensorboard'
_CONFIG = {'name': str}
_META = {
  'steps?': int,
  'lengths?': {str: int},
  'environment?': {'device?': str},
}
_STUDY = {
  'base': str,
  'metric': str,
  'best': [{'oracle': bool, 'metric?': strict_json.Maybe({str: object})}],
  'runs': [{'state': str, 'error?': strict_json.Maybe(str)}],
  'wall_seconds?': strict_json.Maybe(float),
}
_MEND = 'train or evaluate it again'
_TAIL = 2**16  # Bytes at the end of a log.


class Row(NamedTuple):
  """Facts that a folder says of itself.

  folder: of the run, study or verdict.
  state: one of 'running', 'new', 'stopped', 'finished' (trained to its end),
    'evaluated', 'failed', 'damaged'.
  config: name of its config.
  problem: why it failed, or what is damaged.
  done, total, unit: progress.
  metric, value: the title of the headline metric, and its cell.
  rival, rival_value: the best baseline and its value.
  seconds: that it took.
  device: that it ran on.
  changed: when something of it last changed, in UTC.
  pages: names of the files to link to.
  """

  folder: pathlib.Path
  state: str
  config: str = ''
  problem: str = ''
  done: int | None = None
  total: int | None = None
  unit: str = 'steps'
  metric: str = ''
  value: tables.Cell | None = None
  rival: str = ''
  rival_value: str = ''
  seconds: float | None = None
  device: str = ''
  changed: str = '—'
  pages: tuple[str, ...] = ()


def find(root: pathlib.Path) -> Iterator[Row]:
  """Yields a row for each run, study and verdict in a folder, however deep.

  Links to folders are not followed.
  """
  unreadable: list[OSError] = []
  for place, names, files in os.walk(root, onerror=unreadable.append):
    folder = pathlib.Path(place)
    is_run = bool({*files} & {*_MARKS}) or 'checkpoints' in names
    names[:] = sorted(
      n for n in names if n[0] != '.' and not (is_run and n in _INSIDE)
    )
    if is_run:
      yield read(folder, root)
  for error in unreadable:
    if os.path.lexists(error.filename):  # Else it was removed meanwhile.
      folder = pathlib.Path(error.filename)
      yield Row(folder, 'damaged', problem=foreign.reason(error))


def read(folder: pathlib.Path, root: pathlib.Path) -> Row:
  """Returns the row of a folder; whatever is wrong with it, the row says.

  Args:
    folder: of a run, a study or a verdict.
    root: files that are links out of it are not read.
  """
  row = Row(folder, 'damaged')
  try:
    row = row._replace(changed=_changed(folder))
    _check_files(folder, root)
    row = row._replace(pages=tuple(n for n in _PAGES if _is_file(folder / n)))
    is_study = (folder / 'study.json').exists()
    return _of_study(row) if is_study else _of_run(row)
  except Exception as error:  # Files may hold anything.
    problem = str(error) if isinstance(error, errors.UserError) else ''
    problem = problem.replace(f'{foreign.name_of(folder)}/', '')
    return row._replace(problem=problem or foreign.reason(error))


def _is_file(path: pathlib.Path) -> bool:
  return path.is_file() and not path.is_symlink()


def _check_files(folder: pathlib.Path, root: pathlib.Path) -> None:
  """Raises ValueError for a file that leads out, or that is none."""
  inside = root.resolve()
  for path in (folder / name for name in (*_READ, *_logs(folder))):
    if not path.resolve().is_relative_to(inside):
      raise ValueError(f'{path.name} is a link out of the folder')
    if os.path.lexists(path) and not path.is_file():
      raise ValueError(f'{path.name} is no file')


def _logs(folder: pathlib.Path) -> list[str]:
  return sorted(path.name for path in folder.glob('metrics*.jsonl'))


def _changed(folder: pathlib.Path) -> str:
  """Returns when the folder, or a file of it, was changed, in UTC."""
  names = (*_MARKS, *_logs(folder))
  places = [folder, *(folder / name for name in names)]
  last = max(p.lstat().st_mtime for p in places if os.path.lexists(p))
  return time.strftime('%Y-%m-%d %H:%M', time.gmtime(last))


def _of_study(row: Row) -> Row:
  stored = strict_json.load(
    row.folder / 'study.json', _STUDY, 'study', 'run the study again'
  )
  states = [run['state'] for run in stored['runs']]
  problem = next((r['error'] for r in stored['runs'] if r.get('error')), '')
  state = 'finished' if set(states) == {'finished'} else 'stopped'
  if problem:
    state = 'failed'
  if any(locks.is_held(p) for p in row.folder.glob('runs/*/.claim')):
    state = 'running'
  best = (b for b in stored['best'] if not b['oracle'] and b.get('metric'))
  summary = next(best, {}).get('metric')
  return row._replace(
    state=state,
    config=stored['base'],
    problem=problem,
    done=states.count('finished'),
    total=len(states),
    unit='runs',
    metric=wording.title(stored['metric']),
    value=tables.cell(summary, 4),
    seconds=stored.get('wall_seconds'),
  )


def _of_run(row: Row) -> Row:
  folder, results = row.folder, None
  if (folder / results_file.NAME).exists():
    results = results_file.read(
      folder / results_file.NAME, results_file.FIRST_LOOK, _MEND
    )
    row = row._replace(**_of_results(results))
    if 'kind' in results:
      return row
  elif not (folder / 'config.json').exists():
    raise ValueError('it has checkpoints, but no config.json')
  else:
    config = strict_json.load(
      folder / 'config.json', _CONFIG, 'config', 'give another --workdir'
    )
    row = row._replace(config=config['name'])
  spent, last = attempts.costs(folder), attempts.last_end(folder)
  if spent.attempts:
    row = row._replace(seconds=spent.seconds)
  return _progress(row, results, str(last.get('error', '')))


def _of_results(results: Mapping[str, Any]) -> dict[str, Any]:
  """Returns what results say, as fields of a row."""
  name, metric = results['headline'], findings.first_metric(results)
  ours = [r for r in results['replicas'] if r['fields']['variant'] == name]
  interval = ours[0].get('interval', {}) if len(ours) == 1 else {}
  digits, others = tables.digits(results), findings.rivals(results, metric)
  best = max(others, key=others.get, default='')
  return {
    'state': 'evaluated',
    'config': results.get('name') or 'scores judged',
    'metric': f'{wording.title(metric)} of {wording.label(name)}',
    'value': tables.cell(
      results['methods'][name].get(metric),
      digits,
      interval=interval.get(metric),
    ),
    'rival': best and wording.label(best),
    'rival_value': best and wording.number(others[best], digits),
    'seconds': results.get('throughput', {}).get('training_seconds'),
    'device': results['environment'].get('device', ''),
  }


def _progress(row: Row, results: Mapping[str, Any] | None, error: str) -> Row:
  """Adds steps and state, by locks, checkpoints, logs and results."""
  folder = row.folder
  at = (results or {}).get('checkpoint', {})
  kept = _checkpoints(folder / 'checkpoints')
  newest = max(kept.get('', [0]))
  meta = _meta(folder / 'checkpoints', newest)
  total = sum(meta.get('lengths', {}).values()) or meta.get('steps')
  total = total or at.get('of_steps')
  device = row.device or meta.get('environment', {}).get('device', '')
  row = row._replace(device=device)
  busy = [folder / '.lock', folder / '.claim', *folder.glob('eval/*/.claim')]
  if any(map(locks.is_held, busy)):
    done = sum(map(_last_step, (folder / name for name in _logs(folder))))
    return row._replace(state='running', done=done, total=total)
  done = sum(map(max, kept.values())) if kept else at.get('step')
  row = row._replace(done=done, total=total)
  step = at.get('step')
  if at and step == at.get('of_steps', step) and step >= newest:
    return row._replace(state='evaluated')
  if error:
    return row._replace(state='failed', problem=error)
  if not done:
    return row._replace(state='stopped' if _logs(folder) else 'new')
  return row._replace(state='finished' if done == total else 'stopped')


def _checkpoints(folder: pathlib.Path) -> dict[str, list[int]]:
  """Returns the steps of the checkpoints of each family; '' is the first."""
  places = [p for p in folder.glob('*/') if not p.name[0].isdigit()]
  steps = {
    '' if place == folder else place.name: [
      int(path.name) for path in place.glob('*/') if path.name.isdecimal()
    ]
    for place in (folder, *places)
  }
  return {family: values for family, values in steps.items() if values}


def _meta(folder: pathlib.Path, step: int) -> Mapping[str, Any]:
  """Returns what is stored beside a checkpoint; {} where there is none."""
  path = folder / str(step) / 'meta' / 'metadata'
  if not path.is_file():
    return {}
  return strict_json.load(path, _META, 'checkpoint', _MEND)


def _last_step(log: pathlib.Path) -> int:
  """Returns the step of the last whole line of a log; 0 without one."""
  with log.open('rb') as file:
    file.seek(max(log.stat().st_size - _TAIL, 0))
    lines = file.read().splitlines()
  for line in reversed(lines):
    try:
      return int(json.loads(line)['step'])
    except (ValueError, TypeError, KeyError):
      continue
  return 0
