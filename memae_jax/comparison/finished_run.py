"""A finished run read back: its replicas, and what each scored."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from memae_jax.evaluation.metrics import class_means, intervals, video_intervals
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.results import results_file
from memae_jax.runtime import errors, foreign

_MOST_FRAMES = 2**26  # Of a video: a month at 25 a second.


class Replica(NamedTuple):
  """One replica of `results.json` with its part of `scores.npz`.

  score: [T] higher is more anomalous. anomalous: [T] bool. sample: [T] index
  into the data. validation_score: [V] of held-out normals. frames: the scores
  as those of frames, for videos.
  """

  fields: Mapping[str, Any]
  metrics: Mapping[str, float | None]
  reasons: Mapping[str, str]
  memory: Mapping[str, float] | None
  score: np.ndarray
  anomalous: np.ndarray
  sample: np.ndarray
  validation_score: np.ndarray
  frames: frames_lib.FrameScores | None


class Run(NamedTuple):
  """A run with its results, and its replicas in their order."""

  folder: pathlib.Path
  results: Mapping[str, Any]
  replicas: tuple[Replica, ...]


def read(folder: pathlib.Path) -> Run:
  """Reads a run.

  Raises:
    UserError: the folder holds no finished run, or a damaged one.
  """
  path = folder / results_file.NAME
  try:
    results = results_file.read(path)
    step = results['checkpoint']['step']
    path = folder / 'eval' / str(step) / 'scores.npz'
    if not path.is_file():
      raise FileNotFoundError(2, 'No such file', str(path))
    kind = 'file of scores'
    # NumPy leaves a file that it opened and cannot read open.
    with (
      foreign.reading(path, kind, results_file.MEND),
      path.open('rb') as file,
    ):
      replicas = _replicas(results, file)
  except FileNotFoundError as error:
    raise errors.UserError(
      f'{foreign.name_of(folder)} is no finished run: it has no'
      f' {path.relative_to(folder)}; train it to its end, or evaluate it with'
      ' --mode=eval'
    ) from error
  return Run(folder, results, replicas)


def _replicas(results: Mapping[str, Any], file) -> tuple[Replica, ...]:
  if not results['replicas']:
    raise ValueError('there is no replica')
  with np.load(file) as arrays:
    size = sum(part.file_size for part in arrays.zip.infolist())
    if size > foreign.UNPACKED_LIMIT:
      raise ValueError(f'it unpacks to {size:,} bytes')
    return tuple(_replica(found, arrays) for found in results['replicas'])


def _replica(found: Mapping[str, Any], arrays) -> Replica:
  score, anomalous, sample, held_out = (
    _vector(arrays, f'{found["name"]}/{part}', kinds)
    for part, kinds in (
      ('score', 'f'),
      ('anomalous', 'b'),
      ('sample', 'iu'),
      ('validation_score', 'f'),
    )
  )
  if not len(score) == len(anomalous) == len(sample):
    raise ValueError(f'{found["name"]} has arrays of unlike lengths')
  return Replica(
    found['fields'],
    found['metrics'],
    found['reasons'],
    found['memory'],
    score,
    anomalous,
    sample,
    held_out,
    _frames(found, score, anomalous, sample),
  )


def _vector(arrays, name: str, kinds: str) -> np.ndarray:
  """A vector of finite values of a kind, of NumPy's letters."""
  array = arrays[name]
  if array.ndim != 1 or array.dtype.kind not in kinds:
    raise ValueError(f'{name} is {array.dtype} of shape {array.shape}')
  if not np.isfinite(array).all():
    raise ValueError(f'{name} has values that are not finite')
  return array


def _frames(found, score, anomalous, sample) -> frames_lib.FrameScores | None:
  """Which video and frame each score belongs to, from the rows of videos.

  Test clips are stored video by video; that is checked against the metrics
  that were stored, and None if it does not hold.
  """
  videos = found.get('videos') or ()
  if sum(v['scored'] for v in videos) != len(score) or not videos:
    return None
  if max(v['frames'] for v in videos) > _MOST_FRAMES:
    raise ValueError('a video has more frames than there can be')
  order = np.argsort(sample, kind='stable')
  video = np.repeat(np.arange(len(videos)), [v['scored'] for v in videos])
  frame = np.concatenate([_scored(v) for v in videos])
  frames = frames_lib.FrameScores(
    score=score[order],
    anomalous=anomalous[order],
    video=video,
    frame=frame,
    names=[v['name'] for v in videos],
    lengths=[v['frames'] for v in videos],
  )
  try:
    again = [row['auroc'] for row in frames_lib.videos(frames)]
  except errors.UserError:
    return None
  return frames if again == [v['auroc'] for v in videos] else None


def _scored(video: Mapping[str, Any]) -> np.ndarray:
  """The frames of a video that have a score."""
  left = np.ones(video['frames'], bool)
  for first, last in video['dropped']:
    left[first : last + 1] = False
  return np.flatnonzero(left)


def summary(
  replicas: Sequence[Replica], resamples: int = 200
) -> dict[str, dict[str, Any]]:
  """Summarises replicas as a report does: {metric: {mean, std, n, ci95, of}}.

  `of` says what the interval is over: 'runs', 'classes' of one seed, 'seeds'
  (of means over the classes), or, where there is one run, the test 'samples'
  or 'videos'. An undefined metric has a reason.

  Args:
    replicas: of one setting; they differ in seed and normal class.
    resamples: of the bootstrap, where there is one run.
  """
  rows = [(r.fields, r.metrics) for r in replicas]
  units = [values for _, values in class_means.units(rows)]
  fields = [r.fields for r in replicas]
  kinds = len({f.get('normal_class') for f in fields})
  over = 'seeds' if class_means.averaged(fields) else 'classes'
  over = over if kinds > 1 else 'runs'
  found = intervals.summarise(units, 'seed' if over == 'seeds' else 'run')
  for name, one in found.items():
    one['of'] = over if one['ci95'] else None
    if one['mean'] is None:
      reasons = [r.reasons[name] for r in replicas if name in r.reasons]
      one['reason'] = next(iter(reasons), 'it is undefined for a class')
  if len(replicas) == 1:
    for name, ends in alone(replicas[0], resamples).items():
      if ends and name in found:
        of = 'videos' if replicas[0].frames else 'samples'
        found[name] |= {'ci95': ends, 'of': of}
  return found


def alone(replica: Replica, resamples: int) -> dict[str, list[float] | None]:
  """Bootstrap intervals of one run's metrics over its test set."""
  if replica.metrics.get('auroc') is None:
    return {}
  if replica.frames is None:
    if 'auroc_macro' in replica.metrics:  # Frames that nothing tells apart.
      return {}
    return intervals.bootstrap(
      replica.score, replica.anomalous, resamples=resamples
    )
  found = video_intervals.bootstrap(replica.frames, resamples)
  return {name: value['ci95'] for name, value in found.items()}


def memory(replicas: Sequence[Replica]) -> dict[str, float | None] | None:
  """Means of the memory's statistics; None without a memory.

  One that a replica does not have is None.
  """
  found = [r.memory for r in replicas if r.memory]
  if not found:
    return None
  values = {key: [m.get(key) for m in found] for key in found[0]}
  return {
    key: None if None in of_key else float(np.mean(of_key))
    for key, of_key in values.items()
  }


def validation_error(replicas: Sequence[Replica]) -> float | None:
  """Mean score of the held-out normals, over the replicas."""
  if any(not r.validation_score.size for r in replicas):
    return None
  return float(np.mean([r.validation_score.mean() for r in replicas]))


def peak_memory(results: Mapping[str, Any]) -> float | None:
  """Most bytes of host memory that the training process held, if known.

  Of the training, where the results say so, else of the evaluation.
  """
  environment = results.get('environment') or {}
  for place in (environment.get('training') or {}, environment):
    peak = (place.get('peak_memory') or {}).get('host_bytes')
    peak = peak or place.get('peak_memory_bytes')
    if peak:
      return float(peak)
  return None
