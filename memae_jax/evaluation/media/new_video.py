"""Scores and film of a new video, in memory of constant size.

Frames and error maps lie on disk; memory holds a few numbers per frame.
"""

import dataclasses
import io
import logging
import pathlib
from typing import Any

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.data import types
from memae_jax.data.videos import clips, decode_video, views
from memae_jax.evaluation.media import films, layers, pictures
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.report.plots import video as plots
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import collect
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
    The folder that was written: scores.csv (one row per scored frame: its
    time in seconds where that is known, and for each replica the score and
    whether it is flagged), scores.png, the film of the first replica, and
    results.json.

  Raises:
    UserError: the network takes no videos, or cannot take this one.
  """
  if exp.source.videos is None:
    raise errors.UserError(
      'config field "eval.video" is set, but the network of this run takes no'
      ' clips; give the --workdir of a run on videos'
    )
  path = pathlib.Path(exp.config.eval.video)
  scratch = films.existing(results)
  name, gathered, frames, footage = _read(exp, path, scratch)
  film = layers.Layers(scratch)
  weights = collect.select_weights(exp, state, at)[0]
  scored = _scored(exp, weights, gathered, frames, film)
  calibrated = collect.calibrations(exp, weights)
  names = [replica.name for replica in exp.replicas]
  limits = {n: c.threshold for n, c in zip(names, calibrated)}
  rows = np.arange(len(gathered))
  of_video = dataclasses.replace(
    exp,
    source=exp.source._replace(inputs=gathered, videos=_videos(name, gathered)),
  )
  columns = {
    n: collect.by_rule(of_video, scored, i, rows, c.parts)[exp.rule]
    for i, (n, c) in enumerate(zip(names, calibrated))
  }
  folder = results / 'eval' / str(at) / 'videos' / name
  table = _csv(gathered.scored, footage, columns, limits)
  atomic.write(folder / 'scores.csv', table)
  facts = _results(exp, path, at, gathered, footage, columns, limits)
  atomic.write(folder / 'results.json', strict_json.text(facts))
  picture = _curve(name, gathered, footage, columns, limits)
  atomic.write(folder / 'scores.png', picture)
  first, unlabelled = (
    next(iter(columns.values())),
    np.zeros(len(gathered), bool),
  )
  limit = next(iter(limits.values()))
  films.write(
    folder / 'film', film, first, unlabelled, gathered.scored, limit, footage
  )
  return folder


def _videos(name: str, gathered: clips.Gathered) -> types.Videos:
  """Returns the one video that clips are of."""
  lengths = np.array([len(gathered.frames)], np.int32)
  of_first = np.zeros(len(gathered), np.int32)
  return types.Videos((name,), lengths, of_first, gathered.scored)


def _read(
  exp, path: pathlib.Path, scratch: pathlib.Path
) -> tuple[str, clips.Gathered, Any, types.Footage]:
  """Reads a video: name, clips as the network takes them, frames, footage.

  Args:
    exp: the experiment, of videos.
    path: of the video.
    scratch: a folder on the disk that takes the decoded frames.
  """
  source, config = exp.source, config_lib.data_of(exp.config)
  trained = source.inputs.frames if source.pictures is None else source.pictures
  *_, height, width, channels = trained.shape
  video = decode_video.open_video(path)
  colour = 'rgb' if channels == 3 else 'grey'
  frames, footage = decode_video.decode(video, (width, height), colour, scratch)
  for line in footage.warnings:
    _LOG.warning('warning: %s', line)
  seen = views.of_video(
    video, frames, views.recipe(config), (height, width), scratch
  )
  gathered = clips.of_one(foreign.name_of(path), seen, config)
  footage = films.with_rate(footage, exp.config.eval)
  _LOG.info(
    '%s: %d frames, %s',
    foreign.name_of(path),
    len(frames),
    f'{footage.rate:.4g} per second'
    if footage.rate
    else f'whose rate is not known; the film plays {types.FILM_RATE} per'
    ' second, or as many as eval.frame_rate says',
  )
  return foreign.name_of(video.name), gathered, frames, footage


def _scored(
  exp, weights, gathered, filmed, film: layers.Layers
) -> base.Prediction:
  """Scores clips in blocks, and adds the maps of the first replica to a film.

  Args:
    exp: the experiment.
    weights: of the fleet.
    gathered: the K clips.
    filmed: [F, H, W, C] uint8, the frames of the video.
    film: gets their scored frames and maps.

  Returns:
    Scores [R, K] of the fleet, without maps.
  """
  size = min(exp.config.eval.batch_size, len(gathered))
  progress = progress_bar.Progress('scoring', len(gathered))
  parts = []
  for first in range(0, len(gathered), size):
    block = gathered.take(np.arange(first, min(first + size, len(gathered))))
    # All blocks are padded to one size, so that the program compiles once.
    rows = np.minimum(np.arange(size), len(block) - 1)
    raw = [block.take(rows)] * len(exp.replicas)
    part = exp.programs.score_raw(weights, raw, ('maps',))
    maps = losses.map_of(exp.map_rule, part.maps)
    frames = filmed[block.scored].astype(np.float32) / 255
    first_maps = None if maps is None else maps[0]
    film.add(frames, pictures.or_zeros(first_maps, frames))
    parts.append(part._replace(maps={}, totals={}))
    progress.at(first + len(block), 'frames')
  progress.close()
  joined = jax.tree.map(lambda *x: np.concatenate(x, axis=1), *parts)
  return jax.tree.map(lambda x: x[:, : len(gathered)], joined)


def _results(
  exp, path, at, gathered, footage, columns, limits
) -> dict[str, Any]:
  """Returns the content of results.json of a new video."""
  frame, quantile = gathered.scored, exp.config.eval.normal_quantile
  return {
    'video': foreign.name_of(path),
    'frames': len(gathered.frames),
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


def _curve(name, gathered, footage, columns, limits) -> bytes:
  """Draws the scores of the first replica over time: a PNG file."""
  curve = frames_lib.FrameScores(
    score=next(iter(columns.values())),
    anomalous=np.zeros(len(gathered), bool),
    video=np.zeros(len(gathered), np.int32),
    frame=gathered.scored,
    names=[name],
    lengths=[len(gathered.frames)],
  )
  threshold = next(iter(limits.values()))
  at = footage.at(np.arange(len(gathered.frames)))
  picture = io.BytesIO()
  plots.new_video(curve, threshold, at, footage.warnings).savefig(
    picture, dpi=150
  )
  return picture.getvalue()


def _csv(frame, footage, columns, limits) -> str:
  """Returns scores.csv: one row per scored frame.

  Args:
    frame: [K] numbers of the frames.
    footage: how the video was filmed.
    columns: scores [K] by replica name.
    limits: threshold by replica name.
  """
  table = {'frame': frame.tolist()}
  at = footage.at(frame)
  if at is not None:
    table['seconds'] = at.tolist()
  for name, score in columns.items():
    table[name] = score.tolist()
    table[f'{name} flagged'] = (score > limits[name]).astype(int).tolist()
  return spreadsheet.text([table, *zip(*table.values())])
