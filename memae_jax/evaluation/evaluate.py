"""From weights to results.json, scores.npz, report.html and pictures."""

import io
import json
import logging
import pathlib
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from memae_jax import writers
from memae_jax.evaluation import (
  collect,
  exhibits,
  facts,
  films,
  outcome,
  paper,
  pictures,
  report,
  tables,
  verdict,
)
from memae_jax.training import experiment, step

_LOG = logging.getLogger(__name__)
_FIRST_LOOK = (
  'auroc',
  'auroc_normalised',
  'auroc_macro',
  'auroc_contrast',
  'average_precision',
  'f1_at_ratio',
  'pixel_auroc',
  'aupro',
  'pseudo_auroc',
)
_STORED = (
  'score',
  'anomalous',
  'sample',
  'validation_score',
  'beyond_contrast',
  'kept',
  'usage',
  'decoded_slots',
)


def evaluate(
  exp: experiment.Experiment,
  state: step.ReplicaState,
  at: int,
  workdir: pathlib.Path,
  history: Iterable[tuple[int, step.ReplicaState]] = (),
  trained: dict[str, Any] | None = None,
) -> dict[str, Any]:
  """Evaluates a fleet and writes everything under `workdir/eval/AT`.

  Args:
    exp: the experiment.
    state: weights of the fleet.
    at: the step of the checkpoint.
    workdir: of the run; results.json and report.html also go to its top.
    history: (step, state) of kept checkpoints, for the course of the test
      metrics over training.
    trained: the environment that the weights were trained in.

  Returns:
    The results, as in results.json.
  """
  films.chosen(exp)  # A wrong name must not wait for the end.
  _LOG.info('evaluating step %d', at)
  with jax.transfer_guard('allow'):
    # Scoring before training also is the warm-up that the throughput leaves
    # out.
    before = collect.untrained(exp)
    networks, memory, throughput = collect.networks(exp, state, at)
    course = collect.course(exp, history)
    weights = collect.chosen(exp, state, at)[0]
    foreign = pictures.foreign(exp, weights)
    strips = pictures.strips(exp, weights, networks)
  baselines, notes = collect.baselines(exp, before)
  _LOG.info('computing metrics of %d sets of scores', len(networks + baselines))
  events = writers.read_events(workdir / 'metrics.jsonl')
  results = {
    'name': exp.config.name,
    'config': exp.config.to_dict(),
    'dataset': facts.dataset(exp),
    'checkpoint': {
      'step': at,
      'of_steps': exp.steps,
      'rule': exp.config.eval.checkpoint,
    },
    'score': facts.score(exp),
    'error_maps': facts.error_maps(exp),
    **outcome.measure(
      networks,
      baselines,
      memory,
      exp.config.eval,
      exp.source.labelled,
      exp.source.label_names,
    ),
    'baseline_notes': notes,
    'course': course,
    'paper': paper.beside(exp.config),
    'throughput': throughput | facts.training_speed(exp, events),
    'environment': exp.environment | {'training': trained},
  }
  results['warnings'] = verdict.warnings(results)
  folder = workdir / 'eval' / str(at)
  _write_numbers(results, networks, workdir, folder)
  _write_maps(exp, networks, folder / 'maps.npz')
  shown = exhibits.exhibits(
    results, networks, events, exp.source.columns, baselines, foreign, strips
  )
  _write_page(results, shown, workdir, folder)
  with jax.transfer_guard('allow'):
    for film in films.write_all(exp, weights, networks[0], folder / 'films'):
      _LOG.info('film: %s', film)
  return results


def _write_numbers(results, networks, workdir, folder) -> None:
  """Writes scores and results, before a figure could fail."""
  text = json.dumps(_plain(results), indent=2, allow_nan=False) + '\n'
  arrays = {
    f'{r.name}/{key}': getattr(r, key)
    for r in networks
    for key in _STORED
    if getattr(r, key) is not None
  }
  _write_arrays(folder / 'scores.npz', arrays)
  for target in (folder, workdir):
    writers.write_atomic(target / 'results.json', text)
    if results['classes']:
      writers.write_atomic(target / 'classes.csv', tables.classes_csv(results))


def _write_arrays(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays)
  writers.write_atomic(path, buffer.getvalue())


def _write_maps(exp, networks, path: pathlib.Path) -> None:
  """Writes the error maps that were kept, each with its samples."""
  arrays = {}
  for replica in networks:
    if replica.maps is not None:
      rows = replica.sample[exp.source.has_mask[replica.sample]]
      arrays |= {
        f'{replica.name}/map': replica.maps,
        f'{replica.name}/sample': rows,
      }
  if arrays:
    _write_arrays(path, arrays)


def _write_page(results, shown, workdir, folder) -> None:
  """Writes the pictures and the page; the top-level one last."""
  page = report.render(results, shown)
  for exhibit in shown:
    picture = io.BytesIO()
    exhibit.figure.savefig(picture, format='png', dpi=150)
    writers.write_atomic(folder / f'{exhibit.name}.png', picture.getvalue())
  for target in (folder, workdir):
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
    name for name in _FIRST_LOOK if tables.defined(results['variants'], name)
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
