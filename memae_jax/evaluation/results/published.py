"""The published numbers, as data to be shown beside ours.

Gong et al., "Memorizing Normality to Detect Anomaly: Memory-augmented Deep
Autoencoder for Unsupervised Anomaly Detection", ICCV 2019. Variants and
metrics have the names that they have here. The VAE, OC-SVM and KDE of the
paper are not ours: it states neither their networks nor their settings. It
gives no deviation for any of these numbers, and no result of a single class.
"""

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
  if data.pollution or data.name != _DATA.get(name, name):
    return None
  return table(name)


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
