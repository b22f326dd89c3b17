"""From weights to results.json, scores.npz, report.html and pictures."""

import functools
import importlib.metadata
import io
import json
import logging
import pathlib
import platform
import resource
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from memae_jax import errors, writers
from memae_jax.data import transforms
from memae_jax.evaluation import baselines, metrics, paper, report, scores
from memae_jax.memory import usage
from memae_jax.models import memae
from memae_jax.training import experiment, fleet, step

_LOG = logging.getLogger(__name__)

SCORE = {
    'definition': 'mean over the elements of a sample of the squared'
    ' reconstruction error, in squared units of the model input',
    'direction': 'higher is more anomalous',
    'normalisation': 'none',
}
_SHOWN = 2  # Samples of each kind in a gallery.


def _weights(state: step.ReplicaState, rule: str) -> tuple[Any, np.ndarray]:
  """The weights that the rule names, and their step for each replica."""
  if rule == 'validation':
    return state.best, np.asarray(state.best.step)
  return state, None


def _gallery(
    exp: experiment.Experiment, weights: Any, index: int, error: np.ndarray
) -> scores.Gallery | None:
  """Best, median and worst reconstructions of normals and anomalies."""
  shape = exp.source.inputs.shape[1:]
  if len(shape) != 3:
    return None
  split = exp.splits[index]
  rows, titles = [], []
  for anomalous in (False, True):
    members = np.flatnonzero(split.anomalous == anomalous)
    members = members[np.argsort(error[members], kind='stable')]
    middle = len(members) // 2
    for title, chosen in (
        ('lowest error', members[:_SHOWN]),
        ('median error', members[middle : middle + _SHOWN]),
        ('highest error', members[-_SHOWN:]),
    ):
      rows += chosen.tolist()
      kind = 'anomalous' if anomalous else 'normal'
      titles += [f'{kind}, {title}'] * len(chosen)
  x = transforms.apply(exp.source.inputs[split.test[rows]], split.transform)
  out = _reconstruct(
      exp.trainer.model,
      fleet.take(weights.params, index),
      fleet.take(weights.batch_stats, index),
      x,
      fleet.take(exp.hyper.knobs, index),
  )
  return scores.Gallery(
      inputs=_as_image(x, split.transform),
      reconstructions=_as_image(np.asarray(out), split.transform),
      score=error[rows],
      anomalous=split.anomalous[rows],
      title=tuple(titles),
  )


@functools.partial(jax.jit, static_argnums=0)
def _reconstruct(model, params, batch_stats, x, knobs):
  variables = {'params': params, 'batch_stats': batch_stats}
  return model.apply(variables, x, knobs).reconstruction


@functools.partial(jax.jit, static_argnums=0)
def _decode(model, params, batch_stats, codes):
  variables = {'params': params, 'batch_stats': batch_stats}
  return model.apply(variables, codes, method=memae.MemAE.decode)


def _as_image(x: np.ndarray, transform: Any) -> np.ndarray:
  """Model inputs back to [0, 1]."""
  raw = (x - transform.shift) / np.where(transform.scale, transform.scale, 1)
  return np.clip(raw / 255, 0, 1).astype(np.float32)


def _slots(
    exp: experiment.Experiment, weights: Any, index: int
) -> tuple[np.ndarray, int] | None:
  """The slots of a replica through its decoder, and how many are doubles."""
  replica = exp.replicas[index]
  if replica.variant == 'ae':
    return None
  params = fleet.take(weights.params, index)
  slots = params['bank']['slots'][: replica.slots]
  decoded = np.asarray(
      _decode(
          exp.trainer.model,
          params,
          fleet.take(weights.batch_stats, index),
          slots,
      )
  )
  if decoded.ndim == 4:
    decoded = _as_image(decoded, exp.splits[index].transform)
  return decoded, int(usage.duplicate_slots(slots))


def collect(
    exp: experiment.Experiment, state: step.ReplicaState, at: int
) -> tuple[list[scores.ReplicaScores], dict[str, Any], dict[str, Any]]:
  """Scores the fleet on its test sets.

  Returns:
    The scores of each replica, memory statistics by replica name, and the
    throughput of scoring.
  """
  with jax.transfer_guard('allow'):
    weights, steps = _weights(state, exp.config.eval.checkpoint)
    rows = [split.test for split in exp.splits]
    begun = time.time()
    scored = jax.device_get(exp.score(weights, rows))
    seconds = time.time() - begun
    held_out = jax.device_get(
        exp.score(weights, [split.validation for split in exp.splits])
    )
    totals = scored.reads
    out, memory = [], {}
    for i, (replica, split) in enumerate(zip(exp.replicas, exp.splits)):
      error = scored.error[i, : len(split.test)]
      slots = _slots(exp, weights, i)
      has_memory = slots is not None
      if has_memory:
        reads = jax.tree.map(lambda x, i=i: x[i], totals)
        found = {k: float(v) for k, v in usage.summary(reads).items()}
        memory[replica.name] = {
            'slots': replica.slots,
            'used': found.pop('slots_used'),
            **found,
            'duplicate_slots': slots[1],
        }
      fields = replica._asdict()
      del fields['name']
      out.append(
          scores.ReplicaScores(
              name=replica.name,
              fields={k: v for k, v in fields.items() if v is not None},
              score=error,
              anomalous=split.anomalous,
              sample=split.test,
              validation_score=held_out.error[i, : len(split.validation)],
              kept=scored.kept[i, : len(split.test)] if has_memory else None,
              usage=totals.usage[i, : replica.slots] if has_memory else None,
              decoded_slots=slots[0] if has_memory else None,
              gallery=_gallery(exp, weights, i, error),
              step=int(at if steps is None else steps[i]),
          )
      )
  throughput = {
      'scored_samples': sum(map(len, rows)),
      'scoring_seconds': seconds,
      'samples_per_second': sum(map(len, rows)) / seconds,
      'note': 'after a warm-up; all replicas together',
  }
  return out, memory, throughput


def _baseline_scores(
    exp: experiment.Experiment, untrained: np.ndarray
) -> tuple[list[scores.ReplicaScores], dict[str, str]]:
  """Scores of the trivial and classical baselines, once for each split."""
  config, out, notes = exp.config.eval, [], {}
  firsts: dict[Any, int] = {}
  for i, replica in enumerate(exp.replicas):
    if replica.variant == exp.replicas[0].variant:
      firsts.setdefault((replica.seed, replica.normal_class), i)
  progress = writers.Progress('baselines', len(firsts))
  for done, ((seed, normal_class), i) in enumerate(firsts.items(), 1):
    split = exp.splits[i]
    fitted = split.train
    if len(fitted) > config.baseline_samples:
      rng = np.random.default_rng([seed, 1])
      fitted = rng.choice(fitted, config.baseline_samples, replace=False)
    inputs = lambda rows, split=split: transforms.apply(
        exp.source.inputs[rows], split.transform
    )
    train, test = inputs(fitted), inputs(split.test)
    for name in config.baselines:
      if name == 'untrained':
        score = untrained[i, : len(split.test)]
        note = f'the network of "{exp.replicas[i].name}" before training'
      else:
        score, note = baselines.run(
            name, train, test, seed, config.baseline_samples
        )
      notes.setdefault(name, note)
      out.append(
          scores.ReplicaScores(
              name=f'{name}/{seed}/{normal_class}',
              fields={
                  'variant': name, 'seed': seed, 'normal_class': normal_class
              },
              score=np.asarray(score, np.float32),
              anomalous=split.anomalous,
              sample=split.test,
              validation_score=np.zeros(0, np.float32),
              kept=None, usage=None, decoded_slots=None, gallery=None, step=0,
          )
      )
    progress.at(done, f'{done} of {len(firsts)} splits')
  progress.close()
  return out, notes


def _by_variant(
    replicas: Sequence[scores.ReplicaScores], values: Sequence[Any]
) -> dict[str, list[Any]]:
  out: dict[str, list[Any]] = {}
  for replica, value in zip(replicas, values):
    out.setdefault(replica.fields['variant'], []).append(value)
  return out


def _differences(
    replicas: Sequence[scores.ReplicaScores], found: Sequence[dict]
) -> dict[str, Any]:
  """Paired differences between variants that share seed, class and sweep."""
  pairs = {}
  named = {
      (r.name.partition('/')[0], r.name.partition('/')[2]): value
      for r, value in zip(replicas, found)
  }
  variants = list(dict.fromkeys(v for v, _ in named))
  for a, b in (('memae', 'ae'), ('memae', 'nonspar'), ('nonspar', 'ae')):
    rests = [rest for v, rest in named if v == a and (b, rest) in named]
    if a in variants and b in variants and rests:
      pairs[f'{a} - {b}'] = metrics.paired_difference(
          [named[a, rest] for rest in rests],
          [named[b, rest] for rest in rests],
      )
  return pairs


def environment(exp: experiment.Experiment) -> dict[str, Any]:
  """Versions, device and commit."""
  root = pathlib.Path(__file__).parents[2]
  try:
    commit = subprocess.run(
        ['git', '-C', str(root), 'describe', '--always', '--dirty'],
        capture_output=True, text=True, check=True, timeout=10,
    ).stdout.strip()
  except (OSError, subprocess.SubprocessError):
    commit = None
  packages = ('memae_jax', 'jax', 'flax', 'optax', 'orbax-checkpoint',
              'numpy', 'scikit-learn')  # fmt: skip
  device = exp.mesh.devices.flat[0]
  return {
      'versions': {
          'python': platform.python_version(),
          **{name: _version(name) for name in packages},
      },
      'device': f'{device.platform}: {device.device_kind}',
      'machine': platform.machine(),
      'mesh': dict(exp.mesh.shape),
      'processes': jax.process_count(),
      'commit': commit,
  }


def _version(name: str) -> str | None:
  try:
    return importlib.metadata.version(name)
  except importlib.metadata.PackageNotFoundError:
    return None


def _training_speed(exp, events) -> dict[str, Any]:
  """Median speed between log events, which leaves out compilation."""
  train = [e for e in events if e['split'] == 'train']
  speeds = [
      (b['step'] - a['step']) / (b['time'] - a['time'])
      for a, b in zip(train, train[1:])
      if b['time'] > a['time']
  ]
  if not speeds:
    return {}
  steps = float(np.median(speeds))
  each = exp.config.train.batch_size * len(exp.replicas)
  return {
      'fleet_steps_per_second': steps,
      'training_samples_per_second': steps * each,
      'training_seconds': float(train[-1]['time'] - events[0]['time']),
  }


def _dataset(exp: experiment.Experiment) -> dict[str, Any]:
  """The facts about data and protocol that the results stand on."""
  config, source, splits = exp.config.data, exp.source, exp.splits
  spread = lambda values: {'min': int(min(values)), 'max': int(max(values))}
  mean = lambda f: float(np.mean([f(split) for split in splits]))
  notes = dict(source.notes)
  for key in dict.fromkeys(k for split in splits for k in split.notes):
    values = [split.notes[key] for split in splits if key in split.notes]
    if all(isinstance(v, (int, np.integer)) for v in values):
      low_high = spread(values)
      notes[key] = (
          low_high['min']
          if low_high['min'] == low_high['max']
          else f'{low_high["min"]} to {low_high["max"]}'
      )
    else:
      notes[key] = values[0]
  return {
      'name': source.name,
      'protocol': config.protocol,
      'description': _DESCRIPTION[config.protocol].format(config=config),
      'split': {
          'train': spread([len(s.train) for s in splits]),
          'validation': spread([len(s.validation) for s in splits]),
          'test': spread([len(s.test) for s in splits]),
      },
      'normal': [source.label_names[i] for i in source.normal_labels]
      or 'the normal class of each replica',
      'num_samples': len(source.inputs),
      'num_dropped': sum(d['count'] for d in source.dropped),
      'dropped': list(source.dropped),
      'base_rate': mean(lambda s: np.mean(s.anomalous)),
      'labelled': source.labelled,
      'notes': notes,
      **exp.identity,
  }


_DESCRIPTION = {
    'one_class': 'Of each normal class, {config.train_fraction:.0%} train'
    ' ({config.validation_fraction:.0%} of them held out for validation) and'
    ' the rest are tested, with anomalies drawn from the other classes as'
    ' {config.anomaly_fraction:.0%} of the test set.',
    'random_rows': '{config.train_fraction:.0%} of all rows, at random for each'
    ' seed, are the training half: its normals train'
    ' ({config.validation_fraction:.0%} of them held out for validation), its'
    ' anomalies are left out. All other rows are the test set.',
    'given': 'The source brings its own test set; its training normals train'
    ' ({config.validation_fraction:.0%} of them held out for validation).',
}


def evaluate(
    exp: experiment.Experiment,
    state: step.ReplicaState,
    at: int,
    workdir: pathlib.Path,
) -> dict[str, Any]:
  """Evaluates a fleet and writes everything under `workdir/eval/AT`.

  Args:
    exp: the experiment.
    state: weights of the fleet.
    at: the step of the checkpoint.
    workdir: of the run; results.json and report.html also go to its top.

  Returns:
    The results, as in results.json.
  """
  config = exp.config.eval
  _LOG.info('evaluating step %d', at)
  with jax.transfer_guard('allow'):
    # Also the warm-up that the throughput leaves out.
    untrained = np.asarray(
        exp.score(exp.init(), [s.test for s in exp.splits]).error
    )
  replicas, memory, throughput = collect(exp, state, at)
  baseline, notes = _baseline_scores(exp, untrained)
  measure = lambda r: metrics.evaluate(
      r.score, r.anomalous, r.validation_score,
      config.flag_ratio, config.normal_quantile,
  )
  measured = [measure(r) for r in replicas]
  variants = _by_variant(replicas, [m for m, _ in measured])
  headline = exp.replicas[0].variant
  summaries = {v: metrics.summarise(ms) for v, ms in variants.items()}
  # The interval over replicas serves fleets; one replica has only its samples.
  alone = {v for v, ms in variants.items() if len(ms) == 1}
  events = writers.read_events(workdir / 'metrics.jsonl')
  memory_names = [r.name for r in replicas if r.name in memory]
  memory_of = _by_variant(
      [r for r in replicas if r.name in memory],
      [memory[name] for name in memory_names],
  )
  results = {
      'name': exp.config.name,
      'config': exp.config.to_dict(),
      'dataset': _dataset(exp),
      'checkpoint': {'step': at, 'rule': config.checkpoint},
      'score': SCORE,
      'headline': headline,
      'metrics': summaries[headline],
      'variants': summaries,
      'differences': _differences(replicas, [m for m, _ in measured]),
      'replicas': [
          {
              'name': r.name,
              'fields': r.fields,
              'metrics': values,
              'reasons': reasons,
              'interval': metrics.bootstrap(
                  r.score, r.anomalous, resamples=config.bootstrap
              )
              if r.fields['variant'] in alone
              else {},
              'memory': memory.get(r.name),
              'step': r.step,
          }
          for r, (values, reasons) in zip(replicas, measured)
      ],
      'baselines': {
          name: metrics.summarise(values)
          for name, values in _by_variant(
              baseline, [measure(r)[0] for r in baseline]
          ).items()
      },
      'baseline_notes': notes,
      'paper': paper.table(exp.config.paper),
      'memory': {
          variant: {
              key: float(np.mean([v[key] for v in values]))
              for key in values[0]
          }
          for variant, values in memory_of.items()
      },
      'throughput': throughput | _training_speed(exp, events),
      'environment': environment(exp)
      | {
          'peak_memory_bytes': 1024
          * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
      },
      'warnings': _warnings(exp, memory),
  }
  _write(results, replicas, baseline, events, exp, workdir, at)
  return results


def _warnings(exp, memory) -> list[str]:
  out = []
  dead = [name for name, m in memory.items() if m['dead_read_rate'] > 0.5]
  if dead:
    out.append(
        f'{len(dead)} of {len(memory)} memories leave more than half of the'
        f' reads dead, first "{dead[0]}": a smaller threshold or temperature'
        ' revives them.'
    )
  if not exp.source.labelled:
    out.append('The data have no labels: scores only, no metrics.')
  return out


def _write(results, replicas, baseline, events, exp, workdir, at) -> None:
  """Writes the files; the top-level ones last."""
  folder = workdir / 'eval' / str(at)
  # Curves want lists by replica, where the log has means beside them.
  curves = [{**e, **e.get('replicas', {})} for e in events]
  if len(exp.replicas) == 1:
    curves = [{**e, 'replica': exp.replicas[0].name} for e in events]
  shown = report.exhibits(
      results, replicas, curves, exp.source.columns, baseline
  )
  page = report.render(
      results, replicas, curves, exp.source.columns, baseline, shown
  )
  text = json.dumps(_plain(results), indent=2, allow_nan=False) + '\n'
  buffer = io.BytesIO()
  arrays = {}
  for r in replicas:
    for key in ('score', 'anomalous', 'sample', 'validation_score', 'kept',
                'usage', 'decoded_slots'):  # fmt: skip
      value = getattr(r, key)
      if value is not None:
        arrays[f'{r.name}/{key}'] = value
  np.savez_compressed(buffer, **arrays)
  writers.write_atomic(folder / 'scores.npz', buffer.getvalue())
  for exhibit in shown:
    picture = io.BytesIO()
    exhibit.figure.savefig(picture, format='png', dpi=150)
    writers.write_atomic(folder / f'{exhibit.name}.png', picture.getvalue())
  for target in (folder, workdir):
    writers.write_atomic(target / 'results.json', text)
    writers.write_atomic(target / 'report.html', page)


def _plain(value: Any) -> Any:
  """Numpy scalars and tuples to what JSON has."""
  if isinstance(value, dict):
    return {str(k): _plain(v) for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [_plain(v) for v in value]
  if isinstance(value, np.generic):
    return value.item()
  return value


def headline(results: dict[str, Any]) -> str:
  """The table of a person's first look: variants and baselines."""
  names = [
      name
      for name in ('auroc', 'average_precision', 'f1_at_ratio')
      if any(
          group.get(name, {}).get('mean') is not None
          for group in results['variants'].values()
      )
  ]
  if not names:
    return 'no metrics: ' + next(
        iter(results['replicas'][0]['reasons'].values()), ''
    )
  lines = ['  '.join([f'{"":18}'] + [f'{name:>20}' for name in names])]
  for group, summary in {**results['variants'], **results['baselines']}.items():
    cells = []
    for name in names:
      value = summary.get(name, {})
      mean, std = value.get('mean'), value.get('std')
      text = '—' if mean is None else f'{mean:.4f}'
      cells.append(text + (f' ± {std:.4f}' if std is not None else ''))
    lines.append('  '.join([f'{group:18}'] + [f'{c:>20}' for c in cells]))
  return '\n'.join(lines)


def check_finite(replicas: Sequence[scores.ReplicaScores]) -> None:
  """Raises UserError that names a replica whose scores are not finite."""
  for replica in replicas:
    bad = ~np.isfinite(replica.score)
    if bad.any():
      raise errors.UserError(
          f'{int(bad.sum())} scores of replica "{replica.name}" are not finite,'
          f' first for sample {int(replica.sample[np.argmax(bad)])}'
      )
