"""Metrics of places: pixels, regions of frames, and defects by their area."""

import dataclasses
import math

from memae_jax.evaluation.metrics import registry

registry.register(
  registry.Metric(
    'pixel_auroc',
    'Pixel AUROC',
    'chance that an anomalous pixel has a larger error than a normal one, '
    'over all pixels of the test samples with a known mask',
    first_look=True,
    of_pixels=True,
    of_places=True,
  ),
  registry.Metric(
    'pixel_auroc_anomalous',
    'Pixel AUROC, anomalous pictures',
    'the same over anomalous pictures alone, so that what sets good ones apart'
    ' as a whole, such as their light, counts for nothing',
    only_some=True,
    of_pixels=True,
  ),
  registry.Metric(
    'pixel_average_precision',
    'Pixel average precision',
    'the same for pixels; the base rate of pixels is guessing',
    of_pixels=True,
    of_places=True,
  ),
  registry.Metric(
    'aupro',
    'AUPRO',
    'share of an anomalous region that is found, mean over the regions, and'
    ' over shares of flagged normal pixels up to 30%; 0.15 is guessing',
    first_look=True,
    of_pixels=True,
    of_places=True,
  ),
  registry.Metric(
    'aupro_anomalous',
    'AUPRO, anomalous pictures',
    'the same over anomalous pictures alone',
    only_some=True,
    of_pixels=True,
  ),
  registry.Metric(
    'rbdc',
    'RBDC',
    'region-based detection criterion: share of the anomalous regions that '
    'a flagged region overlaps, over up to one false region per frame',
    of_pixels=True,
    of_places=True,
  ),
  registry.Metric(
    'tbdc',
    'TBDC',
    'track-based detection criterion: the same for anomalies over time',
    of_places=True,
  ),
  registry.Metric(
    'auroc_pixel_criterion',
    'AUROC, pixel criterion',
    'AUROC of frames where an anomalous one counts as found only if at least'
    ' 40% of its anomalous pixels are flagged, and a normal one as a false'
    ' alarm if any pixel is',
    of_places=True,
    only_some=True,
  ),
  registry.Metric(
    'eer_pixel_criterion',
    'Equal error rate, pixel criterion',
    'equal error rate of the same; 1 minus it is called the rate of detection;'
    ' lower is better',
    lower_is_better=True,
    of_places=True,
    only_some=True,
  ),
  registry.Metric(
    'auroc_dual_pixel',
    'AUROC, dual pixel criterion',
    'the same where at least 10% of the flagged pixels of the frame must be'
    ' anomalous, too, so that flagging all of it finds nothing',
    of_places=True,
    only_some=True,
  ),
  registry.Metric(
    'pixel_base_rate',
    'Base rate of pixels',
    'share of the pixels of those samples that is anomalous',
  ),
)
_OF_AREA = (
  registry.Metric(
    'defect_threshold',
    'Threshold by area',
    'least value above which no region of the maps of validation normals has'
    ' the area of a defect (eval.defect_area)',
    least=-math.inf,
    most=math.inf,
  ),
  registry.Metric(
    'accuracy_good',
    'Accuracy, good',
    'share of the normal test pictures without a region of that area above it',
  ),
  registry.Metric(
    'accuracy_anomalous',
    'Accuracy, anomalous',
    'share of the anomalous test pictures with such a region',
  ),
  registry.Metric('accuracy_mean', 'Accuracy, mean', 'mean of these two'),
  registry.Metric(
    'region_overlap',
    'Region overlap',
    'share of an anomalous region above that threshold, mean over the regions;'
    ' what is flagged elsewhere costs nothing',
  ),
)
_AREAS = {'': '', '_quarter': ', area / 4', '_fourfold': ', area x 4'}
registry.register(
  *(
    dataclasses.replace(
      m, name=m.name + end, title=m.title + of, of_area=not end, only_some=True
    )
    for end, of in _AREAS.items()
    for m in _OF_AREA
  )
)
