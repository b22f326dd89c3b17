"""Metrics of samples: of their scores, labels and reconstructions."""

import math

from memae_jax.evaluation.metrics import registry

registry.register(
  registry.Metric(
    'auroc',
    'AUROC',
    'chance that an anomalous sample scores above a normal one; 0.5 is '
    'guessing',
    headline=True,
    first_look=True,
    of_class=True,
    over_steps=True,
  ),
  registry.Metric(
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
  registry.Metric(
    'auroc_macro',
    'AUROC, mean of videos',
    'mean of the AUROC of each video, over those with normal and anomalous '
    'frames; the others are left out, and named below',
    headline=True,
    first_look=True,
    only_some=True,
  ),
  registry.Metric(
    'auroc_contrast',
    'AUROC beyond contrast',
    'AUROC of the error that the contrast of an image does not explain, by a'
    ' line fitted on validation normals; a second score, beside the headline',
    headline=True,
    first_look=True,
    of_class=True,
    only_some=True,
  ),
  registry.Metric(
    'average_precision',
    'Average precision',
    'area under the curve of precision over recall; the base rate is guessing',
    headline=True,
    first_look=True,
    of_class=True,
    over_steps=True,
  ),
  registry.Metric(
    'average_precision_normalised',
    'Average precision, normalised',
    'average precision of the scores scaled to [0, 1] in each video',
  ),
  registry.Metric(
    'average_precision_normal',
    'Average precision of normals',
    'the same with the normal samples as the class to be found',
  ),
  registry.Metric(
    'precision_at_ratio',
    'Precision at the ratio',
    'share of the flagged that is anomalous, when the top samples are '
    'flagged; uses the known test ratio',
  ),
  registry.Metric(
    'recall_at_ratio',
    'Recall at the ratio',
    'share of the anomalies that is flagged; uses the known test ratio',
  ),
  registry.Metric(
    'f1_at_ratio',
    'F1 at the ratio',
    'harmonic mean of that precision and recall; uses the known test ratio. '
    'Samples that tie at the cut are taken in their order',
    headline=True,
    first_look=True,
    over_steps=True,
  ),
  registry.Metric(
    'f1_at_ratio_tie_span',
    'Tie span of F1 at the ratio',
    'how far another order of the tied samples could move it',
  ),
  registry.Metric(
    'eer',
    'Equal error rate',
    'share of normals that is flagged, at the threshold where the same share '
    'of anomalies is missed; lower is better',
    headline=True,
    lower_is_better=True,
  ),
  registry.Metric(
    'eer_normalised',
    'Equal error rate, normalised',
    'equal error rate of the scores scaled to [0, 1] in each video; lower is '
    'better',
    lower_is_better=True,
  ),
  registry.Metric(
    'precision_at_normal_quantile',
    'Precision at the quantile',
    'share of the flagged that is anomalous, when samples above a quantile '
    'of the validation normals are flagged; uses no test label',
  ),
  registry.Metric(
    'recall_at_normal_quantile',
    'Recall at the quantile',
    'share of the anomalies that is flagged in this way',
  ),
  registry.Metric(
    'f1_at_normal_quantile',
    'F1 at the quantile',
    'harmonic mean of that precision and recall; uses no test label',
    headline=True,
  ),
  registry.Metric(
    'false_positive_rate_at_normal_quantile',
    'False alarms at the quantile',
    'share of the test normals that is flagged in this way; one minus the '
    'quantile is expected; lower is better',
    lower_is_better=True,
  ),
  registry.Metric(
    'f1_best_oracle',
    'Best F1 (oracle)',
    'F1 with the threshold chosen on the test labels: a bound, not a result',
  ),
  registry.Metric(
    'f1_all_positive',
    'F1 of flagging all',
    'F1 if every sample were flagged, for perspective: it needs no model',
  ),
  registry.Metric(
    'base_rate',
    'Base rate',
    'share of the test samples that is anomalous',
  ),
  registry.Metric(
    'variance_explained',
    'Variance explained',
    'share of the spread of validation normals that their reconstructions '
    'give back: 0 is no better than the mean training sample',
    least=-math.inf,
    first_look=True,
  ),
  registry.Metric(
    'pseudo_auroc',
    'Pseudo-AUROC',
    'chance that a changed validation normal scores above an unchanged one,'
    ' mean over fixed kinds of change; uses no test data, and chooses '
    'settings',
    first_look=True,
  ),
)
