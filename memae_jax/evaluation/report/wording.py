"""Texts of the report: labels, meanings, and the format of numbers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from memae_jax.evaluation.metrics import registry as metric_registry
from memae_jax.methods import registry

BASELINES = {  # Methods have a label of their own, in their registry.
  'random': 'Random scores',
  'untrained': 'Untrained network',
  'frame_difference': 'Frame difference',
  'no_bank': 'Speed without a bank',
  'nearest': 'Nearest normals (5)',
  'k_means': 'k-means centres (100)',
  'lof': 'Local outlier factor (20)',
  'brightness': 'Brightness alone',
  'contrast': 'Contrast alone',
  'contrast_mean': 'Mean of contrast-normalised',
  'local_deviation_3': 'Local deviation, 3 x 3',
  'local_deviation_7': 'Local deviation, 7 x 7',
  'constant': 'Constant score',
  'all_positive': 'Flag all',
  'frame_position': 'Frame position',
}
KINDS = {
  'rotate': 'Turned by 90°',
  'flip': 'Upside down',
  'blend': 'Lighter of two',
  'cutpaste': 'Patch of another',
  'shuffle': 'Quadrants swapped',
}
SWEPT = {
  'slots': 'the number of slots',
  'threshold': 'the shrinkage threshold in multiples of 1/N',
  'alpha': 'the weight of the entropy loss',
  'learning_rate': 'the learning rate',
}
RULES = {
  'last': 'the weights at the end of training; nothing was chosen',
  'validation': 'the weights with the lowest error on validation normals',
  'oracle': 'CHOSEN ON THE TEST LABELS: an upper bound, not a result',
}
_LONG = 24  # Most items of a list that are written.


def label(name: str) -> str:
  """Returns the name of a method or baseline for readers."""
  method = registry.get(name)
  return method.label if method else BASELINES.get(name, name)


def is_reference(name: str) -> bool:
  """Returns whether a method or baseline only serves for comparison."""
  method = registry.get(name)
  return method.classical if method else name in BASELINES


def weights(checkpoint: Mapping[str, Any]) -> str:
  """Says which weights were scored.

  Args:
    checkpoint: the part of `results.json` of that name.
  """
  rule, step, steps = (checkpoint[k] for k in ('rule', 'step', 'of_steps'))
  if rule == 'last' and step < steps:
    return f'the weights of step {step:,} of {steps:,}; nothing was chosen'
  return RULES.get(rule, rule)


def title(metric: str) -> str:
  """Returns the title of a metric."""
  return metric_registry.find(metric).title


def share(value: float, digits: int = 1) -> str:
  """Writes a share, 0 to 1, in percent; 0% and 100% are exact.

  Args:
    value: the share.
    digits: behind the point, more for a share close to 0 or 1.
  """
  beyond = min(value, 1 - value)
  if 0 < beyond < 10 ** -(digits + 2):
    digits = -math.floor(math.log10(beyond)) - 1
  return f'{value:.{digits}%}'


def number(
  value: float | None, digits: int | None = 3, sign: bool = False
) -> str:
  """Writes a number with fixed digits, a dash for None, never "-0.000".

  Args:
    value: the number.
    digits: behind the point; a number of 1,000 or more has none. None: four
      digits that count, as `format_value` writes them.
    sign: write "+" before a positive number.
  """
  if value is None:
    return '—'
  if digits is None:
    return format_value(float(value))
  if abs(value) >= 1000:
    text = f'{value:+,.0f}' if abs(value) < 1e9 else f'{value:+.2e}'
    return (text if sign else text.removeprefix('+')).replace('-', '−', 1)
  value = round(value, digits) or 0.0
  text = f'{value:+.{digits}f}' if sign and value else f'{value:.{digits}f}'
  return text.replace('-', '−')


def span(values: Sequence[float], write) -> str:
  """Writes the range of `values`, each end as the function `write` does."""
  low, high = min(values), max(values)
  return write(low) if low == high else f'{write(low)} to {write(high)}'


def format_value(value: Any) -> str:
  """Writes any value of `results.json` for a reader."""
  if isinstance(value, bool) or value is None:
    return {True: 'yes', False: 'no', None: '—'}[value]
  if isinstance(value, float):
    is_short = abs(value) < 1000 or abs(value) >= 1e15
    return f'{value:.4g}' if is_short else f'{value:,.0f}'
  if isinstance(value, int):
    return f'{value:,}'
  if isinstance(value, Mapping):
    if set(value) == {'min', 'max'} and all(map(_is_number, value.values())):
      return span(list(value.values()), format_value)
    return _listed([f'{k}: {format_value(v)}' for k, v in value.items()])
  if isinstance(value, (list, tuple)):
    return _listed([format_value(v) for v in value])
  return str(value)


def _is_number(value: Any) -> bool:
  return isinstance(value, (int, float)) and not isinstance(value, bool)


def _listed(items: Sequence[str]) -> str:
  if len(items) > _LONG:
    items = [*items[:_LONG], f'and {len(items) - _LONG:,} more']
  return ', '.join(items) or 'none'
