"""The course of the test metrics over training, from stored evaluations."""

import logging
import pathlib
from typing import Any

from memae_jax.evaluation.metrics import registry
from memae_jax.evaluation.results import results_file
from memae_jax.runtime import errors

_LOG = logging.getLogger(__name__)


def _of_one_kind(results: dict[str, Any]) -> list[Any]:
  """What evaluations must share to stand in one curve."""
  return [
    results['dataset']['data_sha256'],
    results['score']['name'],
    [replica['name'] for replica in results['replicas']],
  ]


def stored(workdir: pathlib.Path, results: dict[str, Any]) -> Any:
  """Metrics at each step that was evaluated: to look at, never to choose by.

  Args:
    workdir: of the run.
    results: of the evaluation that is about to be written.

  Returns:
    steps [S] and, for each metric, [S, R] values (None where undefined); None
    where there is one step only.
  """
  if results['dataset']['trained_on']:
    return None
  found = {results['checkpoint']['step']: results}
  for path in (workdir / 'eval').glob('[0-9]*/results.json'):
    if not path.parent.name.isdigit():
      continue  # Of other data.
    try:
      other = results_file.read(path, results_file.COURSE)
    except errors.UserError as error:  # Torn, or of an earlier version.
      _LOG.warning('warning: %s; left out of the course', error)
      continue
    if _of_one_kind(other) == _of_one_kind(results):
      found.setdefault(other['checkpoint']['step'], other)
  if len(found) == 1:
    return None
  steps = sorted(found)
  return {'steps': steps} | {
    name: [
      [replica['metrics'].get(name) for replica in found[at]['replicas']]
      for at in steps
    ]
    for name in registry.names('over_steps')
    if any(name in replica['metrics'] for replica in results['replicas'])
  }
