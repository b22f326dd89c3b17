"""Films of test videos, and the scores and film of a video that is new."""

import csv
import io
import json
import logging
import pathlib

import numpy as np

from memae_jax import errors, writers
from memae_jax.data import clips, decoding
from memae_jax.evaluation import (
  collect,
  facts,
  overlay,
  pictures,
  scores,
  video,
)
from memae_jax.evaluation import frames as frames_lib
from memae_jax.evaluation.plots import video as plots
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
  out = []
  for name in chosen(exp):
    at = pictures.in_time(exp, 0, name)
    rows = first.sample[at]
    frames, maps = pictures.error_maps(exp, weights, 0, rows)
    score, anomalous = first.score[at], first.anomalous[at]
    number = exp.source.videos.frame[rows]
    out.append(_write(folder / name, frames, maps, score, anomalous, number))
  return out


def _write(path, frames, maps, score, anomalous, number) -> pathlib.Path:
  """Writes the scored frames as a film."""
  _LOG.info('drawing %d frames of %s', len(frames), path.name)
  made = overlay.render(frames, maps, score, anomalous, number=number)
  return overlay.write(path.with_name(f'{path.name}.mp4'), made)


def score_new(
  exp: experiment.Experiment,
  state: step.ReplicaState,
  at: int,
  workdir: pathlib.Path,
) -> pathlib.Path:
  """Scores the video `eval.video` by every replica.

  Args:
    exp: the experiment, of videos.
    state: weights of the fleet.
    at: the step of the checkpoint.
    workdir: of the run.

  Returns:
    A folder with scores.csv (a row a scored frame; score and whether it is
    flagged of each replica),
    scores.png, the film of the first replica, and results.json.

  Raises:
    UserError: the network is not of videos, or this is no video for it.
  """
  if exp.source.videos is None:
    raise errors.UserError(
      'config field "eval.video" is set, but the network of this run takes no'
      ' clips; give the --workdir of a run on videos'
    )
  path = pathlib.Path(exp.config.eval.video)
  name, found = _clips_of(exp, path)
  weights = collect.chosen(exp, state, at)[0]
  scored = exp.programs.score_raw(weights, [found] * len(exp.replicas), True)
  held_out = [split.validation for split in exp.splits]
  normal = exp.score(weights, held_out)
  rule, quantile = exp.config.eval.score, exp.config.eval.normal_quantile
  source, rows = exp.source._replace(inputs=found), np.arange(len(found))
  of = lambda i: video.by_rule(source, scored, i, rows)[rule]
  thresholds = [
    float(np.quantile(video.by_rule(exp.source, normal, i, h)[rule], quantile))
    for i, h in enumerate(held_out)
  ]
  frame = found.scored
  columns = {r.name: of(i) for i, r in enumerate(exp.replicas)}
  folder = workdir / 'eval' / str(at) / 'videos' / name
  limits = dict(zip(columns, thresholds))
  writers.write_atomic(folder / 'scores.csv', _csv(frame, columns, limits))
  first, threshold = next(iter(columns.values())), thresholds[0]
  results = {
    'video': str(path),
    'frames': len(found.frames),
    'scored_frames': len(frame),
    'score': facts.score(exp),
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
  text = json.dumps(results, indent=2) + '\n'
  writers.write_atomic(folder / 'results.json', text)
  unknown = np.zeros(len(frame), bool)
  curve = frames_lib.FrameScores(
    score=first,
    anomalous=unknown,
    video=np.zeros_like(frame),
    frame=frame,
    names=[name],
    lengths=[len(found.frames)],
  )
  picture = io.BytesIO()
  plots.score_curves(curve, threshold).savefig(picture, dpi=150)
  writers.write_atomic(folder / 'scores.png', picture.getvalue())
  shown = found.frames[frame].astype(np.float32) / 255
  maps = scored.maps[0, : len(rows)]
  _write(folder / 'film', shown, maps, first, unknown, frame)
  return folder


def _clips_of(exp, path: pathlib.Path) -> tuple[str, clips.Gathered]:
  """Name and all clips of a video, as the network takes them."""
  *_, height, width, channels = exp.source.inputs.shape
  video, config = decoding.open_video(path), exp.config.data
  colour = 'rgb' if channels == 3 else 'grey'
  frames = decoding.decode(video, (width, height), colour)
  number = clips.numbers(len(frames), config)
  if not len(number):
    raise errors.UserError(
      f'{path} has {len(frames)} frames, but a clip takes {clips.span(config)};'
      ' give a longer video'
    )
  return video.name, clips.Gathered(frames, number)


def _csv(frame, columns: dict[str, np.ndarray], limits) -> str:
  shown = {'frame': frame}
  for name, score in columns.items():
    shown |= {
      name: score,
      f'{name} flagged': (score > limits[name]).astype(int),
    }
  stream = io.StringIO()
  writer = csv.writer(stream, lineterminator='\n')
  writer.writerow(shown)
  writer.writerows(zip(*(column.tolist() for column in shown.values())))
  return stream.getvalue()
