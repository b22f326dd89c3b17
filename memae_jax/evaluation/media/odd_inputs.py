"""Pictures of no class, beside what the methods make of them.

Four normal and four anomalous test samples come first, then noise, an inverted
picture, an empty one, and shapes. All have the levels of the data set.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from memae_jax import losses
from memae_jax.data import transforms, types
from memae_jax.evaluation.media import display
from memae_jax.evaluation.scoring import collect, scores
from memae_jax.training import experiment

_EACH = 4  # Normal samples, and anomalous ones.
_COUNT = 16  # Pictures at most.
_STRIPES = 8  # Dark and bright ones, whatever the size of the picture.
_SEED = 0


def make(image: np.ndarray, low: float, high: float) -> dict[str, np.ndarray]:
  """Returns pictures [H, W, C] by name, the same every time.

  Args:
    image: [H, W, C] that is inverted; the others have its shape and type.
    low, high: values of black and of white.
  """
  rng = np.random.default_rng(_SEED)
  shape, width = image.shape, high - low
  pictures = {
    'uniform noise': low + width * rng.uniform(size=shape),
    'Gaussian noise': low + width * rng.normal(0.5, 0.25, shape),
    'inverted': low + high - image.astype(np.float64),
    'empty': np.full(shape, low),
  }
  for name, ink in _shapes(*shape[:2]).items():
    pictures[name] = np.broadcast_to(low + width * ink[..., None], shape)
  is_whole = np.issubdtype(image.dtype, np.integer)
  whole = np.round if is_whole else np.asarray
  return {
    name: whole(np.clip(picture, low, high)).astype(image.dtype)
    for name, picture in pictures.items()
  }


def _shapes(height: int, width: int) -> dict[str, np.ndarray]:
  """Returns white shapes on black [H, W], from 0 to 1."""
  rows, columns = np.mgrid[:height, :width]
  side = min(height, width)
  down = np.abs(rows - (height - 1) / 2)  # Distances to the middle.
  across = np.abs(columns - (width - 1) / 2)
  line = max(side / 14, 1)  # Half of its width.
  within = lambda distance, reach: np.clip(reach + 0.5 - distance, 0, 1)
  ring = within(np.abs(np.hypot(down, across) - 0.36 * side), line)
  bars = within(np.minimum(down, across), line)
  ends = within(np.maximum(down, across), 0.4 * side)
  in_row, in_column = (
    at * _STRIPES // size for at, size in ((rows, height), (columns, width))
  )
  return {
    'ring': ring,
    'cross': np.minimum(bars, ends),
    'stripes': in_row % 2.0,
    'checker': (in_row + in_column) % 2.0,
  }


def _first_of_each(labels: np.ndarray) -> np.ndarray:
  """Returns places of some samples, as many labels among them as there are."""
  _, first = np.unique(labels, return_index=True)
  rest = np.setdiff1d(np.arange(len(labels)), first)
  return np.concatenate([first, rest])[:_EACH]


class _Shown(NamedTuple):
  """Pictures that the replicas of a split are shown.

  raw: [K, H, W, C] raw samples. names, anomalous: of each; made ones count as
  anomalous. sample: [K] indices into the source, -1 for made ones.
  """

  raw: np.ndarray
  names: tuple[str, ...]
  anomalous: np.ndarray
  sample: np.ndarray


def _shown(source: types.Source, split: types.Split) -> _Shown:
  """Chooses test samples of a split, and makes the other pictures."""
  kinds = split.test[~split.anomalous], split.test[split.anomalous]
  kinds = [rows[_first_of_each(source.labels[rows])] for rows in kinds]
  rows = np.concatenate(kinds)
  made = make(source.inputs[rows[0]], *display.levels(source, split))
  names = [source.label_names[label] for label in source.labels[rows]]
  return _Shown(
    raw=np.concatenate([source.inputs[rows], np.stack([*made.values()])]),
    names=(*names, *made),
    anomalous=np.arange(len(rows) + len(made)) >= len(kinds[0]),
    sample=np.concatenate([rows, np.full(len(made), -1)]),
  )


def galleries(
  exp: experiment.Experiment, weights: Any, indices: Sequence[int]
) -> dict[int, scores.Gallery]:
  """Returns pictures of no class, and what replicas make of them.

  Args:
    exp: the experiment.
    weights: of the fleet.
    indices: of the replicas.

  Returns:
    A gallery by index of the replica, in whose `sample` made pictures have -1;
    {} for samples that are no images or stand alone, as no other picture is
    known then, and for a method without an output.
  """
  alone = exp.config.data.protocol == 'alone'
  if alone or not (exp.config.eval.odd_inputs and exp.source.has_images):
    return {}
  keys = [(r.seed, r.normal_class) for r in exp.replicas]
  of_key = {
    key: _shown(exp.source, split)
    for key, split in dict(zip(keys, exp.splits)).items()
  }
  shown = [of_key[key] for key in keys]
  # Always as many: it is the program of galleries of test samples.
  raw = [np.resize(one.raw, (_COUNT, *one.raw.shape[1:])) for one in shown]
  scored = exp.programs.score_raw(weights, raw, ('output',))
  if scored.output is None:
    return {}
  parts: list[Any] = [()] * len(shown)
  if exp.rule in losses.COMBINED:
    parts = [one.parts for one in collect.calibrations(exp, weights)]
  return {i: _gallery(exp, scored, i, shown[i], parts[i]) for i in indices}


def _gallery(exp, scored, index: int, shown: _Shown, parts) -> scores.Gallery:
  """Returns the gallery of one replica.

  Args:
    exp: the experiment.
    scored: prediction of the fleet, with outputs.
    index: of the replica.
    shown: to it.
    parts: of its combined scores.
  """
  split, count = exp.splits[index], len(shown.raw)
  image = lambda x: display.as_image(np.asarray(x), exp.source, split)
  score = collect.by_rule(exp, scored, index, np.arange(count), parts)
  return scores.Gallery(
    inputs=image(transforms.apply(shown.raw, split.transform)),
    reconstructions=image(scored.output[index, :count]),
    score=score[exp.rule],
    anomalous=shown.anomalous,
    title=shown.names,
    sample=shown.sample,
  )
