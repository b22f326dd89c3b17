"""Evaluation: weights become results.json, scores.npz, report and pictures."""

import io
import logging
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax.evaluation.media import (
  embedding,
  films,
  foretold,
  pictures,
  side_by_side,
)
from memae_jax.evaluation.metrics import registry
from memae_jax.evaluation.report import figures, findings, page, tables
from memae_jax.evaluation.report.figure import Figure
from memae_jax.evaluation.report.plots import side_by_side as plots
from memae_jax.evaluation.results import (
  describe,
  doubts,
  history,
  measure,
  money,
  published,
  top_samples,
)
from memae_jax.evaluation.scoring import (
  baselines,
  collect,
  error_maps,
  odd_columns,
  scores,
)
from memae_jax.runtime import atomic, metrics_log, strict_json
from memae_jax.training import experiment, step

_LOG = logging.getLogger(__name__)
_NO_MAPS = 'there are no masks and no eval.defect_area, or no maps'
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
  """Scores of the baselines and notes on them, once per run."""

  baselines: list[scores.ReplicaScores]
  notes: dict[str, str]


class Family(NamedTuple):
  """The scores of one family of methods.

  networks: scores of its replicas. memory: statistics by replica name.
  throughput: of scoring. weights: of the fleet. alone: pictures that stand
  alone, if it is of such.
  """

  exp: experiment.Experiment
  networks: list[scores.ReplicaScores]
  memory: dict[str, Any]
  throughput: dict[str, Any]
  weights: step.Weights
  alone: list[scores.Foretold]


class Scored(NamedTuple):
  """The scores of all families of a run.

  families: each by itself. networks: scores of all replicas. alone: pictures
  that stand alone, of all families.
  """

  families: list[Family]
  networks: list[scores.ReplicaScores]
  alone: list[scores.Foretold]


def shared(exp: experiment.Experiment) -> Shared:
  """Scores the baselines, among them the untrained networks."""
  with jax.transfer_guard('allow'):
    before = collect.untrained(exp)
  return Shared(*baselines.run(exp, before))


class Request(NamedTuple):
  """An evaluation to do: of which weights, and where its results go.

  exp: the experiment.
  state: weights of the first family's fleet.
  at: the step of the checkpoint.
  workdir: folder of the run.
  out: folder of all results, mostly that of the run. results.json and
    report.html also go to its top, unless the data are other than those of the
    training.
  trained: the environment that the weights were trained in.
  baselines: from `shared`, or None to score them.
  rule: by which the step was chosen, if not as `eval.checkpoint` says.
  brief: write no report, no pictures and nothing to the top folder.
  """

  exp: experiment.Experiment
  state: step.ReplicaState
  at: int
  workdir: pathlib.Path
  out: pathlib.Path
  trained: dict[str, Any] | None = None
  baselines: Shared | None = None
  rule: str = ''
  brief: bool = False

  @property
  def folder(self) -> pathlib.Path:
    """The folder of the results of this step."""
    return self.out / 'eval' / self.exp.folder(self.at)

  @property
  def places(self) -> list[pathlib.Path]:
    """Folders that get results.json and the report."""
    is_top = not self.brief and self.exp.trained_on is None
    return [self.folder, self.out] if is_top else [self.folder]


def evaluate(request: Request) -> dict[str, Any]:
  """Evaluates a fleet and writes everything under `out/eval/AT`.

  Returns:
    The results, as in results.json.
  """
  exp = request.exp
  # A wrong name of a film and a damaged log fail now, not after the scoring.
  films.select_videos(exp)
  events = [
    metrics_log.read_events(metrics_log.log(request.workdir, member.place))
    for member in exp.members
  ]
  _LOG.info('evaluating step %d', request.at)
  baseline = request.baselines or shared(exp)
  with jax.transfer_guard('allow'):
    scored = _scored(request)
  results = _results(request, scored, baseline, events)
  _write_arrays(request.folder / 'scores.npz', _score_arrays(scored.networks))
  _write_maps(exp, scored, request.folder / 'maps.npz')
  _write_numbers(results, request.places)
  if not request.brief:
    _draw(request, results, scored, baseline.baselines, events)
  return results


def _scored(request: Request) -> Scored:
  """Scores the families of the run, and adds their pictures."""
  families = []
  members = collect.members(
    request.exp, request.state, request.at, request.workdir
  )
  for exp, weights, steps in members:
    networks, memory, throughput = collect.networks(exp, weights, steps)
    networks = pictures.with_pictures(exp, weights, networks)
    if not request.brief:
      networks = odd_columns.with_columns(exp, weights, networks)
    alone = foretold.of(exp, weights)
    families.append(Family(exp, networks, memory, throughput, weights, alone))
  return Scored(
    families,
    [replica for family in families for replica in family.networks],
    [pictures for family in families for pictures in family.alone],
  )


def _results(
  request: Request, scored: Scored, baseline: Shared, events
) -> dict[str, Any]:
  """Returns the content of results.json."""
  exp, (families, networks, alone) = request.exp, scored
  memory = {k: v for family in families for k, v in family.memory.items()}
  count = len(networks) + len(baseline.baselines)
  _LOG.info('computing metrics of %d sets of scores', count)
  results = {
    'name': exp.config.name,
    'config': exp.config.to_dict(),
    'dataset': describe.dataset(exp),
    'checkpoint': {
      'step': request.at,
      'of_steps': exp.steps,
      'gradient_steps': exp.gradient_steps,
      'rule': request.rule or exp.config.eval.checkpoint,
    },
    'score': describe.score(exp),
    'error_maps': describe.error_maps(exp),
    'defects': describe.defects(exp),
    **measure.measure(
      networks,
      baseline.baselines,
      memory,
      exp.config.eval,
      exp.source.labelled,
      exp.source.label_names,
      exp.source.payments,
    ),
    'money': money.summary(
      [*networks, *baseline.baselines], exp.source.payments, exp.config.eval
    ),
    'baseline_notes': baseline.notes,
    'paper': published.beside(exp.config),
    'throughput': families[0].throughput
    | describe.training_speed(exp, events[0]),
    'families': _further_families(families, events),
    'environment': exp.environment | {'training': request.trained},
  }
  listed = exp.source, networks, exp.config.eval.normal_quantile
  results['highest'] = top_samples.highest(*listed)
  results['flags'] = top_samples.flags(*listed)
  results['course'] = history.stored(request.out, results)
  results['foretold'] = {
    one.name: foretold.facts(one, foretold.masks(exp)) for one in alone
  }
  results['warnings'] = findings.warnings(results)
  results['warnings'] += foretold.warnings(results['foretold'])
  with jax.transfer_guard('allow'):
    results['warnings'] += doubts.warnings((f.exp, f.weights) for f in families)
  return results


def _draw(
  request: Request,
  results: dict[str, Any],
  scored: Scored,
  baseline_scores,
  events,
) -> None:
  """Writes the report, the list of samples and the films."""
  exp, folder = request.exp, request.folder
  families, networks, alone = scored
  if results['highest']:
    listed = exp.source, networks, exp.config.eval.normal_quantile
    atomic.write(folder / 'scores.csv', top_samples.as_csv(*listed))
  beside = side_by_side.of(exp, networks, baseline_scores)
  drawn = figures.draw(
    results,
    networks,
    [(e, family.networks) for e, family in zip(events, families)],
    exp.source.columns,
    baseline_scores,
    _pictures(scored, beside),
  )
  _write_page(results, drawn, folder, request.places)
  if beside is not None:
    _write_pictures(exp, beside, folder / 'pictures')
  elif exp.config.eval.pictures and not alone:
    _LOG.warning('warning: eval.pictures draws nothing: %s', _NO_MAPS)
  foretold.write(folder / 'foretold', alone, exp.config.eval.pictures)
  weights = families[0].weights
  with jax.transfer_guard('allow'):
    for film in films.write_all(exp, weights, networks[0], folder / 'films'):
      _LOG.info('film: %s', film)


def _pictures(scored: Scored, beside) -> scores.Pictures:
  """Returns pictures of several replicas.

  Args:
    scored: all families.
    beside: all test pictures beside their maps, or None.
  """
  with jax.transfer_guard('allow'):
    strips, embedded = {}, []
    for family in scored.families:
      args = family.exp, family.weights, family.networks
      strips |= pictures.frame_strips(*args)
      embedded += embedding.embeddings(*args)
    others = pictures.other_classes(
      [(f.exp, f.weights) for f in scored.families]
    )
  return scores.Pictures(
    others,
    strips,
    beside and beside.at(side_by_side.chosen(beside)),
    embedded,
    scored.alone,
  )


def _write_pictures(exp, beside, folder: pathlib.Path) -> None:
  """Writes a figure of each of the `eval.pictures` highest test pictures."""
  order = np.argsort(-beside.columns[0].score, kind='stable')
  for k in order[: exp.config.eval.pictures].tolist():
    row = int(beside.sample[k])
    where = exp.source.places.get('file')
    name = f'sample {row}' if where is None else where[row]
    title = f'{beside.title[k]}: {name}'
    drawn = plots.one(beside, k, title)
    shown = Figure('picture', '', title, '', drawn, vector=False)
    atomic.write(folder / f'{row:06d}.png', shown.data)


def _further_families(families: Sequence[Family], events) -> dict[str, Any]:
  """Returns step, score and speed of each family after the first, by name."""
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


def _score_arrays(networks) -> dict[str, np.ndarray]:
  """Returns the arrays of scores.npz, named REPLICA/FIELD."""
  return {
    f'{r.name}/{key}': getattr(r, key)
    for r in networks
    for key in _STORED
    if getattr(r, key) is not None
  }


def _write_numbers(results, places) -> None:
  """Writes the results, which mark the step as done, before any figure."""
  text = strict_json.text(strict_json.plain(results))
  for folder in places:
    atomic.write(folder / 'results.json', text)
    if results['classes']:
      atomic.write(folder / 'classes.csv', tables.classes_csv(results))


def _write_arrays(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays)
  atomic.write(path, buffer.getvalue())


def _write_maps(exp, scored: Scored, path: pathlib.Path) -> None:
  """Writes the error maps that were kept, and the samples they are of."""
  arrays = foretold.arrays(scored.alone)
  for replica in scored.networks:
    if replica.maps is not None:
      places = error_maps.kept(exp.source, replica.sample)
      arrays |= {
        f'{replica.name}/map': replica.maps,
        f'{replica.name}/sample': replica.sample[places],
      }
  if arrays:
    _write_arrays(path, arrays)


def _write_page(results, drawn, folder, places) -> None:
  """Writes the figures and then the report, to the top folder last."""
  report = page.render(results, drawn)
  for figure in drawn:
    atomic.write(folder / f'{figure.name}.{figure.suffix}', figure.data)
  for place in places:
    atomic.write(place / 'report.html', report)


def report_of(
  exp: experiment.Experiment, at: int, out: pathlib.Path
) -> pathlib.Path:
  """Returns the path of the report that `evaluate` wrote of a step."""
  if exp.trained_on is None:
    return out / 'report.html'
  return out / 'eval' / exp.folder(at) / 'report.html'


def headline(results: dict[str, Any]) -> str:
  """Returns the table of the terminal: means of all variants and baselines."""
  first = results['config']['eval'].get('headline', 'auroc')
  wanted = list(dict.fromkeys((first, *registry.names('first_look'))))
  names = [name for name in wanted if tables.defined(results['methods'], name)]
  missing = findings.undefined(results, wanted)
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
