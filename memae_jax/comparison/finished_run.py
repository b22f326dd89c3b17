"""Reader of finished runs: their replicas, with the scores of each."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from memae_jax.evaluation.metrics import class_means, intervals, video_intervals
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.results import results_file
from memae_jax.runtime import errors, foreign

_MOST_FRAMES = 2**26  # Most frames of a video: a month at 25 per second.


class Replica(NamedTuple):
  """One replica of `results.json` with its part of `scores.npz`.

  fields, metrics, reasons, memory: as in `results.json`.
  score: [T], higher is more anomalous.
  anomalous: [T] bool.
  sample: [T] index into the data.
  validation_score: [V] of held-out normals.
  frames: the scores of frames of videos; None for other samples.
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
    # NumPy does not close a file that it opened by its name and cannot read.
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
  """Reads the replicas; raises ValueError for damaged arrays.

  Args:
    results: the content of `results.json`.
    file: `scores.npz`, open.
  """
  if not results['replicas']:
    raise ValueError('there is no replica')
  with np.load(file) as arrays:
    size = sum(part.file_size for part in arrays.zip.infolist())
    if size > foreign.UNPACKED_LIMIT:
      raise ValueError(f'it unpacks to {size:,} bytes')
    return tuple(_replica(entry, arrays) for entry in results['replicas'])


def _replica(entry: Mapping[str, Any], arrays) -> Replica:
  score, anomalous, sample, held_out = (
    _vector(arrays, f'{entry["name"]}/{part}', kinds)
    for part, kinds in (
      ('score', 'f'),
      ('anomalous', 'b'),
      ('sample', 'iu'),
      ('validation_score', 'f'),
    )
  )
  if not len(score) == len(anomalous) == len(sample):
    raise ValueError(f'{entry["name"]} has arrays of different lengths')
  return Replica(
    entry['fields'],
    entry['metrics'],
    entry['reasons'],
    entry['memory'],
    score,
    anomalous,
    sample,
    held_out,
    _frames(entry, score, anomalous, sample),
  )


def _vector(arrays, name: str, kinds: str) -> np.ndarray:
  """Returns a vector of finite values; raises ValueError if it is none.

  Args:
    arrays: of `scores.npz`.
    name: of the array.
    kinds: letters of the NumPy kinds that it may have.
  """
  array = arrays[name]
  if array.ndim != 1 or array.dtype.kind not in kinds:
    raise ValueError(f'{name} is {array.dtype} of shape {array.shape}')
  if not np.isfinite(array).all():
    raise ValueError(f'{name} has values that are not finite')
  return array


def _frames(entry, score, anomalous, sample) -> frames_lib.FrameScores | None:
  """Returns the scores as those of frames, by the rows of videos.

  Test clips are stored video by video, which is checked by the AUROC of each
  video in the results.

  Args:
    entry: of the replica in `results.json`.
    score: [T].
    anomalous: [T] bool.
    sample: [T] index into the data.

  Returns:
    None for other samples than videos, and where an AUROC differs.
  """
  videos = entry.get('videos') or ()
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
    aurocs = [row['auroc'] for row in frames_lib.videos(frames)]
  except errors.UserError:
    return None
  return frames if aurocs == [v['auroc'] for v in videos] else None


def _scored(video: Mapping[str, Any]) -> np.ndarray:
  """Returns the frames of a video that have a score."""
  is_scored = np.ones(video['frames'], bool)
  for first, last in video['dropped']:
    is_scored[first : last + 1] = False
  return np.flatnonzero(is_scored)


def summary(
  replicas: Sequence[Replica], resamples: int = 200
) -> dict[str, dict[str, Any]]:
  """Summarises replicas as a report does: {metric: {mean, std, n, ci95, of}}.

  `of` says what the interval is over: 'runs', 'classes' of one seed, 'seeds'
  (of means over the classes) or, for a single run, the test 'samples' or
  'videos'. An undefined metric has a `reason`.

  Args:
    replicas: of one setting; they differ in seed and normal class.
    resamples: of the bootstrap, for a single run.
  """
  rows = [(r.fields, r.metrics) for r in replicas]
  units = [values for _, values in class_means.units(rows)]
  fields = [r.fields for r in replicas]
  kinds = len({f.get('normal_class') for f in fields})
  over = 'seeds' if class_means.averaged(fields) else 'classes'
  over = over if kinds > 1 else 'runs'
  summaries = intervals.summarise(units, 'seed' if over == 'seeds' else 'run')
  for name, metric in summaries.items():
    metric['of'] = over if metric['ci95'] else None
    if metric['mean'] is None:
      reasons = [r.reasons[name] for r in replicas if name in r.reasons]
      metric['reason'] = next(iter(reasons), 'it is undefined for a class')
  if len(replicas) == 1:
    for name, ends in bootstrap(replicas[0], resamples).items():
      if ends and name in summaries:
        of = 'videos' if replicas[0].frames else 'samples'
        summaries[name] |= {'ci95': ends, 'of': of}
  return summaries


def bootstrap(
  replica: Replica, resamples: int
) -> dict[str, list[float] | None]:
  """Returns bootstrap intervals of one run's metrics over its test set.

  Args:
    replica: of the run.
    resamples: how many.

  Returns:
    {metric: [low, high], None where undefined}; {} for data without both
    classes.
  """
  if replica.metrics.get('auroc') is None:
    return {}
  if replica.frames is None:
    if 'auroc_macro' in replica.metrics:  # Frames whose videos are not known.
      return {}
    return intervals.bootstrap(
      replica.score, replica.anomalous, resamples=resamples
    )
  by_metric = video_intervals.bootstrap(replica.frames, resamples)
  return {name: value['ci95'] for name, value in by_metric.items()}


def memory(replicas: Sequence[Replica]) -> dict[str, float | None] | None:
  """Averages the memory statistics of replicas; None without a memory.

  A statistic that some replica does not have is None.
  """
  memories = [r.memory for r in replicas if r.memory]
  if not memories:
    return None
  values = {key: [m.get(key) for m in memories] for key in memories[0]}
  return {
    key: None if None in of_key else float(np.mean(of_key))
    for key, of_key in values.items()
  }


def validation_error(replicas: Sequence[Replica]) -> float | None:
  """Averages the scores of the held-out normals over replicas.

  None if a replica has no held-out normals.
  """
  if any(not r.validation_score.size for r in replicas):
    return None
  return float(np.mean([r.validation_score.mean() for r in replicas]))


def peak_memory(results: Mapping[str, Any]) -> float | None:
  """Returns the most bytes of host memory that a process of the run held.

  Args:
    results: the content of `results.json`.

  Returns:
    The peak of the training, else that of the evaluation; None if unknown.
  """
  environment = results.get('environment') or {}
  for place in (environment.get('training') or {}, environment):
    peak = (place.get('peak_memory') or {}).get('host_bytes')
    peak = peak or place.get('peak_memory_bytes')
    if peak:
      return float(peak)
  return None
