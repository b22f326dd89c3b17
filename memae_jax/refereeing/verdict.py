"""Verdict on scores: every metric beside that of null predictors."""

import hashlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax import config as config_lib
from memae_jax.evaluation.metrics import detection, events, video_intervals
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.report import wording
from memae_jax.evaluation.results import measure
from memae_jax.evaluation.scoring import scores as scores_lib
from memae_jax.refereeing import given as given_lib
from memae_jax.refereeing import nulls
from memae_jax.runtime import environment, errors, foreign, strict_json

KIND = 'referee'  # Of `results.json`, so that nobody takes it for a run's.
OURS = 'These scores'
_MOST_PAIRS = 50_000_000  # Of events and alarms: gigabytes.
LOW = 0.4  # AUROC below which scores are probably turned round.
SETTINGS = (
  'flag_ratio',
  'normal_quantile',
  'false_alarm',
  'fdr',
  'alarms_per_hour',
  'alarm_gap',
  'bootstrap',
)
# Reasons that name the field of a run, and as people mend them here.
_NO_NORMALS = detection.NO_NORMALS, events.NO_THRESHOLD
_MENDS = {
  **dict.fromkeys(
    _NO_NORMALS,
    'there are no scores of validation normals to set a threshold; give'
    ' --normal',
  ),
  events.NO_RATE: 'the frames per second are not known; give --frame-rate',
}
_NO_VIDEOS = (
  'the validation normals are no videos, whose frames would have a position;'
  ' give --normal-video-lengths'
)


def judge(
  given: given_lib.Given, options: given_lib.Options
) -> tuple[dict[str, Any], list[scores_lib.ReplicaScores]]:
  """Measures scores and null predictors on the same samples.

  Args:
    given: scores and labels; without scores null predictors stand alone.
    options: of the command.

  Returns:
    The content of `results.json`, and all scores, the headline first.
  """
  config = config_lib.default().eval
  for name, value in options.settings.items():
    config[name] = value
  rivals = nulls.predictors(given)
  judged = []
  if given.score is not None:
    judged = [nulls.replica(given, OURS, given.score, given.normal)]
  else:
    judged = [r for r in rivals if r.fields['variant'] == 'random']
    rivals = rivals[len(judged) :]
  _check_events([*judged, *rivals], config.normal_quantile)
  measured = measure.measure(judged, rivals, {}, config)
  _mend(measured, given)
  results = strict_json.plain(
    {
      'kind': KIND,
      'config': {'eval': {name: config[name] for name in SETTINGS}},
      'inputs': inputs(options),
      'dataset': _dataset(given),
      'score': {
        'direction': 'higher is more anomalous',
        'turned_round': options.higher_is_normal,
        'given': given.score is not None,
      },
      'paper': None,
      **measured,
      'baseline_notes': nulls.NOTES,
      'less_position': _less_position(given, judged, rivals, config.bootstrap),
      'remarks': list(given.remarks),
      'environment': environment.versions(),
    }
  )
  results['warnings'] = list(_warnings(results, options.higher_is_normal))
  return results, [*judged, *rivals]


def _check_events(
  scored: Sequence[scores_lib.ReplicaScores], quantile: float
) -> None:
  """Refuses labels that flicker so much that events cannot be compared.

  Args:
    scored: by all.
    quantile: of validation normals, above which a frame is flagged.

  Raises:
    UserError: there are too many events and alarms.
  """
  for replica in scored:
    frames, limit = replica.frames, replica.threshold(quantile)
    if frames is None or limit is None:
      continue
    frames = frames_lib.checked(frames)
    real, alarms = (
      len(events.spans(flagged, frames.video, frames.frame))
      for flagged in (frames.anomalous, frames.score > limit)
    )
    if real * alarms > _MOST_PAIRS:
      raise errors.UserError(
        f'there are {real:,} events (runs of anomalous frames) and {alarms:,}'
        f' alarms of {wording.label(replica.fields["variant"])}, too many to'
        ' compare each with each; are the frames of a video in their order? If'
        ' samples are no frames, leave out videos and frames'
      )


def inputs(options: given_lib.Options) -> dict[str, str | None]:
  """Returns the absolute paths of scores and labels, which a verdict is of."""
  absolute = lambda name: (
    foreign.name_of(pathlib.Path(name).expanduser().absolute())
    if name
    else None
  )
  return {
    'scores': absolute(options.scores),
    'labels': absolute(options.labels),
    'normal': absolute(options.normal),
  }


def _dataset(given: given_lib.Given) -> dict[str, Any]:
  """Returns counts and checksums of the samples."""
  digest = lambda values: (
    None
    if values is None
    else hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
  )
  count, positives = given.anomalous.size, int(given.anomalous.sum())
  return {
    'samples': count,
    'anomalous': positives,
    'normal': count - positives,
    'base_rate': positives / count,
    'validation_normals': len(given.normal),
    'label_sha256': digest(given.anomalous),
    'score_sha256': digest(given.score),
  }


def _mend(measured: dict[str, Any], given: given_lib.Given) -> None:
  """Says in all reasons what to do about them with this command."""
  for replica in measured['replicas']:
    replica['reasons'] = _mended(replica['reasons'], _MENDS)
  ours = measured['replicas'][0]['reasons']
  for name, reasons in measured['baseline_reasons'].items():
    mends = _MENDS
    if name == 'frame_position' and len(given.normal):
      mends = _MENDS | dict.fromkeys(_NO_NORMALS, _NO_VIDEOS)
    mended = _mended(reasons, mends)
    if not len(given.normal):  # Flagging all has one of its own, made up.
      mended |= {m: ours[m] for m in mended.keys() & ours.keys()}
    measured['baseline_reasons'][name] = mended


def _mended(
  reasons: Mapping[str, str], mends: Mapping[str, str]
) -> dict[str, str]:
  return {metric: mends.get(why, why) for metric, why in reasons.items()}


def _less_position(
  given: given_lib.Given, judged, rivals, resamples: int
) -> dict[str, Any] | None:
  """Returns AUROCs of these scores less those of the position of a frame.

  Args:
    given: None is returned unless there are scores of videos.
    judged, rivals: the scores.
    resamples: of whole videos, the same ones for both; 0: no intervals.

  Returns:
    {convention: {'ci95': [low, high] or None}}.
  """
  if given.score is None or given.frames is None or not resamples:
    return None
  (position,) = (
    r.frames for r in rivals if r.fields['variant'] == 'frame_position'
  )
  ours = video_intervals.resampled(judged[0].frames, resamples)
  theirs = video_intervals.resampled(position, resamples)
  out = {}
  for name in video_intervals.METRICS:
    gaps = ours[name] - theirs[name]
    gaps = gaps[np.isfinite(gaps)]
    several = len(given.frames.names) > 1 and len(gaps)
    ends = np.quantile(gaps, (0.025, 0.975)).tolist() if several else None
    out[name] = {'ci95': ends}
  return out


def _value(summaries: Mapping[str, Any], metric: str) -> float | None:
  return (summaries.get(metric) or {}).get('mean')


def _warnings(results: Mapping[str, Any], turned: bool) -> Iterator[str]:
  """Says what makes the numbers doubtful."""
  single = _single(results['replicas'][0]['reasons'])
  if single:
    yield f'{single[0].upper()}{single[1:]}: AUROC and the like are undefined.'
  if not results['score']['given']:
    return
  ours = results['methods'][OURS]
  auroc = _value(ours, 'auroc')
  if auroc is not None and auroc < LOW:
    mend = 'are higher scores more normal? --higher-is-normal turns them round'
    if turned:
      mend = (
        'are higher scores more anomalous, after all? Leave out'
        ' --higher-is-normal'
      )
    yield f'AUROC is {wording.number(auroc)}, far below a half; {mend}.'
  for metric in ('auroc', 'auroc_normalised', 'auroc_macro'):
    value = _value(ours, metric)
    for name, summaries in results['baselines'].items():
      null = _value(summaries, metric)
      if None in (value, null) or value > null or name == 'all_positive':
        continue
      yield (
        f'{wording.title(metric)}: {wording.label(name)}, which sees no sample,'
        f' has {wording.number(null)}, these scores {wording.number(value)}.'
      )
  span = _value(ours, 'f1_at_ratio_tie_span') or 0.0
  if span > 0.01:
    yield (
      'Many samples have the same score: their order alone could move F1 at the'
      f' ratio by up to {span:.2f}.'
    )
  constant = (results['videos'] or {}).get('constant_videos', ())
  if constant:
    yield (
      f'All scores are equal in {_listed(constant)}: normalising these videos'
      ' is not defined, and takes all their frames for normal.'
    )


def _single(reasons: Mapping[str, str]) -> str | None:
  """Returns why there are not both classes, or None."""
  why = reasons.get('auroc', '')
  return why if 'every one of' in why else None


def _listed(names: Sequence[str], most: int = 5) -> str:
  """Names some videos, and how many more there are."""
  more = len(names) - most
  shown = ', '.join(f'"{name}"' for name in names[:most])
  return shown + (f' and {more} more' if more > 0 else '')


def undefined(results: Mapping[str, Any]) -> list[str]:
  """Says what is undefined, and why: one line for each reason."""
  titles: dict[str, list[str]] = {}
  for metric, why in results['replicas'][0]['reasons'].items():
    titles.setdefault(why, []).append(wording.title(metric))
  out = [
    f'{", ".join(names)}: {why}.' for why, names in titles.items() if names
  ]
  videos = results['videos'] or {}
  by_reason: dict[str, list[str]] = {}
  for name, why in videos.get('undefined_videos', {}).items():
    by_reason.setdefault(why, []).append(name)
  out += [
    f'AUROC of {len(names):,} of {videos["videos"]:,} videos, which'
    f' {wording.title("auroc_macro")} leaves out: {why} ({_listed(names)}).'
    for why, names in by_reason.items()
  ]
  for name, reasons in results['baseline_reasons'].items():
    further: dict[str, list[str]] = {}
    for metric, why in reasons.items():
      if why not in titles:
        further.setdefault(why, []).append(wording.title(metric))
    out += [
      f'{wording.label(name)}: {", ".join(metrics)}: {why}.'
      for why, metrics in further.items()
    ]
  return out
