"""Verdicts as text and as a page, and the folder that they go to."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.comparison import layout
from memae_jax.evaluation.metrics import registry
from memae_jax.evaluation.report import (
  figure,
  figures,
  tables,
  templates,
  wording,
)
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import scores as scores_lib
from memae_jax.refereeing import verdict
from memae_jax.runtime import atomic, errors, foreign, strict_json

RESULTS, REPORT = 'results.json', 'report.html'
_MEND = 'give another --output'
_SHAPE = {'kind': str, 'inputs': {str: object}}


def check_folder(folder: pathlib.Path, inputs: Mapping[str, Any]) -> None:
  """Refuses a folder that has results of something else.

  Args:
    folder: to write to.
    inputs: from `verdict.inputs`, of this verdict.

  Raises:
    UserError: it is a file, or has results of a run or of other scores.
  """
  shown = foreign.name_of(folder)
  if folder.exists() and not folder.is_dir():
    raise errors.UserError(f'{shown} is no folder; {_MEND}')
  if not any((folder / name).exists() for name in (RESULTS, REPORT)):
    return
  try:
    stored = strict_json.load(folder / RESULTS, _SHAPE, 'verdict', _MEND)
  except FileNotFoundError as error:
    raise errors.UserError(
      f'{shown} has a {REPORT} of something else; {_MEND}'
    ) from error
  except errors.UserError as error:
    raise errors.UserError(
      f'{shown} has a {RESULTS} of something else, which stays; {_MEND}'
    ) from error
  if stored['kind'] != verdict.KIND or stored['inputs'] != inputs:
    raise errors.UserError(
      f'{shown} has results of other scores or labels, which stay; {_MEND}'
    )


def text(results: Mapping[str, Any]) -> str:
  """Returns the table for the terminal, with its notes."""
  heads = ['', *map(wording.title, tables.columns(results))]
  rows = []
  for row in tables.headline(results):
    cells = [row['name']]
    for cell in row['cells']:
      deviation = f' ± {cell["std"]}' if cell.get('std') else ''
      cells.append(f'{cell["mean"]}{deviation} {cell.get("ci", "")}'.strip())
    rows.append(cells)
  notes = [f'undefined: {line}' for line in verdict.undefined(results)]
  return '\n'.join((layout.format_table(heads, rows), *notes))


def _intervals(results: Mapping[str, Any]) -> str:
  """Says what the intervals of these scores are over."""
  if not results['config']['eval']['bootstrap']:
    return 'There are no intervals: --resamples is 0.'
  what = 'test samples, normals and anomalies apart'
  if results['videos']:
    what = 'whole test videos, since frames of one video are alike'
  return (
    f'Brackets of these scores: 95% bootstrap interval over {what}; it says'
    ' what other test data could give, and nothing of another training.'
    ' Brackets of random scores: 95% Student-t interval over the seeds.'
  )


def _less_position(results: Mapping[str, Any]) -> list[tuple[str, Any]]:
  """Returns title and cell of the differences to the position of frames."""
  out = []
  for metric, gap in (results['less_position'] or {}).items():
    ours, theirs = (
      (group.get(metric) or {}).get('mean')
      for group in (
        results['methods'][verdict.OURS],
        results['baselines']['frame_position'],
      )
    )
    if None not in (ours, theirs):
      summary = {'mean': ours - theirs, 'ci95': gap['ci95']}
      out.append((wording.title(metric), tables.cell(summary, 3, sign=True)))
  return out


def _figures(results, ours, others) -> list[figure.Figure]:
  """Draws what a report draws of scores; titles do not speak of a network."""
  # One score for all samples is the line of guessing, which is there anyway.
  curves = [r for r in others if len(np.unique(r.score)) > 1]
  # `flags` are of runs, whose samples have pictures.
  drawn = figures.draw({**results, 'flags': {}}, ours, baseline_scores=curves)
  titles = {f'videos_{results["headline"]}': 'When do the scores rise?'}
  return [
    dataclasses.replace(f, title=titles.get(f.name, f.title)) for f in drawn
  ]


def _page(
  results: Mapping[str, Any], scored: Sequence[scores_lib.ReplicaScores]
) -> str:
  """Returns the page as HTML text."""
  headline = results['headline']
  ours = [r for r in scored if r.fields['variant'] == headline]
  others = [r for r in scored if r.fields['variant'] != headline]
  name = results['inputs']['scores'] or results['inputs']['labels']
  columns = [registry.find(name) for name in tables.columns(results)]
  return templates.render(
    'referee.html.j2',
    'memae_jax.refereeing',
    title=pathlib.PurePath(name).name,
    results=results,
    counts={
      key: wording.format_value(results['dataset'][key])
      for key in ('samples', 'anomalous', 'normal', 'validation_normals')
    },
    base_rate=wording.share(results['dataset']['base_rate']),
    quantile=describe.percent(results['config']['eval']['normal_quantile']),
    columns=columns,
    rows=tables.headline(results),
    intervals=_intervals(results),
    undefined=verdict.undefined(results),
    less_position=_less_position(results),
    events=tables.of_videos('of_events', results),
    videos=tables.videos(results) if results['videos'] else [],
    figures=_figures(results, ours, others),
    every_metric=tables.every_metric(results),
    methods=[wording.label(name) for name in tables.methods(results)],
    metrics=[
      metric
      for metric in map(registry.find, registry.names())
      if any(metric.name in group for group in tables.methods(results).values())
    ],
    versions=results['environment'],
  )


def write(
  results: Mapping[str, Any],
  scored: Sequence[scores_lib.ReplicaScores],
  folder: pathlib.Path,
) -> pathlib.Path:
  """Writes results.json and report.html.

  Args:
    results: from `verdict.judge`.
    scored: all scores, from there, too.
    folder: where to; see `check_folder`.

  Returns:
    The path of the page.
  """
  html, stored = _page(results, scored), strict_json.text(results)
  atomic.write(folder / RESULTS, stored)
  atomic.write(folder / REPORT, html)
  return folder / REPORT
