"""Films of test videos, with the errors laid over."""

import logging
import pathlib

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.media import layers as layers_lib
from memae_jax.evaluation.media import overlay, pictures
from memae_jax.evaluation.scoring import scores
from memae_jax.runtime import errors
from memae_jax.training import experiment, step

_LOG = logging.getLogger(__name__)


def chosen(exp: experiment.Experiment) -> list[str]:
  """Names of the test videos that become films; none where there are no videos.

  Raises:
    UserError: `eval.films` names what is no test video.
  """
  videos, wanted = exp.source.videos, list(exp.config.eval.films)
  split = exp.splits[0]
  names = []
  if videos:
    names = np.asarray(videos.names)[videos.video[split.test]].tolist()
  for name in wanted:
    if name not in names:
      raise errors.UserError(
        f'config field "eval.films" names "{name}", which is no test video'
        + errors.did_you_mean(name, set(names))
      )
  # By default the first one that has an anomaly.
  return wanted or names[int(split.anomalous.argmax()) :][:1]


def write_all(
  exp: experiment.Experiment,
  weights: step.Weights,
  first: scores.ReplicaScores,
  folder: pathlib.Path,
) -> list[pathlib.Path]:
  """Writes the films of the `chosen` videos, by the first replica.

  Returns:
    The files, `folder/VIDEO.mp4` or `.gif`.
  """
  out, videos = [], exp.source.videos
  for name in chosen(exp):
    at = pictures.in_time(exp, 0, name)
    rows = first.sample[at]
    layers = layers_lib.Layers(existing(folder))
    for frames, maps in pictures.error_maps(exp, weights, 0, rows):
      layers.add(frames, maps)
    out.append(
      write(
        folder / name,
        layers,
        first.score[at],
        first.anomalous[at],
        videos.frame[rows],
        first.threshold(exp.config.eval.normal_quantile),
        filmed(videos.footage[videos.video[rows[0]]], exp.config.eval),
      )
    )
  return out


def existing(folder: pathlib.Path) -> pathlib.Path:
  """The folder, or the nearest above it that is there."""
  return next(f for f in (folder, *folder.absolute().parents) if f.is_dir())


def filmed(footage: types.Footage, config) -> types.Footage:
  """What is known of a video, with `eval.frame_rate` where it says none."""
  if footage.rate or not config.frame_rate:
    return footage
  return footage._replace(rate=config.frame_rate)


def write(
  path: pathlib.Path,
  layers: layers_lib.Layers,
  score: np.ndarray,
  anomalous: np.ndarray,
  number: np.ndarray,
  threshold: float | None,
  footage: types.Footage,
) -> pathlib.Path:
  """Writes the scored frames of a video as a film.

  Args:
    path: without ending.
    layers: of F frames.
    score: [F].
    anomalous: [F] bool.
    number: [F] of each frame in the video.
    threshold: see `overlay.render`.
    footage: how the video was filmed.

  Returns:
    The file, see `overlay.write`.
  """
  _LOG.info('drawing %d frames of %s', len(layers), path.name)
  made = overlay.render(
    layers,
    score,
    anomalous,
    number=number,
    footage=footage,
    threshold=threshold,
  )
  rate = footage.rate or types.FILM_RATE
  return overlay.write(path.with_name(f'{path.name}.mp4'), made, rate)
