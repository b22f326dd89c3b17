"""Several runs side by side, and differences on the same samples.

An entry is one setting of one run: a variant, at one memory size and so on. One
entry is the reference. A difference is paired where both were tested on the
same samples: networks of the same seed and normal class see the same resamples.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from memae_jax import config as config_lib
from memae_jax.comparison import attempts, finished_run, folders, layout
from memae_jax.evaluation.metrics import (
  class_means,
  intervals,
  registry,
  video_intervals,
)
from memae_jax.evaluation.report import tables, wording
from memae_jax.runtime import errors

_LOG = logging.getLogger(__name__)
SETTING = ('variant', 'slots', 'threshold', 'alpha', 'learning_rate')
_SAMPLES = (
  'auroc',
  'average_precision',
)  # Resampled where there are no videos.
_LAST = ('event_f1',)  # Compared behind the first metrics.


class Entry(NamedTuple):
  """One setting of one run.

  name: tells it from the other entries.
  run: that it belongs to.
  setting: values of the fields `SETTING`.
  replicas: that have this setting.
  """

  name: str
  run: finished_run.Run
  setting: Mapping[str, Any]
  replicas: tuple[finished_run.Replica, ...]


def _names(runs: Sequence[finished_run.Run]) -> list[str]:
  """Returns the shortest ends of the runs' paths that tell them apart."""
  parts_of_all = [run.folder.absolute().parts for run in runs]
  for length in range(1, max(map(len, parts_of_all)) + 1):
    names = ['/'.join(parts[-length:]) for parts in parts_of_all]
    if len(set(names)) == len(names):
      break
  return names


def entries(runs: Sequence[finished_run.Run]) -> list[Entry]:
  """Returns an entry for each setting of each run, in the order of the runs.

  The names of entries begin with that of their run, if there are several runs.
  """
  out = []
  for run, name in zip(runs, _names(runs)):
    prefix = f'{name}: ' if len(runs) > 1 else ''
    settings: dict[tuple, list[finished_run.Replica]] = {}
    for replica in run.replicas:
      key = tuple(replica.fields.get(field) for field in SETTING)
      settings.setdefault(key, []).append(replica)
    variants = [key[0] for key in settings]
    for key, replicas in settings.items():
      setting = dict(zip(SETTING, key))
      labels = [wording.label(key[0])]
      if variants.count(key[0]) > 1:
        of_variant = [k for k in settings if k[0] == key[0]]
        labels += [
          f'{field} {layout.field_text(value)}'
          for i, (field, value) in enumerate(setting.items())
          if len({other[i] for other in of_variant}) > 1
        ]
      out.append(
        Entry(prefix + ', '.join(labels), run, setting, tuple(replicas))
      )
  return out


def _pairs(
  entry: Entry, reference: Entry
) -> tuple[list[tuple[finished_run.Replica, finished_run.Replica]], str]:
  """Returns the replicas with equal test samples, or why there are none."""
  data = [e.run.results['dataset'] for e in (entry, reference)]
  for key in ('data_sha256', 'label_sha256'):
    if data[0][key] != data[1][key]:
      return [], 'not the same samples: the data differ'
  place = lambda r: (r.fields['seed'], r.fields.get('normal_class'))
  partners = {place(r): r for r in reference.replicas}
  candidates = [
    (r, partners[place(r)]) for r in entry.replicas if place(r) in partners
  ]
  if not candidates:
    return [], 'not the same samples: no seed and class in common'
  pairs = [
    (a, b)
    for a, b in candidates
    if np.array_equal(a.sample, b.sample)
    and np.array_equal(a.anomalous, b.anomalous)
  ]
  return pairs, '' if pairs else 'not the same samples: the splits differ'


def _seed(replica: finished_run.Replica) -> int:
  """Returns the seed of the bootstrap, made of the test samples only."""
  digest = hashlib.sha256(np.ascontiguousarray(replica.sample, np.int64))
  return int.from_bytes(digest.digest()[:4], 'big')


class _Resamples:
  """Resampled metrics of replicas, kept since the reference's serve often."""

  def __init__(self, count: int):
    """Takes the number of resamples."""
    self._count = count
    self._metrics: dict[int, dict[str, np.ndarray]] = {}

  def of(self, replica: finished_run.Replica) -> dict[str, np.ndarray]:
    """Returns {metric: [R] values}; NaN where a resample defines none."""
    key = id(replica)
    if key not in self._metrics:
      self._metrics[key] = self._draw(replica)
    return self._metrics[key]

  def _draw(self, replica) -> dict[str, np.ndarray]:
    if self._count < 1 or replica.metrics.get('auroc') is None:
      return {}
    if replica.frames is not None:
      return video_intervals.resampled(
        replica.frames, self._count, _seed(replica)
      )
    if 'auroc_macro' in replica.metrics:
      return {}  # Frames of unknown videos: resampling frames would be wrong.
    values = intervals.resampled(
      replica.score,
      replica.anomalous,
      _SAMPLES,
      self._count,
      _seed(replica),
    )
    return {} if values is None else dict(zip(_SAMPLES, values.T))


def difference(
  entry: Entry, reference: Entry, resamples: _Resamples
) -> dict[str, Any]:
  """Returns an entry minus the reference, over pairs with equal test samples.

  Returns:
    pairs: how many there are. reason: why there are none. metrics: for each,
    `mean`, `ci95` of a bootstrap over the test samples (or videos), and
    `ci95_runs`, the paired Student-t interval over runs, or over seeds of means
    over the classes; None where there is no interval (`ci95_runs_reason` may
    say why).
  """
  pairs, reason = _pairs(entry, reference)
  out: dict[str, Any] = {
    'pairs': len(pairs),
    'reason': reason or None,
    'metrics': {},
  }
  if not pairs:
    return out
  units = [
    [
      values
      for _, values in class_means.units([(r.fields, r.metrics) for r in side])
    ]
    for side in zip(*pairs)
  ]
  over_runs = intervals.paired_difference(*units)
  draws = [(resamples.of(a), resamples.of(b)) for a, b in pairs]
  for metric, summary in over_runs.items():
    out['metrics'][metric] = {
      'mean': summary['mean'],
      'ci95': _interval(metric, draws),
      'ci95_runs': summary['ci95'],
      'ci95_runs_reason': summary.get('ci95_reason'),
      'n_runs': summary['n'],
    }
  return out


def _interval(metric: str, draws) -> list[float] | None:
  """Returns the 95 % interval of the mean paired difference over resamples.

  Args:
    metric: its name.
    draws: resampled metrics of both sides of each pair.

  Returns:
    [low, high]; None where a side has no resamples of this metric.
  """
  if not all(metric in a and metric in b for a, b in draws):
    return None
  values = np.mean([a[metric] - b[metric] for a, b in draws], axis=0)
  values = values[np.isfinite(values)]
  return np.quantile(values, (0.025, 0.975)).tolist() if values.size else None


def _reference_first(listed: list[Entry], wanted: str) -> list[Entry]:
  """Returns the entries with the reference first.

  Args:
    listed: all entries.
    wanted: name of the reference, or a part of it; '': the first entry.

  Raises:
    UserError: no entry, or several, have that name.
  """
  if not wanted:
    return listed
  fitting = [
    e for e in listed if wanted in (e.name, e.name.partition(': ')[2])
  ] or [e for e in listed if wanted in e.name]
  if len(fitting) != 1:
    raise errors.UserError(
      f'--reference "{wanted}" fits {len(fitting) or "none"} of the settings:'
      f' {"; ".join(e.name for e in fitting or listed)}'
    )
  return [fitting[0], *(e for e in listed if e is not fitting[0])]


def compare(
  paths: Sequence[str], resamples: int = 200, reference: str = ''
) -> dict[str, Any]:
  """Reads runs and returns the content of compare.json.

  Args:
    paths: of run or study directories.
    resamples: of the bootstrap.
    reference: name of an entry, or a part of it; '': the first one.

  Raises:
    UserError: see `folders.find`; or a run is damaged; or no entry, or several,
      fit `reference`.
  """
  finished, waiting = folders.find(paths)
  for path in waiting:
    _LOG.warning('warning: %s has no results yet; it is left out', path)
  runs = [finished_run.read(path) for path in finished]
  listed = _reference_first(entries(runs), reference)
  names = dict(zip([id(run) for run in runs], _names(runs)))
  draws = _Resamples(resamples)
  rows = []
  for i, entry in enumerate(listed):
    if i and resamples:
      _LOG.info('resampling %d of %d: %s', i, len(listed) - 1, entry.name)
    rows.append(
      {
        'name': entry.name,
        'run': names[id(entry.run)],
        'setting': entry.setting,
        'replicas': len(entry.replicas),
        'metrics': finished_run.summary(entry.replicas, resamples),
        'memory': finished_run.memory(entry.replicas),
        'validation_error': finished_run.validation_error(entry.replicas),
        'difference': difference(entry, listed[0], draws) if i else None,
      }
    )
  return {
    'reference': listed[0].name,
    'metrics': _metrics(runs[0].results, rows),
    'runs': [_facts(run, names[id(run)]) for run in runs],
    'left_out': [str(path) for path in waiting],
    'warnings': [
      f'{names[id(run)]}: {line}'
      for run in runs
      for line in run.results['dataset'].get('warnings', ())
    ],
    'config': _differing(runs, names),
    'entries': rows,
  }


def _metrics(results, rows) -> list[str]:
  """Returns the metrics to compare: of the first run's report, if defined.

  Of videos, the F1 of events is the last.
  """
  summaries = {row['name']: row['metrics'] for row in rows}
  names = tables.columns(results)
  if any('auroc_normalised' in row['metrics'] for row in rows):
    names = dict.fromkeys(('auroc_normalised', *names))
  registered = [name for name in names if name in registry.names()]
  defined = lambda name: tables.defined(summaries, name)
  first = list(filter(defined, registered))[:3]
  return list(dict.fromkeys((*first, *filter(defined, _LAST))))


def _differing(runs, names) -> dict[str, dict[str, Any]]:
  """Returns {field: {run: value}} of the config fields that differ."""
  flat = {
    names[id(run)]: config_lib.flatten(run.results['config']) for run in runs
  }
  fields = dict.fromkeys(field for values in flat.values() for field in values)
  out = {
    field: {run: values.get(field) for run, values in flat.items()}
    for field in fields
  }
  return {
    field: values
    for field, values in out.items()
    if len({json.dumps(v) for v in values.values()}) > 1
  }


def _facts(run: finished_run.Run, name: str) -> dict[str, Any]:
  """Returns identity and costs of a run; None where they are unknown."""
  results = run.results
  at, spent = results['checkpoint'], attempts.costs(run.folder)
  peak = finished_run.peak_memory(results)
  parameters = results.get('parameters')
  return {
    'name': name,
    'folder': str(run.folder.absolute()),
    'step': at['step'],
    'of_steps': at.get('of_steps'),
    'replicas': len(run.replicas),
    'data_sha256': results['dataset']['data_sha256'],
    'label_sha256': results['dataset']['label_sha256'],
    'parameters': parameters,
    'wall_seconds': spent.seconds if spent.attempts else None,
    'training_seconds': results['throughput'].get('training_seconds'),
    'peak_memory_bytes': peak,
    'device': results['environment'].get('device'),
  }
