"""Numbers that a person watches, made of the sums of the devices."""

import logging
import resource
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from memae_jax.memory import usage
from memae_jax.runtime import errors
from memae_jax.training import fleet, step

_LOG = logging.getLogger(__name__)

Values = dict[str, list[float | None]]  # By name, one value per replica.


def raise_unless_finite(
  sums: step.StepSums, replicas: tuple[fleet.Replica, ...]
) -> None:
  """Raises TrainingDiverged that names the first bad step and its replica."""
  bad = np.asarray(sums.first_bad)
  if (bad >= 0).any():
    which = int(np.argmin(np.where(bad >= 0, bad, np.iinfo(np.int32).max)))
    raise errors.TrainingDiverged(
      f'loss or gradient of replica "{replicas[which].name}" is not finite'
      f' at step {int(bad[which])}; lower train.learning_rate or set'
      ' train.clip_norm (earlier checkpoints are kept)'
    )


def raise_unless_sound(
  error: np.ndarray, replicas: tuple[fleet.Replica, ...], step_: int
) -> None:
  """Raises TrainingDiverged if a validation error [R] is not finite."""
  bad = ~np.isfinite(error)
  if bad.any():
    raise errors.TrainingDiverged(
      f'the validation error of replica "{replicas[int(np.argmax(bad))].name}"'
      f' is not finite at step {step_}; '
      + (
        'lower train.learning_rate or set train.clip_norm'
        if step_
        else 'look for extreme values in the data, or set data.clip'
      )
    )


def scalars(sums: step.StepSums, replicas: tuple[fleet.Replica, ...]) -> Values:
  """Returns the means over the steps that were summed, [R] each by name."""
  steps = np.asarray(sums.steps, np.float32)
  sums_of = {'loss': sums.loss, **sums.terms, 'grad_norm': sums.grad_norm}
  means = {k: (np.asarray(v) / steps).tolist() for k, v in sums_of.items()}
  return means | reads(sums.totals, replicas)


def reads(
  totals: Mapping[str, usage.ReadTotals], replicas: tuple[fleet.Replica, ...]
) -> Values:
  """Returns diagnostics of reads, on the host; see `usage.summary`.

  Where there are several memories, each name ends with that of its memory. A
  memory that nothing read has none.

  Args:
    totals: sums over reads, [R] each, by name of the memory.
    replicas: of the fleet; those without a memory have None.
  """
  values_of: Values = {}
  for memory, total in totals.items():
    if not np.any(total.queries):
      continue
    with jax.transfer_guard('allow'):
      summary = jax.device_get(jax.vmap(usage.summary)(total))
    end = f'/{memory}' if len(totals) > 1 else ''
    values_of |= {
      key + end: [
        float(value) if replica.has_memory else None
        for replica, value in zip(replicas, values)
      ]
      for key, values in summary.items()
    }
  return values_of


def peak_memory(devices: Iterable[jax.Device]) -> dict[str, Any]:
  """Returns the most bytes used so far by this process and by a device.

  Args:
    devices: those of this process count; the fullest of them is returned.

  Returns:
    `host_bytes`; `device_bytes`, None where devices do not count; and
    `device_reason`, which says why it is None.
  """
  mine = [d for d in devices if d.process_index == jax.process_index()]
  stats = [device.memory_stats() or {} for device in mine]
  peaks = [s['peak_bytes_in_use'] for s in stats if 'peak_bytes_in_use' in s]
  return {
    'host_bytes': 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    'device_bytes': max(peaks, default=None),
    'device_reason': None
    if peaks
    else 'this kind of device does not count its memory',
  }


def warn_dead(values: dict[str, Any], step_: int) -> None:
  """Warns if more than half of the reads of a replica are dead.

  Args:
    values: from `reads`.
    step_: that the values belong to.
  """
  named = [v for k, v in values.items() if k.startswith('dead_read_rate')]
  rates = [rate for rates in named for rate in rates if rate is not None]
  if rates and max(rates) > 0.5:
    _LOG.warning(
      'step %d: up to %.0f %% of the reads are dead (no slot survives the'
      ' shrinkage); lower model.memory.threshold or the temperature',
      step_,
      100 * max(rates),
    )
