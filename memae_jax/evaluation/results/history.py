"""History of the test metrics over training, from stored evaluations."""

import logging
import pathlib
from typing import Any

from memae_jax.evaluation.metrics import registry
from memae_jax.evaluation.results import results_file
from memae_jax.runtime import errors

_LOG = logging.getLogger(__name__)


def _shared_facts(results: dict[str, Any]) -> list[Any]:
  """Returns data, score and replicas: equal in evaluations of one curve."""
  return [
    results['dataset']['data_sha256'],
    results['score']['name'],
    [replica['name'] for replica in results['replicas']],
  ]


def stored(workdir: pathlib.Path, results: dict[str, Any]) -> Any:
  """Returns the metrics at each evaluated step: to look at, not to choose by.

  Args:
    workdir: folder of the run.
    results: of the evaluation that is about to be written.

  Returns:
    steps [S] and, for each metric, [S, R] values (None where undefined); None
    where there is one step only.
  """
  if results['dataset']['trained_on']:
    return None
  by_step = {results['checkpoint']['step']: results}
  for path in (workdir / 'eval').glob('[0-9]*/results.json'):
    if not path.parent.name.isdigit():
      continue  # An evaluation on other data.
    try:
      other = results_file.read(path, results_file.HISTORY)
    except errors.UserError as error:  # Torn, or of an earlier version.
      _LOG.warning('warning: %s; left out of the history', error)
      continue
    if _shared_facts(other) == _shared_facts(results):
      by_step.setdefault(other['checkpoint']['step'], other)
  if len(by_step) == 1:
    return None
  steps = sorted(by_step)
  return {'steps': steps} | {
    name: [
      [replica['metrics'].get(name) for replica in by_step[at]['replicas']]
      for at in steps
    ]
    for name in registry.names('over_steps')
    if any(name in replica['metrics'] for replica in results['replicas'])
  }
