"""Metrics of events: runs of anomalous frames in videos."""

import math

from memae_jax.evaluation.metrics import registry

_EVENTS = {'of_events': True, 'only_some': True}
_UNBOUNDED = {'lower_is_better': True, 'most': math.inf, **_EVENTS}
registry.register(
  registry.Metric(
    'event_f1',
    'Event F1',
    'harmonic mean of precision and recall of alarms for events, runs of'
    ' anomalous frames; mean over overlaps of 10 to 50% of the union; alarms by'
    ' the quantile of the validation normals',
    headline=True,
    **_EVENTS,
  ),
  *(
    registry.Metric(
      f'event_f1_{percent}',
      f'Event F1 at {percent}%',
      f'the same for overlaps of at least {percent}%',
      **(_EVENTS if percent in (10, 50) else {'only_some': True}),
    )
    for percent in (10, 20, 30, 40, 50)
  ),
  registry.Metric(
    'event_f1_all_positive',
    'Event F1 of flagging all',
    'event F1 if every frame were flagged, for perspective: it needs no model',
    **_EVENTS,
  ),
  registry.Metric(
    'event_recall',
    'Events found',
    'share of the events within which any frame is flagged',
    **_EVENTS,
  ),
  registry.Metric(
    'detection_delay',
    'Delay in frames',
    'frames from the start of an event that is found to its first flagged'
    ' frame; lower is better',
    **_UNBOUNDED,
  ),
  registry.Metric(
    'detection_delay_seconds',
    'Delay in seconds',
    'the same in seconds; lower is better',
    **_UNBOUNDED,
  ),
  registry.Metric(
    'false_alarms',
    'False alarms per 1,000 frames',
    'alarms, runs of flagged frames, that touch no event; lower is better',
    **_UNBOUNDED,
  ),
  registry.Metric(
    'false_alarms_per_hour',
    'False alarms per hour',
    'the same per hour of video; lower is better',
    **_UNBOUNDED,
  ),
  registry.Metric(
    'event_recall_at_hourly_rate',
    'Events found at the rate per hour',
    'share of the events within which an alarm is raised, where normal videos'
    ' of the validation set the threshold to eval.alarms_per_hour',
    **_EVENTS,
  ),
  registry.Metric(
    'false_alarms_at_hourly_rate',
    'False alarms per hour at that rate',
    'alarms in this way that touch no event, per hour of test video; frames'
    ' come in clusters, so that nothing is promised; lower is better',
    **_UNBOUNDED,
  ),
  registry.Metric(
    'latency_aware_ap',
    'Latency-aware AP',
    'average precision of frames whose recall counts of each event the share'
    ' that is still to come when it is first flagged',
    **_EVENTS,
  ),
)
