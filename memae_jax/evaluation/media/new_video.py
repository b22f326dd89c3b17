"""The scores and the film of a video that is new, in memory that is constant.

What grows with the length of the video lies on disk, but for a few numbers of
each frame.
"""

import io
import logging
import pathlib
from typing import Any

import jax
import numpy as np

from memae_jax import losses
from memae_jax.data import types
from memae_jax.data.videos import clips, decode_video
from memae_jax.evaluation.media import films, pictures
from memae_jax.evaluation.media import layers as layers_lib
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.report.plots import video as plots
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import clip_scores, collect
from memae_jax.methods import base
from memae_jax.runtime import (
  atomic,
  errors,
  foreign,
  progress_bar,
  spreadsheet,
  strict_json,
)
from memae_jax.training import experiment, step

_LOG = logging.getLogger(__name__)


def score(
  exp: experiment.Experiment,
  state: step.ReplicaState,
  at: int,
  results: pathlib.Path,
) -> pathlib.Path:
  """Scores the video `eval.video` by every replica.

  Args:
    exp: the experiment, of videos.
    state: weights of the fleet.
    at: the step of the checkpoint.
    results: folder of all results.

  Returns:
    A folder with scores.csv (a row a scored frame: its time in seconds where
    that is known; score and whether it is flagged of each replica), scores.png,
    the film of the first replica, and results.json.

  Raises:
    UserError: the network is not of videos, or this is no video for it.
  """
  if exp.source.videos is None:
    raise errors.UserError(
      'config field "eval.video" is set, but the network of this run takes no'
      ' clips; give the --workdir of a run on videos'
    )
  path = pathlib.Path(exp.config.eval.video)
  scratch = films.existing(results)
  name, found, footage = _clips_of(exp, path, scratch)
  layers = layers_lib.Layers(scratch)
  weights = collect.chosen(exp, state, at)[0]
  scored = _scored(exp, weights, found, layers)
  limits = {
    replica.name: limit
    for replica, limit in zip(exp.replicas, collect.thresholds(exp, weights))
  }
  rule, rows = exp.rule, np.arange(len(found))
  source = exp.source._replace(inputs=found)
  columns = {
    replica.name: clip_scores.by_rule(source, scored, i, rows)[rule]
    for i, replica in enumerate(exp.replicas)
  }
  folder = results / 'eval' / str(at) / 'videos' / name
  text = _csv(found.scored, footage, columns, limits)
  atomic.write(folder / 'scores.csv', text)
  results = _results(exp, path, at, found, footage, columns, limits)
  text = strict_json.text(results)
  atomic.write(folder / 'results.json', text)
  picture = _curve(name, found, footage, columns, limits)
  atomic.write(folder / 'scores.png', picture)
  first, unknown = next(iter(columns.values())), np.zeros(len(found), bool)
  limit = next(iter(limits.values()))
  films.write(
    folder / 'film', layers, first, unknown, found.scored, limit, footage
  )
  return folder


def _clips_of(
  exp, path: pathlib.Path, scratch: pathlib.Path
) -> tuple[str, clips.Gathered, types.Footage]:
  """Name and all clips of a video, as the network takes them."""
  *_, height, width, channels = exp.source.inputs.shape
  video, config = decode_video.open_video(path), exp.config.data
  colour = 'rgb' if channels == 3 else 'grey'
  frames, footage = decode_video.decode(video, (width, height), colour, scratch)
  for line in footage.warnings:
    _LOG.warning('warning: %s', line)
  found = clips.of_one(foreign.name_of(path), frames, config)
  footage = films.filmed(footage, exp.config.eval)
  _LOG.info(
    '%s: %d frames, %s',
    foreign.name_of(path),
    len(frames),
    f'{footage.rate:.4g} a second'
    if footage.rate
    else f'whose rate is not known; the film plays {types.FILM_RATE} a second,'
    ' or as eval.frame_rate says',
  )
  return foreign.name_of(video.name), found, footage


def _scored(exp, weights, found, layers) -> base.Prediction:
  """Scores clips, some at a time, and keeps the maps of the first replica."""
  block = min(exp.config.eval.batch_size, len(found))
  progress = progress_bar.Progress('scoring', len(found))
  parts = []
  for first in range(0, len(found), block):
    some = found.take(np.arange(first, min(first + block, len(found))))
    # All are of one size, so that the program compiles once.
    rows = np.minimum(np.arange(block), len(some) - 1)
    raw = [some.take(rows)] * len(exp.replicas)
    part = exp.programs.score_raw(weights, raw, ('maps',))
    maps = losses.map_of(exp.rule, part.maps)
    frames = found.frames[some.scored].astype(np.float32) / 255
    first_maps = None if maps is None else maps[0]
    layers.add(frames, pictures.or_zeros(first_maps, frames))
    parts.append(part._replace(maps={}, totals={}))
    progress.at(first + len(some), 'frames')
  progress.close()
  whole = jax.tree.map(lambda *x: np.concatenate(x, axis=1), *parts)
  return jax.tree.map(lambda x: x[:, : len(found)], whole)


def _results(exp, path, at, found, footage, columns, limits) -> dict[str, Any]:
  frame, quantile = found.scored, exp.config.eval.normal_quantile
  return {
    'video': foreign.name_of(path),
    'frames': len(found.frames),
    'frames_a_second': footage.rate,
    'shape': footage.shape,
    'warnings': list(footage.warnings),
    'scored_frames': len(frame),
    'score': describe.score(exp),
    'checkpoint': at,
    'threshold': {
      'rule': f'{quantile:.0%} quantile of the validation normals',
      **limits,
    },
    'flagged_frames': {
      name: frames_lib.spans(frame[score > limits[name]])
      for name, score in columns.items()
    },
  }


def _curve(name, found, footage, columns, limits) -> bytes:
  """The picture of the scores of the first replica."""
  curve = frames_lib.FrameScores(
    score=next(iter(columns.values())),
    anomalous=np.zeros(len(found), bool),
    video=np.zeros(len(found), np.int32),
    frame=found.scored,
    names=[name],
    lengths=[len(found.frames)],
  )
  threshold = next(iter(limits.values()))
  at = footage.at(np.arange(len(found.frames)))
  picture = io.BytesIO()
  plots.new_video(curve, threshold, at, footage.warnings).savefig(
    picture, dpi=150
  )
  return picture.getvalue()


def _csv(frame, footage, columns, limits) -> str:
  shown = {'frame': frame.tolist()}
  at = footage.at(frame)
  if at is not None:
    shown['seconds'] = at.tolist()
  for name, score in columns.items():
    shown[name] = score.tolist()
    shown[f'{name} flagged'] = (score > limits[name]).astype(int).tolist()
  return spreadsheet.text([shown, *zip(*shown.values())])
