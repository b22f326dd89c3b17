"""From weights to results.json, scores.npz, report.html and pictures."""

import io
import logging
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax.evaluation.media import films, pictures
from memae_jax.evaluation.metrics import registry
from memae_jax.evaluation.report import figures, findings, tables
from memae_jax.evaluation.report import page as report
from memae_jax.evaluation.results import (
  describe,
  history,
  measure,
  published,
  top_samples,
)
from memae_jax.evaluation.scoring import baselines, collect, scores
from memae_jax.runtime import atomic, metrics_log, strict_json
from memae_jax.training import experiment, step

_LOG = logging.getLogger(__name__)
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


class Shared(NamedTuple):
  """What all checkpoints of a run are compared with."""

  baselines: list[scores.ReplicaScores]
  notes: dict[str, str]


class Family(NamedTuple):
  """What was scored of one family.

  networks: its replicas. memory: statistics by replica. throughput: of scoring.
  weights: of the fleet.
  """

  exp: experiment.Experiment
  networks: list[scores.ReplicaScores]
  memory: dict[str, Any]
  throughput: dict[str, Any]
  weights: step.Weights


def shared(exp: experiment.Experiment) -> Shared:
  """Scores the baselines, among them the untrained networks."""
  with jax.transfer_guard('allow'):
    before = collect.untrained(exp)
  return Shared(*baselines.run(exp, before))


class Request(NamedTuple):
  """What is evaluated, and where its results go.

  exp: the experiment. state: weights of the first family's fleet. at: the step
  of the checkpoint. workdir: of the run.
  out: folder of all results, mostly that of the run; results.json and
    report.html also go to its top, unless the data are other than those of the
    training.
  trained: the environment that the weights were trained in.
  compared: from `shared`, or None to make it.
  rule: by which the step was chosen, if not as `eval.checkpoint` says.
  brief: no report, no pictures and nothing at the top.
  """

  exp: experiment.Experiment
  state: step.ReplicaState
  at: int
  workdir: pathlib.Path
  out: pathlib.Path
  trained: dict[str, Any] | None = None
  compared: Shared | None = None
  rule: str = ''
  brief: bool = False

  @property
  def folder(self) -> pathlib.Path:
    """The folder of the results of this step."""
    return self.out / 'eval' / self.exp.folder(self.at)

  @property
  def places(self) -> list[pathlib.Path]:
    """The folders that get results.json and the report."""
    is_top = not self.brief and self.exp.trained_on is None
    return [self.folder, self.out] if is_top else [self.folder]


def evaluate(request: Request) -> dict[str, Any]:
  """Evaluates a fleet and writes everything under `out/eval/AT`.

  Returns:
    The results, as in results.json.
  """
  exp = request.exp
  # A wrong name and a damaged log must not wait for the end.
  films.chosen(exp)
  events = [
    metrics_log.read_events(metrics_log.log(request.workdir, member.place))
    for member in exp.members
  ]
  _LOG.info('evaluating step %d', request.at)
  compared = request.compared or shared(exp)
  with jax.transfer_guard('allow'):
    families = _families(request)
  networks = _replicas(families)
  results = _results(request, families, compared, events)
  _write_arrays(request.folder / 'scores.npz', _stored(networks))
  _write_maps(exp, networks, request.folder / 'maps.npz')
  _write_numbers(results, request.places)
  if not request.brief:
    _draw(request, results, families, compared.baselines, events)
  return results


def _replicas(families: Sequence[Family]) -> list[scores.ReplicaScores]:
  """The replicas of all families."""
  return [replica for family in families for replica in family.networks]


def _families(request: Request) -> list[Family]:
  """The families of the run with their scores and pictures."""
  found = []
  members = collect.members(
    request.exp, request.state, request.at, request.workdir
  )
  for exp, weights, steps in members:
    networks, memory, throughput = collect.networks(exp, weights, steps)
    networks = pictures.with_pictures(exp, weights, networks)
    found.append(Family(exp, networks, memory, throughput, weights))
  return found


def _results(
  request: Request, families: Sequence[Family], compared: Shared, events
) -> dict[str, Any]:
  """All that results.json says."""
  exp = request.exp
  networks = _replicas(families)
  memory = {k: v for family in families for k, v in family.memory.items()}
  count = len(networks) + len(compared.baselines)
  _LOG.info('computing metrics of %d sets of scores', count)
  results = {
    'name': exp.config.name,
    'config': exp.config.to_dict(),
    'dataset': describe.dataset(exp),
    'checkpoint': {
      'step': request.at,
      'of_steps': exp.steps,
      'rule': request.rule or exp.config.eval.checkpoint,
    },
    'score': describe.score(exp),
    'error_maps': describe.error_maps(exp),
    **measure.measure(
      networks,
      compared.baselines,
      memory,
      exp.config.eval,
      exp.source.labelled,
      exp.source.label_names,
    ),
    'baseline_notes': compared.notes,
    'paper': published.beside(exp.config),
    'throughput': families[0].throughput
    | describe.training_speed(exp, events[0]),
    'families': _others(families, events),
    'environment': exp.environment | {'training': request.trained},
  }
  listed = exp.source, networks, exp.config.eval.normal_quantile
  results['highest'] = top_samples.highest(*listed)
  results['flags'] = top_samples.flags(*listed)
  results['course'] = history.stored(request.out, results)
  results['warnings'] = findings.warnings(results)
  return results


def _draw(
  request: Request,
  results: dict[str, Any],
  families: Sequence[Family],
  baselines,
  events,
) -> None:
  """Writes the page, the list of samples and the films."""
  exp, folder = request.exp, request.folder
  networks = _replicas(families)
  if results['highest']:
    listed = exp.source, networks, exp.config.eval.normal_quantile
    atomic.write(folder / 'scores.csv', top_samples.as_csv(*listed))
  with jax.transfer_guard('allow'):
    other_classes = pictures.other_classes(
      [(f.exp, f.weights) for f in families]
    )
    strips = {}
    for family in families:
      strips |= pictures.frame_strips(
        family.exp, family.weights, family.networks
      )
  shown = figures.draw(
    results,
    networks,
    [(e, family.networks) for e, family in zip(events, families)],
    exp.source.columns,
    baselines,
    other_classes,
    strips,
  )
  _write_page(results, shown, folder, request.places)
  weights = families[0].weights
  with jax.transfer_guard('allow'):
    for film in films.write_all(exp, weights, networks[0], folder / 'films'):
      _LOG.info('film: %s', film)


def _others(families: Sequence[Family], events) -> dict[str, Any]:
  """What is said once of a run of one family, of each further family."""
  return {
    family.exp.family: {
      'methods': list(dict.fromkeys(r.variant for r in family.exp.replicas)),
      'step': family.networks[0].step,
      'of_steps': family.exp.steps,
      'score': describe.score(family.exp),
      'throughput': family.throughput
      | describe.training_speed(family.exp, log),
    }
    for family, log in zip(families[1:], events[1:])
  }


def _stored(networks) -> dict[str, np.ndarray]:
  return {
    f'{r.name}/{key}': getattr(r, key)
    for r in networks
    for key in _STORED
    if getattr(r, key) is not None
  }


def _write_numbers(results, places) -> None:
  """Writes the results, before a figure could fail; they say it is done."""
  text = strict_json.text(_plain(results))
  for target in places:
    atomic.write(target / 'results.json', text)
    if results['classes']:
      atomic.write(target / 'classes.csv', tables.classes_csv(results))


def _write_arrays(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays)
  atomic.write(path, buffer.getvalue())


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


def _write_page(results, shown, folder, places) -> None:
  """Writes the pictures and the page; the top-level one last."""
  page = report.render(results, shown)
  for one in shown:
    atomic.write(folder / f'{one.name}.{one.suffix}', one.data)
  for target in places:
    atomic.write(target / 'report.html', page)


def _plain(value: Any) -> Any:
  """Numpy scalars and tuples to what JSON has."""
  if isinstance(value, dict):
    return {str(k): _plain(v) for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [_plain(v) for v in value]
  if isinstance(value, np.generic):
    return value.item()
  return value


def report_of(
  exp: experiment.Experiment, at: int, out: pathlib.Path
) -> pathlib.Path:
  """Where `evaluate` wrote the report of a step."""
  if exp.trained_on is None:
    return out / 'report.html'
  return out / 'eval' / exp.folder(at) / 'report.html'


def headline(results: dict[str, Any]) -> str:
  """The table of a person's first look: variants and baselines."""
  known = registry.names('first_look')
  names = [name for name in known if tables.defined(results['methods'], name)]
  missing = findings.undefined(results, known)
  if not names:
    return '\n'.join(missing) or 'no metrics'
  lines = ['  '.join([f'{"":18}'] + [f'{name:>20}' for name in names])]
  for group, summary in {**results['methods'], **results['baselines']}.items():
    cells = []
    for name in names:
      value = summary.get(name, {})
      mean, std = value.get('mean'), value.get('std')
      text = '—' if mean is None else f'{round(mean, 4) or 0.0:.4f}'
      cells.append(text + (f' ± {std:.4f}' if std is not None else ''))
    lines.append('  '.join([f'{group:18}'] + [f'{c:>20}' for c in cells]))
  return '\n'.join((*lines, *missing))
