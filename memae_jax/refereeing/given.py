"""Puts scores, labels and videos together that come from several files.

Videos of both files are paired by name. Where scores have frames, a video may
have more labels than scores: its other frames have no score, as at the ends of
a video that is cut into clips.
"""

from typing import Any, NamedTuple

import numpy as np

from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.refereeing import columns as columns_lib
from memae_jax.refereeing import lengths as lengths_lib
from memae_jax.refereeing.columns import Columns
from memae_jax.runtime import errors, foreign

MOST_VIDEOS = 5000  # Intervals compare each with each.


class Options(NamedTuple):
  """Flags of the command; '' where one is not given.

  scores, labels, normal: paths. video_lengths, normal_video_lengths: see
  `lengths.read`. frame_rate: frames per second; 0: not known. higher_is_normal:
  whether high scores are normal. output: folder. settings: fields of
  `config.eval` that differ from their defaults.
  """

  scores: str = ''
  labels: str = ''
  video_lengths: str = ''
  normal: str = ''
  normal_video_lengths: str = ''
  frame_rate: float = 0.0
  higher_is_normal: bool = False
  output: str = ''
  settings: dict[str, Any] = {}


class Given(NamedTuple):
  """Scores and labels of T samples; higher scores are more anomalous.

  score: [T] float64; None where only labels are given.
  anomalous: [T] bool.
  frames: the same as frames of videos, or None; without scores, all are 0.
  normal: [V] scores of validation normals; V = 0: none.
  normal_frames: the same as frames of videos, or None.
  remarks: lines on how files were read.
  """

  score: np.ndarray | None
  anomalous: np.ndarray
  frames: frames_lib.FrameScores | None
  normal: np.ndarray
  normal_frames: frames_lib.FrameScores | None
  remarks: tuple[str, ...] = ()


def read(options: Options) -> Given:
  """Reads all that the options name.

  Raises:
    UserError: a file is damaged, or files do not fit each other; names the
      file and the mend.
  """
  if not (options.scores or options.labels):
    raise errors.UserError(
      'give a file of scores, such as: python -m memae_jax.referee scores.npy'
      ' --labels=labels.npy --output=FOLDER'
    )
  scores = labels = None
  if options.scores:
    scores = columns_lib.read(options.scores, 'the file of scores', 'score')
  if options.labels:
    labels = columns_lib.read(options.labels, '--labels', 'label')
  both = _together(scores, labels)
  label_counts = _label_counts(scores, labels)
  if options.video_lengths:
    both = _cut(both, options.video_lengths, '--video-lengths')
  sign = -1.0 if options.higher_is_normal else 1.0
  score = None if both.score is None else sign * both.score
  frames = _frames(both, score, label_counts, options.frame_rate)
  normal, normal_frames, remarks = _normal(options, scores, sign)
  return Given(
    score,
    both.label,
    frames,
    normal,
    normal_frames,
    tuple(dict.fromkeys((*both.remarks, *remarks))),
  )


def _together(scores: Columns | None, labels: Columns | None) -> Columns:
  """Returns both sources as one, with labels."""
  if scores is None:
    return labels
  if labels is None:
    if scores.label is None:
      raise errors.UserError(
        f'{scores.path} has no labels; give them with --labels'
      )
    return scores
  if scores.label is not None:
    raise errors.UserError(
      f'{scores.path} has labels, and {labels.path} has, too; leave out'
      ' --labels, or give the scores alone'
    )
  remarks = (*scores.remarks, *labels.remarks)
  if scores.video is None or labels.video is None:
    return _by_order(scores, labels)._replace(remarks=remarks)
  return _by_video(scores, labels)._replace(remarks=remarks)


def _by_order(scores: Columns, labels: Columns) -> Columns:
  """Pairs samples by their order, as not both files have videos."""
  if scores.size != labels.size:
    raise errors.UserError(
      f'{scores.path} has {scores.size:,} scores, but {labels.path} has'
      f' {labels.size:,} labels; give one label for each score'
    )
  out = scores._replace(label=labels.label)
  for column in ('video', 'frame'):
    values = getattr(labels, column)
    if getattr(out, column) is None:
      out = out._replace(**{column: values})
    elif values is not None and not np.array_equal(
      getattr(out, column), values
    ):
      at = int(np.argmax(getattr(out, column) != values))
      raise errors.UserError(
        f'{scores.path} has {column} {getattr(out, column)[at]} at index {at},'
        f' but {labels.path} has {values[at]}; give both in one order'
      )
  return out


def _by_video(scores: Columns, labels: Columns) -> Columns:
  """Pairs samples by video, and by frame where scores have frames."""
  of_scores, of_labels = scores.videos(), labels.videos()
  for one, other, a, b in (
    (of_scores, of_labels, scores, labels),
    (of_labels, of_scores, labels, scores),
  ):
    alone = [name for name in one if name not in other]
    if alone:
      more = f' (and {len(alone) - 1} more)' if alone[1:] else ''
      raise errors.UserError(
        f'video "{alone[0]}"{more} of {a.path} is not in {b.path}; its videos'
        f' are {", ".join(list(other)[:4])}{", ..." if len(other) > 4 else ""}'
      )
  out = np.zeros(scores.size, bool)
  for name, places in of_scores.items():
    found = of_labels[name]
    if scores.frame is None:
      if len(found) != len(places):
        raise errors.UserError(
          f'video "{name}" has {len(places):,} scores in {scores.path}, but'
          f' {len(found):,} labels in {labels.path}; give one for each, or say'
          ' in a column "frame" which frames have a score'
        )
      at = np.arange(len(places))
      if labels.frame is not None:
        at = np.argsort(labels.frame[found], kind='stable')
    else:
      at = _places(name, scores.frame[places], labels, found)
    out[places] = labels.label[found][at]
  return scores._replace(label=out)


def _places(name: str, frame, labels: Columns, found) -> np.ndarray:
  """Returns where in a video's labels the labels of some frames are.

  Args:
    name: of the video.
    frame: [n] frames with a score.
    labels: of all videos.
    found: [m] places of the labels of the video.
  """
  known = np.arange(len(found))
  if labels.frame is not None:
    known = labels.frame[found]
  order = np.argsort(known, kind='stable')
  twice = np.flatnonzero(np.diff(known[order]) == 0)
  if twice.size:
    raise errors.UserError(
      f'{labels.path}: frame {known[order][twice[0]]} of video "{name}" has'
      ' several labels; give one'
    )
  at = np.minimum(np.searchsorted(known[order], frame), len(known) - 1)
  missing = np.flatnonzero(known[order][at] != frame)
  if missing.size:
    raise errors.UserError(
      f'frame {frame[missing[0]]} (from 0) of video "{name}" has a score, but'
      f' no label in {labels.path}'
    )
  return order[at]


def _label_counts(
  scores: Columns | None, labels: Columns | None
) -> dict[str, int]:
  """Returns the frames of each video that has labels for more than scores."""
  if scores is None or labels is None:
    return {}
  if scores.video is None or labels.video is None:
    return {}
  if labels.frame is not None:
    return {
      n: int(labels.frame[p].max()) + 1 for n, p in labels.videos().items()
    }
  return {name: len(places) for name, places in labels.videos().items()}


def _cut(both: Columns, text: str, flag: str) -> Columns:
  """Cuts one row of samples into videos of given lengths."""
  if both.video is not None or both.frame is not None:
    raise errors.UserError(
      f'{both.path} says which video or frame a sample is, so leave out {flag}'
    )
  by_name = lengths_lib.read(text, flag)
  total = sum(by_name.values())
  if total != both.size:
    raise errors.UserError(
      f'{flag} has {len(by_name):,} videos of {total:,} frames together, but'
      f' {both.path} has {both.size:,}'
    )
  return both._replace(
    video=np.repeat(np.array(list(by_name)), list(by_name.values()))
  )


def _frames(
  both: Columns, score, label_counts: dict[str, int], rate: float
) -> frames_lib.FrameScores | None:
  """Returns samples as frames of videos; None where they are no videos.

  Args:
    both: with videos or frames, or not.
    score: [T], or None: all are 0.
    label_counts: frames of some videos.
    rate: frames per second; 0: not known.
  """
  if both.video is None and both.frame is None:
    if rate:
      raise errors.UserError(
        f'--frame-rate={rate:g} is for videos, but {both.path} does not say'
        ' which video a sample is; give --video-lengths'
      )
    return None
  if both.video is None:
    both = both._replace(video=np.full(both.size, '1'))
  by_video = both.videos()
  if len(by_video) > MOST_VIDEOS:
    raise errors.UserError(
      f'{both.path} has {len(by_video):,} videos, more than {MOST_VIDEOS:,};'
      ' video is the name of a video, and not of a frame'
    )
  video, frame = np.zeros((2, both.size), np.int64)
  lengths = []
  for i, (name, places) in enumerate(by_video.items()):
    video[places] = i
    frame[places] = np.arange(len(places))
    if both.frame is not None:
      frame[places] = both.frame[places]
    last = int(frame[places].max()) + 1
    lengths.append(max(last, label_counts.get(name, 0)))
  out = frames_lib.FrameScores(
    score=np.zeros(both.size) if score is None else score,
    anomalous=np.zeros(both.size, bool) if both.label is None else both.label,
    video=video,
    frame=frame,
    names=list(by_video),
    lengths=lengths,
    rates=[rate] * len(by_video) if rate else (),
  )
  try:
    frames_lib.checked(out)
  except errors.UserError as error:
    raise errors.UserError(f'{both.path}: {error}') from error
  return out


def _normal(options: Options, scores: Columns | None, sign: float):
  """Returns scores of validation normals, the same as frames, and remarks."""
  if not options.normal:
    if options.normal_video_lengths:
      raise errors.UserError(
        '--normal-video-lengths is for the videos of --normal; give both'
      )
    return np.zeros(0), None, ()
  if scores is None:
    raise errors.UserError(
      f'--normal={foreign.name_of(options.normal)} has scores of validation'
      ' normals, but there are no scores to be judged; give them, too'
    )
  normal = columns_lib.read(options.normal, '--normal', 'score')
  if normal.label is not None:
    if normal.label.any():
      at = int(np.argmax(normal.label))
      raise errors.UserError(
        f'{normal.path}: the sample at index {at} is labelled anomalous;'
        ' --normal takes scores of validation normals'
      )
    normal = normal._replace(label=None)
  if options.normal_video_lengths:
    normal = _cut(
      normal, options.normal_video_lengths, '--normal-video-lengths'
    )
  frames = None
  if normal.video is not None or normal.frame is not None:
    frames = _frames(normal, sign * normal.score, {}, options.frame_rate)
  return sign * normal.score, frames, normal.remarks
