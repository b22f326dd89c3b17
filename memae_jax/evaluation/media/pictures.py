"""Pictures of samples and slots, as a network sees them."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from memae_jax import losses
from memae_jax.data import transforms
from memae_jax.evaluation.media import display, odd_inputs
from memae_jax.evaluation.metrics import defect_area
from memae_jax.evaluation.scoring import scores
from memae_jax.methods import base
from memae_jax.runtime import parallel
from memae_jax.training import experiment

_LARGE = 64  # Pixels a side; larger pictures need the room of two.
_BLOCK = 16  # A network gets this many samples at once, or a multiple.
_STRIP = 10  # Frames.
_MOST_CLASSES = 2  # Normal classes whose networks get samples of others.
_MOST_LABELS = 9  # Other classes for each of them.


def with_pictures(
  exp: experiment.Experiment,
  weights: Any,
  networks: Sequence[scores.ReplicaScores],
) -> list[scores.ReplicaScores]:
  """Adds galleries and the decoded slots to the first run of each method.

  They are many bytes, and a report shows one run of each.

  Args:
    exp: the experiment.
    weights: of the fleet.
    networks: the scores of its replicas, in order.
  """
  pictured = scores.first_names((r.variant, r.name) for r in exp.replicas)
  out = list(networks)
  firsts = [i for i, r in enumerate(exp.replicas) if r.name in pictured]
  odd = odd_inputs.galleries(exp, weights, firsts)
  for i in firsts:
    replica, scored = exp.replicas[i], networks[i]
    decodes = replica.has_memory and not exp.programs.is_large
    out[i] = scored._replace(
      decoded_slots=decoded_slots(exp, weights, i) if decodes else None,
      gallery=gallery(exp, weights, i, scored),
      odd=odd.get(i),
    )
  return out


def gallery(
  exp: experiment.Experiment,
  weights: Any,
  index: int,
  scored: scores.ReplicaScores,
) -> scores.Gallery | None:
  """Returns the normals and anomalies with lowest, median and highest scores.

  Args:
    exp: the experiment.
    weights: of the fleet.
    index: of the replica.
    scored: its test samples.

  Returns:
    None for rows of tables, and for a method that neither reconstructs nor
    maps its errors. Clips are shown by the frame that is scored.
  """
  if not (exp.source.has_images or exp.source.videos):
    return None
  split, score = exp.splits[index], scored.score
  count = 1 if max(exp.source.inputs.shape[-3:-1]) > _LARGE else 2
  members, titles = [], []
  for anomalous in (False, True):
    of_kind = np.flatnonzero(split.anomalous == anomalous)
    # The first of equal scores is the highest, as in the list of all scores.
    of_kind = of_kind[np.argsort(-score[of_kind], kind='stable')[::-1]]
    middle = len(of_kind) // 2
    for title, part in (
      ('lowest score', of_kind[:count]),
      ('median score', of_kind[middle : middle + count]),
      ('highest score', of_kind[-count:]),
    ):
      members += part.tolist()
      kind = 'anomalous' if anomalous else 'normal'
      titles += [f'{kind}, {title}'] * len(part)
  shown = _gallery(exp, weights, index, members, score[members], titles)
  limit = (scored.pixels or ({},))[0].get(defect_area.THRESHOLD)
  if shown is None or limit is None:
    return shown
  maps = shown.maps
  if maps is None:
    rows = split.test[members]
    maps = _maps(exp, _predicted(exp, weights, rows, 'maps'), index)
    maps = np.asarray(maps[: len(rows)], np.float32)
  return shown._replace(maps=maps, limit=limit)


def _gallery(
  exp, weights, index: int, members, score: np.ndarray, titles: Sequence[str]
) -> scores.Gallery | None:
  """Returns K test samples of a replica beside what it makes of them.

  Args:
    exp: the experiment, of images or videos.
    weights: of the fleet.
    index: of the replica.
    members: [K] places in its test set.
    score: [K] of these samples.
    titles: [K] of these samples.

  Returns:
    None for a method that neither reconstructs nor maps its errors.
  """
  split, masks = exp.splits[index], exp.source.masks
  rows = split.test[members]
  output, maps = _output(exp, weights, index, rows), None
  if output is None:
    maps = _maps(exp, _predicted(exp, weights, rows, 'maps'), index)
    if maps is None:
      return None
    maps = np.asarray(maps[: len(rows)], np.float32)
  else:
    output = display.as_image(output, exp.source, split)
  return scores.Gallery(
    inputs=display.as_image(_scored(exp, rows, index), exp.source, split),
    reconstructions=output,
    score=score,
    anomalous=split.anomalous[members],
    title=tuple(titles),
    masks=None if masks is None else masks[rows],
    sample=rows,
    maps=maps,
  )


def other_classes(
  members: Sequence[tuple[experiment.Experiment, Any]],
) -> list[scores.OtherClasses]:
  """Reconstructs samples of classes that the variants never saw.

  One test sample of each other class, the first in the test set, goes through
  every variant that was trained with the first seed. The first
  `_MOST_CLASSES` classes of a one-class fleet take their turn as the normal
  one.

  Args:
    members: the experiment of each family, and the weights of its fleet.

  Returns:
    An entry for each normal class; [] unless the samples are images and some
    variant reconstructs them.
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
  for kind, variants in list(groups.items())[:_MOST_CLASSES]:
    member, _, i = next(iter(variants.values()))
    split = member.splits[i]
    others = split.test[split.anomalous]
    labels, first = np.unique(exp.source.labels[others], return_index=True)
    rows = others[first[:_MOST_LABELS]]
    outputs = {
      variant: _output(*replica, rows) for variant, replica in variants.items()
    }
    outputs = {k: v for k, v in outputs.items() if v is not None}
    if not outputs:
      continue
    x = _scored(member, rows, i)
    name = exp.source.label_names.__getitem__
    image = lambda v, split=split: display.as_image(v, exp.source, split)
    out.append(
      scores.OtherClasses(
        normal=name(kind),
        labels=tuple(map(name, labels[:_MOST_LABELS])),
        inputs=image(x),
        reconstructions={k: image(v) for k, v in outputs.items()},
        score={k: np.square(x - v).mean((1, 2, 3)) for k, v in outputs.items()},
      )
    )
  return out


def frame_strips(
  exp: experiment.Experiment,
  weights: Any,
  replicas: Sequence[scores.ReplicaScores],
) -> dict[str, scores.Gallery]:
  """Returns frames of one test video, evenly spaced in time, by replica.

  The video is the first that has normal and anomalous frames, if there is one.

  Args:
    exp: the experiment.
    weights: of the fleet.
    replicas: the scores of its replicas, in their order.

  Returns:
    {name of the first replica of each variant: its frames}; {} for samples
    that are no clips of videos.
  """
  firsts = scores.first_names((r.variant, r.name) for r in exp.replicas)
  out = {}
  for i, replica in enumerate(replicas):
    frames = replica.frames
    if frames is None or replica.name not in firsts:
      continue
    mixed = [
      name
      for v, name in enumerate(frames.names)
      if len(set(frames.anomalous[frames.video == v].tolist())) == 2
    ]
    members = in_time(exp, i, (mixed or list(frames.names))[0])
    spaced = np.linspace(0, len(members) - 1, _STRIP).round().astype(int)
    members = members[np.unique(spaced)]
    numbers = exp.source.videos.frame[exp.splits[i].test[members]]
    titles = [f'frame {number}' for number in numbers]
    strip = _gallery(exp, weights, i, members, replica.score[members], titles)
    if strip is not None:
      out[replica.name] = strip
  return out


def in_time(exp: experiment.Experiment, index: int, name: str) -> np.ndarray:
  """Returns the places [K] of a video's samples in a test set, in their order.

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
  """Yields the scored frames of clips and their error maps, in blocks.

  Args:
    exp: the experiment, of videos.
    weights: of the fleet.
    index: of the replica.
    rows: [K] samples of the source.

  Yields:
    For some samples at a time, [k, H, W, C] float32 in [0, 1], and their maps,
    [k, H, W], by the rule of the headline score; zeros for a method without
    maps.
  """
  size = exp.config.eval.batch_size
  for first in range(0, len(rows), size):
    block = rows[first : first + size]
    maps = _maps(exp, _predicted(exp, weights, block, 'maps'), index)
    frames = _frames(exp, block, index)
    yield frames, or_zeros(maps, frames)


def or_zeros(maps: np.ndarray | None, frames: np.ndarray) -> np.ndarray:
  """Returns the maps [k, H, W] of frames [k, H, W, C]; zeros if there are none.

  Args:
    maps: [k or more, H, W], padded at the end, or None.
    frames: of the same samples.
  """
  if maps is None:
    return np.zeros(frames.shape[:3], np.float32)
  return maps[: len(frames)]


def _predicted(exp, weights, rows, field: str) -> base.Prediction:
  """Scores samples of the source by every replica: [R, K or more, ...].

  Args:
    exp: the experiment.
    weights: of the fleet.
    rows: [K] samples.
    field: large field of a `Prediction` that is wanted, 'maps' or 'output'.
  """
  # A few sizes only, so that few programs compile.
  rows = np.resize(rows, parallel.padded(len(rows), _BLOCK))
  return exp.programs.score(weights, [rows] * len(exp.replicas), (field,))


def _scored(exp, rows, index: int) -> np.ndarray:
  """Model inputs of samples for a replica; of clips, the scored frames.

  Where a part of a sample is predicted, it is that part.
  """
  x = transforms.apply(exp.source.inputs[rows], exp.splits[index].transform)
  _, x = exp.task.parts(x)
  return np.asarray(losses.scored_frame(x) if x.ndim == losses.CLIP else x)


def _frames(exp, rows, index: int) -> np.ndarray:
  """Returns the scored frames [K, H, W, C] of clips, in [0, 1].

  Where networks see motion, they are the frames of the videos themselves.
  """
  source = exp.source
  if source.pictures is not None:
    scored = source.inputs.take(rows).scored
    return source.pictures[scored].astype(np.float32) / 255
  return display.as_image(_scored(exp, rows, index), source, exp.splits[index])


def _maps(exp, prediction: base.Prediction, index: int) -> np.ndarray | None:
  """Error maps [K or more, H, W] of a replica by the rule of the score."""
  maps = losses.map_of(exp.map_rule, prediction.maps)
  return None if maps is None else maps[index]


def _output(exp, weights, index: int, rows) -> np.ndarray | None:
  """Reconstructions [K, ...] of samples of the source, in model units.

  Clips are reduced to their scored frames. None for a method that
  reconstructs nothing.
  """
  output = _predicted(exp, weights, rows, 'output').output
  if output is None:
    return None
  output = np.asarray(output[index, : len(rows)])
  if output.ndim == losses.CLIP:
    output = losses.scored_frame(output)
  return output


def decoded_slots(
  exp: experiment.Experiment, weights: Any, index: int
) -> np.ndarray | None:
  """Passes the slots of a replica through its decoder.

  Args:
    exp: the experiment.
    weights: of the fleet.
    index: of the replica, which has a memory.

  Returns:
    [N, ...], images in [0, 1] and rows in units of the model input; None where
    a slot holds one position of an encoding: it is no sample.
  """
  slots = next(iter(exp.programs.slots(weights, index).values()))
  method = exp.trainer.method
  decoded = jax.jit(lambda *args: method.decode_slots(*args))(
    exp.programs.one(weights, index).variables,
    slots[: exp.replicas[index].slots],
  )
  if decoded is None:
    return None
  decoded = np.asarray(decoded)
  if decoded.ndim == 4:
    return display.as_image(decoded, exp.source, exp.splits[index])
  return decoded
