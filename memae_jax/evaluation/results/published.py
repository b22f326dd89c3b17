"""The published numbers, as data to be shown beside ours.

Gong et al., "Memorizing Normality to Detect Anomaly: Memory-augmented Deep
Autoencoder for Unsupervised Anomaly Detection", ICCV 2019. Variants and
metrics have the names that they have here. The VAE, OC-SVM and KDE of the
paper are not ours: it states neither their networks nor their settings. It
gives no deviation for any of these numbers, and no result of a single class.

Bergmann et al., "MVTec AD - A Comprehensive Real-World Dataset for Unsupervised
Anomaly Detection", CVPR 2019, has accuracies of each category, of methods that
are not ours.
"""

import pathlib
from typing import Any

from memae_jax.runtime import errors

CITATION = 'Gong et al., ICCV 2019'


def _at_ratio(precision: float, recall: float, f1: float) -> dict[str, float]:
  return {
    'precision_at_ratio': precision,
    'recall_at_ratio': recall,
    'f1_at_ratio': f1,
  }


def _auroc(
  values: dict[str, float], metric: str = 'auroc'
) -> dict[str, dict[str, float]]:
  return {name: {metric: value} for name, value in values.items()}


def _video(source: str, variants, others) -> dict[str, Any]:
  return {
    'source': source,
    'protocol': (
      'AUROC of frames, normalised in each video; 256 x 256 pixels. The code'
      ' that the authors released changed its score later.'
    ),
    'metrics': ('auroc_normalised',),
    'variants': _auroc(variants, 'auroc_normalised'),
    'others': _auroc(others, 'auroc_normalised'),
    'note': '',
  }


TABLES: dict[str, dict[str, Any]] = {
  'kddcup99': {
    'source': f'{CITATION}, Table 3',
    'protocol': (
      'mean of 20 runs; attacks (80%) are normal; random halves. The'
      ' threshold is not stated; the protocol it follows (DAGMM) flags'
      ' the top 20% of the test half.'
    ),
    'metrics': ('precision_at_ratio', 'recall_at_ratio', 'f1_at_ratio'),
    'variants': {
      'memae': _at_ratio(0.9627, 0.9655, 0.9641),
      'nonspar': _at_ratio(0.9341, 0.9368, 0.9355),
      'ae': _at_ratio(0.9328, 0.9356, 0.9342),
    },
    'others': {
      'DAGMM': _at_ratio(0.9297, 0.9442, 0.9369),
      'DSEBM': _at_ratio(0.8619, 0.6446, 0.7399),
      'DCN': _at_ratio(0.7696, 0.7829, 0.7762),
      'OC-SVM': _at_ratio(0.7457, 0.8523, 0.7954),
    },
    'note': 'The rows of others are copied from the DAGMM paper (2018).',
  },
  'mnist': {
    'source': f'{CITATION}, Table 1',
    'protocol': 'mean of the 10 one-class sets; anomalies about 30%.',
    'metrics': ('auroc',),
    'variants': _auroc(
      {'memae': 0.9751, 'nonspar': 0.9725, 'ae': 0.9619, 'vae': 0.9643}
    ),
    'others': _auroc(
      {
        'DSEBM': 0.9554,
        'OC-SVM': 0.9499,
        'KDE': 0.8116,
        'PixCNN': 0.6141,
      }
    ),
    'note': '',
  },
  'cifar10': {
    'source': f'{CITATION}, Table 1',
    'protocol': 'mean of the 10 one-class sets; anomalies about 30%.',
    'metrics': ('auroc',),
    'variants': _auroc(
      {'memae': 0.6088, 'nonspar': 0.6058, 'ae': 0.5706, 'vae': 0.5725}
    ),
    'others': _auroc(
      {
        'KDE': 0.5756,
        'DSEBM': 0.5725,
        'OC-SVM': 0.5619,
        'PixCNN': 0.5450,
      }
    ),
    'note': '',
  },
  'ped2': _video(
    f'{CITATION}, Tables 2 and 4',
    {
      'memae': 0.9410,
      'nonspar': 0.9293,
      'ae': 0.9170,
      'ae_l1': 0.9286,
      'hasan': 0.850,
      'zhao': 0.912,
    },
    {'Frame-Pred': 0.954, 'StackRNN': 0.922, 'TSC': 0.910},
  ),
  'avenue': _video(
    f'{CITATION}, Table 2',
    {
      'memae': 0.833,
      'nonspar': 0.821,
      'ae': 0.810,
      'hasan': 0.800,
      'zhao': 0.771,
    },
    {'Frame-Pred': 0.849, 'StackRNN': 0.817, 'TSC': 0.806},
  ),
  'shanghaitech': _video(
    f'{CITATION}, Table 2',
    {'memae': 0.712, 'nonspar': 0.688, 'ae': 0.697, 'hasan': 0.609},
    {'Frame-Pred': 0.728, 'StackRNN': 0.680, 'TSC': 0.679},
  ),
}
_DEFECTS = (  # Methods of the columns below.
  'AE (SSIM)',
  'AE (L2)',
  'AnoGAN',
  'CNN feature dictionary',
  'Texture inspection (GMM)',
  'Variation model',
)
# Accuracies of good and of anomalous pictures, by category.
_CATEGORIES = {
  'carpet': '0.43 0.90 0.57 0.42 0.82 0.16 0.89 0.36 0.57 0.61',
  'grid': '0.38 1.00 0.57 0.98 0.90 0.12 0.57 0.33 1.00 0.05',
  'leather': '0.00 0.92 0.06 0.82 0.91 0.12 0.63 0.71 0.00 0.99',
  'tile': '1.00 0.04 1.00 0.54 0.97 0.05 0.97 0.44 1.00 0.43',
  'wood': '0.84 0.82 1.00 0.47 0.89 0.47 0.79 0.88 0.42 1.00',
  'bottle': '0.85 0.90 0.70 0.89 0.95 0.43 1.00 0.06 - - 1.00 0.13',
  'cable': '0.74 0.48 0.93 0.18 0.98 0.07 0.97 0.24',
  'capsule': '0.78 0.43 1.00 0.24 0.96 0.20 0.78 0.03 - - 1.00 0.03',
  'hazelnut': '1.00 0.07 0.93 0.84 0.83 0.16 0.90 0.07',
  'metal_nut': '1.00 0.08 0.68 0.77 0.86 0.13 0.55 0.74 - - 0.32 0.83',
  'pill': '0.92 0.28 1.00 0.23 1.00 0.24 0.85 0.06 - - 1.00 0.13',
  'screw': '0.95 0.06 0.98 0.39 0.41 0.28 0.73 0.13 - - 1.00 0.10',
  'toothbrush': '0.75 0.73 1.00 0.97 1.00 0.13 1.00 0.03 - - 1.00 0.60',
  'transistor': '1.00 0.03 0.97 0.45 0.98 0.35 1.00 0.15',
  'zipper': '1.00 0.60 0.97 0.63 0.78 0.40 0.78 0.29',
}
# Names of data sets that differ from the name of their table.
_DATA = {'ped2': 'ucsd_ped2', 'avenue': 'cuhk_avenue'}


def beside(config: Any) -> dict[str, Any] | None:
  """Returns the table that belongs beside the results of a config.

  Args:
    config: resolved.

  Returns:
    None if there is none, or if the samples differ from the paper's.
  """
  name, data = config.paper, config.data
  one_class = name in ('mnist', 'cifar10')
  if data.max_samples or (one_class and data.protocol != 'one_class'):
    return None
  if data.unique or data.pollution or data.name != _DATA.get(name, name):
    return None
  return table(name)


def defects(config: Any) -> dict[str, Any] | None:
  """Returns the accuracies by area of the category whose name a folder has.

  Args:
    config: resolved.

  Returns:
    `source`, `category` and `rows`: {method: metrics}. None if there is no such
    category, or if the samples differ from the paper's.
  """
  data = config.data
  category = pathlib.Path(data.path).name
  if data.name != 'image_folder' or category not in _CATEGORIES:
    return None
  others = data.max_samples or data.unique or data.pollution
  if others or data.protocol != 'given':
    return None
  values = _CATEGORIES[category].split()
  rows = {}
  for name, good, anomalous in zip(_DEFECTS, values[::2], values[1::2]):
    if good != '-':
      rates = float(good), float(anomalous)
      names = 'accuracy_good', 'accuracy_anomalous', 'accuracy_mean'
      rows[name] = dict(zip(names, (*rates, sum(rates) / 2)))
  return {
    'source': 'Bergmann et al., CVPR 2019, Table 2',
    'category': category,
    'rows': rows,
  }


def table(name: str) -> dict[str, Any] | None:
  """Returns the published table of that name, None for ''.

  Raises:
    UserError: there is no such table.
  """
  if not name:
    return None
  if name not in TABLES:
    raise errors.UserError(
      f'config field "paper" is "{name}", which is not a table of the paper'
      + errors.did_you_mean(name, TABLES)
    )
  return TABLES[name]
