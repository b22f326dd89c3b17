"""What a network makes of samples and of its own slots, to be looked at."""

import functools
from typing import Any

import jax
import numpy as np

from memae_jax.data import transforms, types
from memae_jax.evaluation import scores
from memae_jax.models import memae
from memae_jax.training import experiment, fleet

_SHOWN = 2  # Samples of each kind in a gallery.


def gallery(
  exp: experiment.Experiment, weights: Any, index: int, error: np.ndarray
) -> scores.Gallery | None:
  """Best, median and worst reconstructions of normals and anomalies.

  Args:
    exp: the experiment.
    weights: of the fleet.
    index: of the replica.
    error: [T] scores of its test samples.

  Returns:
    None unless the samples are images.
  """
  if len(exp.source.inputs.shape[1:]) != 3:
    return None
  split = exp.splits[index]
  rows, titles = [], []
  for anomalous in (False, True):
    members = np.flatnonzero(split.anomalous == anomalous)
    members = members[np.argsort(error[members], kind='stable')]
    middle = len(members) // 2
    for title, chosen in (
      ('lowest error', members[:_SHOWN]),
      ('median error', members[middle : middle + _SHOWN]),
      ('highest error', members[-_SHOWN:]),
    ):
      rows += chosen.tolist()
      kind = 'anomalous' if anomalous else 'normal'
      titles += [f'{kind}, {title}'] * len(chosen)
  x = transforms.apply(exp.source.inputs[split.test[rows]], split.transform)
  out = _reconstruct(
    exp.trainer.model,
    fleet.take(weights.params, index),
    fleet.take(weights.batch_stats, index),
    x,
    fleet.take(exp.hyper.knobs, index),
  )
  return scores.Gallery(
    inputs=_as_image(x, exp.source, split),
    reconstructions=_as_image(np.asarray(out), exp.source, split),
    score=error[rows],
    anomalous=split.anomalous[rows],
    title=tuple(titles),
  )


def decoded_slots(
  exp: experiment.Experiment, weights: Any, index: int
) -> np.ndarray:
  """The slots of a replica through its decoder, [N, ...] in input units.

  Args:
    exp: the experiment.
    weights: of the fleet.
    index: of the replica, which has a memory.
  """
  params = fleet.take(weights.params, index)
  batch_stats = fleet.take(weights.batch_stats, index)
  slots = params['bank']['slots'][: exp.replicas[index].slots]
  decoded = _decode(exp.trainer.model, params, batch_stats, slots)
  decoded = np.asarray(decoded)
  if decoded.ndim == 4:
    return _as_image(decoded, exp.source, exp.splits[index])
  return decoded


@functools.partial(jax.jit, static_argnums=0)
def _reconstruct(model, params, batch_stats, x, knobs):
  variables = {'params': params, 'batch_stats': batch_stats}
  return model.apply(variables, x, knobs).reconstruction


@functools.partial(jax.jit, static_argnums=0)
def _decode(model, params, batch_stats, codes):
  variables = {'params': params, 'batch_stats': batch_stats}
  return model.apply(variables, codes, method=memae.MemAE.decode)


def _range(source: types.Source, split: types.Split) -> tuple[float, float]:
  """What black and white are: those of bytes, or of the training samples."""
  if source.inputs.dtype == np.uint8:
    return 0.0, 255.0
  train = source.inputs[split.train]
  return float(np.nanmin(train)), float(np.nanmax(train))


def _as_image(
  x: np.ndarray, source: types.Source, split: types.Split
) -> np.ndarray:
  """Model inputs back to [0, 1]."""
  scale, shift = split.transform.scale, split.transform.shift
  low, high = _range(source, split)
  raw = (x - shift) / np.where(scale, scale, 1)
  return np.clip((raw - low) / (high - low or 1), 0, 1).astype(np.float32)
