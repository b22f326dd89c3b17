"""Registry of metrics: title and meaning of each, and where it is shown.

Everything that shows, compares or asks for a metric reads it here. Most are
computed in `detection`, `frames`, `pixels`, `pixel_criteria`, `regions` and
`results.measure`, several in one pass; a metric that is registered with a
function needs no other place.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from memae_jax.runtime import catalogue, errors


@dataclasses.dataclass(frozen=True)
class Metric:
  """A number that says how good a detector is.

  Attributes:
    name: its name in results and studies.
    title: its name in reports.
    meaning: an explanation for a reader.
    compute: (`scores.ReplicaScores`, `config.eval`) -> the value, None where
      it is undefined; None: it is computed together with others.
    needs_labels: whether `compute` reads which samples are anomalous.
    lower_is_better: whether lower values are better.
    least, most: its least and greatest possible values.
    headline: whether it stands in the report's first table.
    first_look: whether it stands in the terminal's table.
    of_pixels: whether it joins the first table where there are masks.
    of_events: whether the table of events of videos shows it.
    of_places: whether the table of places in frames of videos shows it.
    of_area: whether the table of defects by their area shows it.
    of_class: whether tables of classes show it.
    over_steps: whether curves over training show it.
    only_some: whether only some kinds of samples have it.
  """

  name: str
  title: str
  meaning: str
  compute: Callable[[Any, Any], float | None] | None = None
  needs_labels: bool = True
  lower_is_better: bool = False
  least: float = 0.0
  most: float = 1.0
  headline: bool = False
  first_look: bool = False
  of_pixels: bool = False
  of_events: bool = False
  of_places: bool = False
  of_area: bool = False
  of_class: bool = False
  over_steps: bool = False
  only_some: bool = False


def _check(metric: Metric) -> None:
  """Raises UserError for a metric without title or meaning."""
  if not (metric.title and metric.meaning):
    raise errors.UserError(
      f'metric "{metric.name}" needs a title and a meaning, for reports'
    )


_METRICS = catalogue.Catalogue[Metric]('metric', _check)
register, names, find = _METRICS.register, _METRICS.names, _METRICS.find

register(
  Metric(
    'auroc',
    'AUROC',
    'chance that an anomalous sample scores above a normal one; 0.5 is '
    'guessing',
    headline=True,
    first_look=True,
    of_class=True,
    over_steps=True,
  ),
  Metric(
    'auroc_normalised',
    'AUROC, normalised',
    'AUROC of frames whose scores were scaled to [0, 1] in each video, as most '
    'papers do; uses the whole video, and takes for granted that it has an '
    'anomaly',
    headline=True,
    first_look=True,
    over_steps=True,
    only_some=True,
  ),
  Metric(
    'auroc_macro',
    'AUROC, mean of videos',
    'mean of the AUROC of each video, over those with normal and anomalous '
    'frames; the others are left out, and named below',
    headline=True,
    first_look=True,
    only_some=True,
  ),
  Metric(
    'auroc_contrast',
    'AUROC beyond contrast',
    'AUROC of the error that the contrast of an image does not explain, by a'
    ' line fitted on validation normals; a second score, beside the headline',
    headline=True,
    first_look=True,
    of_class=True,
    only_some=True,
  ),
  Metric(
    'average_precision',
    'Average precision',
    'area under the curve of precision over recall; the base rate is guessing',
    headline=True,
    first_look=True,
    of_class=True,
    over_steps=True,
  ),
  Metric(
    'average_precision_normalised',
    'Average precision, normalised',
    'average precision of the scores scaled to [0, 1] in each video',
  ),
  Metric(
    'average_precision_normal',
    'Average precision of normals',
    'the same with the normal samples as the class to be found',
  ),
  Metric(
    'precision_at_ratio',
    'Precision at the ratio',
    'share of the flagged that is anomalous, when the top samples are '
    'flagged; uses the known test ratio',
  ),
  Metric(
    'recall_at_ratio',
    'Recall at the ratio',
    'share of the anomalies that is flagged; uses the known test ratio',
  ),
  Metric(
    'f1_at_ratio',
    'F1 at the ratio',
    'harmonic mean of that precision and recall; uses the known test ratio. '
    'Samples that tie at the cut are taken in their order',
    headline=True,
    first_look=True,
    over_steps=True,
  ),
  Metric(
    'f1_at_ratio_tie_span',
    'Tie span of F1 at the ratio',
    'how far another order of the tied samples could move it',
  ),
  Metric(
    'eer',
    'Equal error rate',
    'share of normals that is flagged, at the threshold where the same share '
    'of anomalies is missed; lower is better',
    headline=True,
    lower_is_better=True,
  ),
  Metric(
    'eer_normalised',
    'Equal error rate, normalised',
    'equal error rate of the scores scaled to [0, 1] in each video; lower is '
    'better',
    lower_is_better=True,
  ),
  Metric(
    'precision_at_normal_quantile',
    'Precision at the quantile',
    'share of the flagged that is anomalous, when samples above a quantile '
    'of the validation normals are flagged; uses no test label',
  ),
  Metric(
    'recall_at_normal_quantile',
    'Recall at the quantile',
    'share of the anomalies that is flagged in this way',
  ),
  Metric(
    'f1_at_normal_quantile',
    'F1 at the quantile',
    'harmonic mean of that precision and recall; uses no test label',
    headline=True,
  ),
  Metric(
    'false_positive_rate_at_normal_quantile',
    'False alarms at the quantile',
    'share of the test normals that is flagged in this way; one minus the '
    'quantile is expected; lower is better',
    lower_is_better=True,
  ),
  Metric(
    'f1_best_oracle',
    'Best F1 (oracle)',
    'F1 with the threshold chosen on the test labels: a bound, not a result',
  ),
  Metric(
    'f1_all_positive',
    'F1 of flagging all',
    'F1 if every sample were flagged, for perspective: it needs no model',
  ),
  Metric(
    'base_rate',
    'Base rate',
    'share of the test samples that is anomalous',
  ),
  Metric(
    'pixel_auroc',
    'Pixel AUROC',
    'chance that an anomalous pixel has a larger error than a normal one, '
    'over all pixels of the test samples with a known mask',
    first_look=True,
    of_pixels=True,
    of_places=True,
  ),
  Metric(
    'pixel_average_precision',
    'Pixel average precision',
    'the same for pixels; the base rate of pixels is guessing',
    of_pixels=True,
    of_places=True,
  ),
  Metric(
    'aupro',
    'AUPRO',
    'share of an anomalous region that is found, mean over the regions, and'
    ' over shares of flagged normal pixels up to 30%; 0.15 is guessing',
    first_look=True,
    of_pixels=True,
    of_places=True,
  ),
  Metric(
    'rbdc',
    'RBDC',
    'region-based detection criterion: share of the anomalous regions that '
    'a flagged region overlaps, over up to one false region per frame',
    of_pixels=True,
    of_places=True,
  ),
  Metric(
    'tbdc',
    'TBDC',
    'track-based detection criterion: the same for anomalies over time',
    of_places=True,
  ),
  Metric(
    'auroc_pixel_criterion',
    'AUROC, pixel criterion',
    'AUROC of frames where an anomalous one counts as found only if at least'
    ' 40% of its anomalous pixels are flagged, and a normal one as a false'
    ' alarm if any pixel is',
    of_places=True,
    only_some=True,
  ),
  Metric(
    'eer_pixel_criterion',
    'Equal error rate, pixel criterion',
    'equal error rate of the same; 1 minus it is called the rate of detection;'
    ' lower is better',
    lower_is_better=True,
    of_places=True,
    only_some=True,
  ),
  Metric(
    'auroc_dual_pixel',
    'AUROC, dual pixel criterion',
    'the same where at least 10% of the flagged pixels of the frame must be'
    ' anomalous, too, so that flagging all of it finds nothing',
    of_places=True,
    only_some=True,
  ),
  Metric(
    'pixel_base_rate',
    'Base rate of pixels',
    'share of the pixels of those samples that is anomalous',
  ),
  Metric(
    'variance_explained',
    'Variance explained',
    'share of the spread of validation normals that their reconstructions '
    'give back: 0 is no better than the mean training sample',
    least=-math.inf,
    first_look=True,
  ),
  Metric(
    'pseudo_auroc',
    'Pseudo-AUROC',
    'chance that a changed validation normal scores above an unchanged one,'
    ' mean over fixed kinds of change; uses no test data, and chooses '
    'settings',
    first_look=True,
  ),
)
_OF_AREA = (
  Metric(
    'defect_threshold',
    'Threshold by area',
    'least value above which no region of the maps of validation normals has'
    ' the area of a defect (eval.defect_area)',
    least=-math.inf,
    most=math.inf,
  ),
  Metric(
    'accuracy_good',
    'Accuracy, good',
    'share of the normal test pictures without a region of that area above it',
  ),
  Metric(
    'accuracy_anomalous',
    'Accuracy, anomalous',
    'share of the anomalous test pictures with such a region',
  ),
  Metric('accuracy_mean', 'Accuracy, mean', 'mean of these two'),
  Metric(
    'region_overlap',
    'Region overlap',
    'share of an anomalous region above that threshold, mean over the regions;'
    ' what is flagged elsewhere costs nothing',
  ),
)
_AREAS = {'': '', '_quarter': ', area / 4', '_fourfold': ', area x 4'}
register(
  *(
    dataclasses.replace(
      m, name=m.name + end, title=m.title + of, of_area=not end, only_some=True
    )
    for end, of in _AREAS.items()
    for m in _OF_AREA
  )
)
_EVENTS = {'of_events': True, 'only_some': True}
_UNBOUNDED = {'lower_is_better': True, 'most': math.inf, **_EVENTS}
register(
  Metric(
    'event_f1',
    'Event F1',
    'harmonic mean of precision and recall of alarms for events, runs of'
    ' anomalous frames; mean over overlaps of 10 to 50% of the union; alarms by'
    ' the quantile of the validation normals',
    headline=True,
    **_EVENTS,
  ),
  *(
    Metric(
      f'event_f1_{percent}',
      f'Event F1 at {percent}%',
      f'the same for overlaps of at least {percent}%',
      **(_EVENTS if percent in (10, 50) else {'only_some': True}),
    )
    for percent in (10, 20, 30, 40, 50)
  ),
  Metric(
    'event_f1_all_positive',
    'Event F1 of flagging all',
    'event F1 if every frame were flagged, for perspective: it needs no model',
    **_EVENTS,
  ),
  Metric(
    'event_recall',
    'Events found',
    'share of the events within which any frame is flagged',
    **_EVENTS,
  ),
  Metric(
    'detection_delay',
    'Delay in frames',
    'frames from the start of an event that is found to its first flagged'
    ' frame; lower is better',
    **_UNBOUNDED,
  ),
  Metric(
    'detection_delay_seconds',
    'Delay in seconds',
    'the same in seconds; lower is better',
    **_UNBOUNDED,
  ),
  Metric(
    'false_alarms',
    'False alarms per 1,000 frames',
    'alarms, runs of flagged frames, that touch no event; lower is better',
    **_UNBOUNDED,
  ),
  Metric(
    'false_alarms_per_hour',
    'False alarms per hour',
    'the same per hour of video; lower is better',
    **_UNBOUNDED,
  ),
  Metric(
    'latency_aware_ap',
    'Latency-aware AP',
    'average precision of frames whose recall counts of each event the share'
    ' that is still to come when it is first flagged',
    **_EVENTS,
  ),
)
