"""Curves of the training log, for a figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.evaluation.scoring import scores

# Panel: title, split (empty: validation where logged, else training), and the
# name of the value in the log.
PANELS = {
  'loss': ('Training loss', 'train', 'loss'),
  'validation_error': (
    'Reconstruction error, validation',
    'validation',
    'reconstruction',
  ),
  'dead_read_rate': ('Dead reads (share)', '', 'dead_read_rate'),
  'mean_kept': ('Slots kept per read', '', 'mean_kept'),
  'slots_used': ('Slots used', '', 'slots_used'),
}
# The events of `metrics.jsonl`, and the replicas in the order of the log.
Log = tuple[Sequence[Mapping[str, Any]], Sequence[scores.ReplicaScores]]
_MOST = 400  # Points of a curve.


def curves(
  events: Sequence[Mapping[str, Any]],
  replicas: Sequence[scores.ReplicaScores],
) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
  """Collects the curves of `PANELS` from log events.

  Args:
    events: of `metrics.jsonl`. The values of a fleet are lists, one entry per
      replica, under `replicas`; those of a lone replica are numbers.
    replicas: in the order of the log.

  Returns:
    {panel: {variant: (steps [S], values [S, R])}}, NaN where a replica has no
    value. Panels and variants without any value are left out.
  """
  variants = np.array([r.fields['variant'] for r in replicas])
  out: dict[str, dict] = {}
  for panel, (_, split, key) in PANELS.items():
    splits = (split,) if split else ('validation', 'train')
    logged = [_logged(events, split, key, len(replicas)) for split in splits]
    table = next(filter(None, logged), {})  # One split, not a mixture of two.
    steps = sorted(table)
    steps = steps[:: -(-len(steps) // _MOST)] if steps else []
    for variant in dict.fromkeys(variants.tolist()):
      values = np.array([table[s][variants == variant] for s in steps])
      if np.isfinite(values).any():
        curve = np.array(steps), values
        out.setdefault(panel, {})[variant] = curve
  return out


def _logged(events, split, key, count: int) -> dict[int, np.ndarray]:
  """Returns {step: values [R]} of the events where any replica has a value.

  Events of another number of replicas are left out: they are of another run.

  Args:
    events: of `metrics.jsonl`.
    split: of the events that are read.
    key: name of the value in the log.
    count: of replicas.
  """
  out = {}
  for event in events:
    values = event.get('replicas', event).get(key)
    if event['split'] == split and values is not None:
      values = np.atleast_1d(np.array(values, np.float64))  # None: NaN.
      if len(values) == count and np.isfinite(values).any():
        out[event['step']] = values
  return out
