"""Reader of `results.json`; a damaged file is an error of one line."""

import pathlib
from typing import Any

from memae_jax.runtime import strict_json
from memae_jax.runtime.strict_json import Maybe

NAME = 'results.json'
MEND = 'evaluate the run again with --mode=eval'
_SUMMARY = {
  'mean': Maybe(float),
  'std?': Maybe(float),
  'ci95?': Maybe((float, float)),
  'n?': int,
  'undefined?': int,
}
_MEMORY = {
  'peak_memory?': Maybe({'host_bytes?': Maybe(float)}),
  'peak_memory_bytes?': Maybe(float),
}
_FIELDS = {
  'variant': str,
  'seed': int,
  'normal_class?': Maybe(int),
  'slots?': Maybe(int),
  'threshold?': Maybe(float),
  'alpha?': Maybe(float),
  'learning_rate?': Maybe(float),
}
_VIDEO = {
  'name': str,
  'frames': int,
  'scored': int,
  'dropped': [(int, int)],
  'auroc': Maybe(float),
}
# Parts of the file that its readers need.
CONFIG = {
  'config': {str: object},
  'checkpoint': {'step': int, 'of_steps?': int, 'gradient_steps?': int},
}
HISTORY = {
  'dataset': {'data_sha256': str},
  'score': {'name': str},
  'checkpoint': {'step': int},
  'replicas': [{'name': str, 'metrics': {str: Maybe(float)}}],
}
WHOLE = CONFIG | {
  'dataset': {'data_sha256': str, 'label_sha256': str, 'warnings?': [str]},
  'replicas': [
    {
      'name': str,
      'fields': _FIELDS,
      'metrics': {str: Maybe(float)},
      'reasons': {str: str},
      'memory': Maybe({str: Maybe(float)}),
      'videos?': [_VIDEO],
    }
  ],
  'methods': {str: {str: _SUMMARY}},
  'baselines': {str: {str: _SUMMARY}},
  'paper': Maybe({'metrics?': [str]}),
  'throughput': {'training_seconds?': Maybe(float)},
  'environment': _MEMORY | {'training?': Maybe(_MEMORY)},
  'parameters?': Maybe(float),
}
FIRST_LOOK = {
  'kind?': str,  # Of scores that others brought.
  'name?': str,
  'config': {'eval': {str: object}},
  'checkpoint?': {'step': int, 'of_steps?': int},
  'headline': str,
  'methods': {str: {str: _SUMMARY}},
  'baselines': {str: {str: _SUMMARY}},
  'replicas': [
    {
      'fields': {'variant': str},
      'interval?': {str: Maybe((float, float))},
    }
  ],
  'paper': Maybe({'metrics?': [str]}),
  'throughput?': {'training_seconds?': Maybe(float)},
  'environment': {'device?': str},
}


def read(
  path: pathlib.Path, shape: Any = WHOLE, mend: str = MEND
) -> dict[str, Any]:
  """Reads results.

  Args:
    path: of a `results.json`.
    shape: the part that the reader needs, one of this module.
    mend: says what to do about a damaged file.

  Raises:
    FileNotFoundError: there is no such file.
    UserError: it is damaged, or of another version.
  """
  return strict_json.load(path, shape, 'results file', mend)
