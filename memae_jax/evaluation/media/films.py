"""Films of test videos with their error maps laid over the frames."""

import logging
import pathlib

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.media import layers, overlay, pictures
from memae_jax.evaluation.scoring import scores
from memae_jax.runtime import errors
from memae_jax.training import experiment, step

_LOG = logging.getLogger(__name__)


def select_videos(exp: experiment.Experiment) -> list[str]:
  """Returns the names of the test videos that become films.

  They are those of `eval.films`, by default the first that has an anomaly;
  none where the samples are no videos.

  Raises:
    UserError: `eval.films` names something that is no test video.
  """
  videos, wanted = exp.source.videos, list(exp.config.eval.films)
  split = exp.splits[0]
  names = []
  if videos:
    names = np.asarray(videos.names)[videos.video[split.test]].tolist()
  for name in wanted:
    if name not in names:
      raise errors.UserError(
        f'config field "eval.films" names "{name}", which is not a test video'
        + errors.did_you_mean(name, set(names))
      )
  return wanted or names[int(split.anomalous.argmax()) :][:1]


def write_all(
  exp: experiment.Experiment,
  weights: step.Weights,
  first: scores.ReplicaScores,
  folder: pathlib.Path,
) -> list[pathlib.Path]:
  """Writes the films of `select_videos`, by the first replica.

  Args:
    exp: the experiment.
    weights: of the fleet.
    first: scores of the first replica.
    folder: where to.

  Returns:
    The files, `folder/VIDEO.mp4` or `.gif`.
  """
  out, videos = [], exp.source.videos
  for name in select_videos(exp):
    at = pictures.in_time(exp, 0, name)
    rows = first.sample[at]
    scored = layers.Layers(existing(folder))
    for frames, maps in pictures.error_maps(exp, weights, 0, rows):
      scored.add(frames, maps)
    out.append(
      write(
        folder / name,
        scored,
        first.score[at],
        first.anomalous[at],
        videos.frame[rows],
        first.threshold(exp.config.eval.normal_quantile),
        with_rate(videos.footage[videos.video[rows[0]]], exp.config.eval),
      )
    )
  return out


def existing(folder: pathlib.Path) -> pathlib.Path:
  """Returns the folder, or the nearest one above it that exists."""
  return next(f for f in (folder, *folder.absolute().parents) if f.is_dir())


def with_rate(footage: types.Footage, config) -> types.Footage:
  """Returns the footage with `eval.frame_rate` if the video states no rate.

  Args:
    footage: how a video was filmed.
    config: `config.eval`.
  """
  if footage.rate or not config.frame_rate:
    return footage
  return footage._replace(rate=config.frame_rate)


def write(
  path: pathlib.Path,
  scored: layers.Layers,
  score: np.ndarray,
  anomalous: np.ndarray,
  number: np.ndarray,
  threshold: float | None,
  footage: types.Footage,
) -> pathlib.Path:
  """Writes the scored frames of a video as a film.

  Args:
    path: of the file, without its suffix.
    scored: the F frames and their error maps.
    score: [F].
    anomalous: [F] bool.
    number: [F] place of each frame in the video, from 0.
    threshold: see `overlay.render`.
    footage: how the video was filmed.

  Returns:
    The path of the file, see `overlay.write`.
  """
  _LOG.info('drawing %d frames of %s', len(scored), path.name)
  frames = overlay.render(
    scored,
    score,
    anomalous,
    number=number,
    footage=footage,
    threshold=threshold,
  )
  rate = footage.rate or types.FILM_RATE
  return overlay.write(path.with_name(f'{path.name}.mp4'), frames, rate)
