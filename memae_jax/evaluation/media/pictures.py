"""What a network makes of samples and of its own slots, to be looked at."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from memae_jax import losses
from memae_jax.data import transforms, types
from memae_jax.evaluation.scoring import scores
from memae_jax.methods import base
from memae_jax.runtime import parallel
from memae_jax.training import experiment

_LARGE = 64  # Pixels a side; larger pictures need the room of two.
_BLOCK = 16  # Samples, or a multiple, that a network is shown at once.
_STRIP = 10  # Frames.
_CONTRAST = 3.0  # Mean absolute deviations from grey to black and to white.
_FOREIGN = 2  # Normal classes whose networks are shown foreign samples.
_MOST_LABELS = 9  # Other classes of each.


def added(
  exp: experiment.Experiment,
  weights: Any,
  networks: Sequence[scores.ReplicaScores],
) -> list[scores.ReplicaScores]:
  """Adds a gallery and the decoded slots to the first run of each method.

  They are many bytes, and a report shows one run of each.

  Args:
    exp: the experiment.
    weights: of the fleet.
    networks: the scores of its replicas, in order.
  """
  pictured = scores.first_names((r.variant, r.name) for r in exp.replicas)
  out = list(networks)
  for i, (replica, found) in enumerate(zip(exp.replicas, networks)):
    if replica.name not in pictured:
      continue
    decodes = replica.has_memory and not exp.programs.is_large
    out[i] = found._replace(
      decoded_slots=decoded_slots(exp, weights, i) if decodes else None,
      gallery=gallery(exp, weights, i, found.score),
    )
  return out


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
    None for rows of tables. Of a clip, the frame that is scored.
  """
  if not (exp.source.has_images or exp.source.videos):
    return None
  split = exp.splits[index]
  shown = 1 if max(exp.source.inputs.shape[-3:-1]) > _LARGE else 2
  rows, titles = [], []
  for anomalous in (False, True):
    members = np.flatnonzero(split.anomalous == anomalous)
    # Of equal ones the first is the highest, as in the list of all scores.
    members = members[np.argsort(-error[members], kind='stable')[::-1]]
    middle = len(members) // 2
    for title, chosen in (
      ('lowest error', members[:shown]),
      ('median error', members[middle : middle + shown]),
      ('highest error', members[-shown:]),
    ):
      rows += chosen.tolist()
      kind = 'anomalous' if anomalous else 'normal'
      titles += [f'{kind}, {title}'] * len(chosen)
  chosen = split.test[rows]
  rebuilt = _rebuilt(exp, weights, index, chosen)
  if rebuilt is None:
    return None
  x, out = rebuilt
  return scores.Gallery(
    inputs=_as_image(x, exp.source, split),
    reconstructions=_as_image(out, exp.source, split),
    score=error[rows],
    anomalous=split.anomalous[rows],
    title=tuple(titles),
    masks=None if exp.source.masks is None else exp.source.masks[chosen],
    sample=chosen,
  )


def foreign(
  members: Sequence[tuple[experiment.Experiment, Any]],
) -> list[scores.Foreign]:
  """What the variants make of classes that they never saw, or nothing.

  For the first classes of a one-class fleet: a test sample of each other
  class, the first in the test set, through every variant trained with the
  first seed.

  Args:
    members: the experiment of each family, and the weights of its fleet.
  """
  exp = members[0][0]
  if not exp.source.has_images:
    return []
  groups: dict[int, dict[str, tuple[Any, Any, int]]] = {}
  for member, weights in members:
    for i, replica in enumerate(member.replicas):
      same_seed = replica.seed == exp.replicas[0].seed
      if replica.normal_class is not None and same_seed:
        variants = groups.setdefault(replica.normal_class, {})
        variants.setdefault(replica.variant, (member, weights, i))
  out = []
  for kind, variants in list(groups.items())[:_FOREIGN]:
    member, _, i = next(iter(variants.values()))
    split = member.splits[i]
    others = split.test[split.anomalous]
    labels, first = np.unique(exp.source.labels[others], return_index=True)
    rows = others[first[:_MOST_LABELS]]
    name = exp.source.label_names.__getitem__
    x, rebuilt = None, {}
    for variant, one in variants.items():
      if (both := _rebuilt(*one, rows)) is not None:
        x, rebuilt[variant] = both
    if not rebuilt:
      continue
    image = lambda v, split=split: _as_image(v, exp.source, split)
    out.append(
      scores.Foreign(
        normal=name(kind),
        labels=tuple(map(name, labels[:_MOST_LABELS])),
        inputs=image(x),
        reconstructions={k: image(v) for k, v in rebuilt.items()},
        score={k: np.square(x - v).mean((1, 2, 3)) for k, v in rebuilt.items()},
      )
    )
  return out


def strips(
  exp: experiment.Experiment,
  weights: Any,
  replicas: Sequence[scores.ReplicaScores],
) -> dict[str, scores.Gallery]:
  """Frames of the first test video with both kinds, evenly spaced in time.

  Args:
    exp: the experiment.
    weights: of the fleet.
    replicas: the scores of its replicas, in their order.

  Returns:
    {name of the first replica of each variant: strip}; empty but for videos.
  """
  firsts = scores.first_names((r.variant, r.name) for r in exp.replicas)
  source, out = exp.source, {}
  for i, replica in enumerate(replicas):
    frames = replica.frames
    if frames is None or replica.name not in firsts:
      continue
    both = [
      name
      for v, name in enumerate(frames.names)
      if len(set(frames.anomalous[frames.video == v].tolist())) == 2
    ]
    at = in_time(exp, i, (both or list(frames.names))[0])
    some = np.linspace(0, len(at) - 1, _STRIP).round().astype(int)
    at = at[np.unique(some)]
    rows = exp.splits[i].test[at]
    both = _rebuilt(exp, weights, i, rows)
    if both is None:
      continue
    x, rebuilt = both
    out[replica.name] = scores.Gallery(
      inputs=_as_image(x, source, exp.splits[i]),
      reconstructions=_as_image(rebuilt, source, exp.splits[i]),
      score=replica.score[at],
      anomalous=replica.anomalous[at],
      title=tuple(f'frame {frame}' for frame in source.videos.frame[rows]),
      masks=None if source.masks is None else source.masks[rows],
    )
  return out


def in_time(exp: experiment.Experiment, index: int, name: str) -> np.ndarray:
  """Which test samples [K] of a replica are of a video, in their order.

  Args:
    exp: the experiment, of videos.
    index: of the replica.
    name: of the video.
  """
  videos, test = exp.source.videos, exp.splits[index].test
  at = np.flatnonzero(np.asarray(videos.names)[videos.video[test]] == name)
  return at[np.argsort(videos.frame[test[at]])]


def error_maps(
  exp: experiment.Experiment, weights: Any, index: int, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """The scored frames of clips, and the errors of a replica.

  Args:
    exp: the experiment, of videos.
    weights: of the fleet.
    index: of the replica.
    rows: [K] samples of the source.

  Yields:
    Of some samples at a time, [k, H, W, C] float32 in [0, 1], and their maps,
    [k, H, W], as of the headline score.
  """
  block = exp.config.eval.batch_size
  for first in range(0, len(rows), block):
    some = rows[first : first + block]
    found = _predicted(exp, weights, some, 'maps')
    frames = _as_image(_scored(exp, some, index), exp.source, exp.splits[index])
    maps = losses.map_of(exp.rule, found.maps)
    yield frames, maps[index, : len(some)]


def _predicted(exp, weights, rows, wanted: str) -> base.Prediction:
  """What the replicas say of samples of the source: [R, K or more, ...]."""
  # Of few sizes, so that few programs compile.
  rows = np.resize(rows, parallel.padded(len(rows), _BLOCK))
  return exp.programs.score(weights, [rows] * len(exp.replicas), (wanted,))


def _scored(exp, rows, index: int) -> np.ndarray:
  """Model inputs of samples for a replica; of clips, the scored frames."""
  x = transforms.apply(exp.source.inputs[rows], exp.splits[index].transform)
  return losses.scored_frame(x) if exp.source.videos else x


def _rebuilt(exp, weights, index, rows) -> tuple[np.ndarray, np.ndarray] | None:
  """Model inputs of samples of the source, and what a replica makes of them.

  Of clips, the frames that are scored. None where it makes nothing of them.
  """
  found = _predicted(exp, weights, rows, 'output').output
  if found is None:
    return None
  out = np.asarray(found[index, : len(rows)])
  if exp.source.videos and out.ndim == 5:
    out = losses.scored_frame(out)
  return _scored(exp, rows, index), out


def decoded_slots(
  exp: experiment.Experiment, weights: Any, index: int
) -> np.ndarray | None:
  """The slots of a replica through its decoder, [N, ...] in input units.

  Args:
    exp: the experiment.
    weights: of the fleet.
    index: of the replica, which has a memory.

  Returns:
    None where a slot holds one position of an encoding: it is no sample.
  """
  slots = next(iter(exp.programs.slots(weights, index).values()))
  method = exp.trainer.method
  decoded = jax.jit(lambda *given: method.decode_slots(*given))(
    exp.programs.one(weights, index).variables,
    slots[: exp.replicas[index].slots],
  )
  if decoded is None:
    return None
  decoded = np.asarray(decoded)
  if decoded.ndim == 4:
    return _as_image(decoded, exp.source, exp.splits[index])
  return decoded


def _range(source: types.Source, split: types.Split) -> tuple[float, float]:
  """What black and white are: those of bytes, or of the training samples."""
  if source.inputs.dtype == np.uint8:
    return 0.0, 255.0
  train = source.inputs[split.train]
  return float(np.nanmin(train)), float(np.nanmax(train))


_BRIGHTEST = 2.0  # Model input of scaling "blur_unit" that is shown white.


def _as_image(
  x: np.ndarray, source: types.Source, split: types.Split
) -> np.ndarray:
  """Model inputs back to [0, 1]."""
  scale, shift = split.transform.scale, split.transform.shift
  raw = (x - shift) / np.where(scale, scale, 1)
  if split.transform.least_contrast is not None:  # Levels of its own.
    low, high = -_CONTRAST, _CONTRAST
  elif split.transform.least_norm is not None:
    raw, low, high = x, 0.0, _BRIGHTEST
  else:
    low, high = _range(source, split)
  return np.clip((raw - low) / (high - low or 1), 0, 1).astype(np.float32)
