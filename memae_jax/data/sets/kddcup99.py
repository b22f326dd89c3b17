"""KDD Cup 1999 (10 percent file) with the roles of the MemAE and DAGMM papers.

Attacks are 80.3 % of the rows, so they are the normal class here, and ordinary
traffic is the anomaly.
"""

import numpy as np

from memae_jax.data import prepare, registry, types
from memae_jax.data.tables import columns
from memae_jax.runtime import errors

FLAGS = ('land', 'logged_in', 'is_host_login', 'is_guest_login')


def load(config) -> types.Source:
  """Reads the prepared set: inputs [494021, 122], labels of 23 kinds.

  As in the papers, 34 columns are numeric and 7 categorical: three of text
  (with the 3 + 66 + 11 categories of the whole file) and four flags of two
  values. The 120 inputs of the papers depend on details that they do not give.

  Args:
    config: the resolved `config.data`.

  Raises:
    UserError: the set is not prepared, or is damaged.
  """
  builder = prepare.open_prepared(
    'kddcup99', registry.data_dir(config.data_dir)
  )
  from memae_jax.data.prepare.builders import kddcup99  # Slow: it loads TFDS.

  blocks = list(builder.as_data_source('train'))
  numeric, categories, label = (
    np.concatenate([block[key] for block in blocks])
    for key in ('numeric', 'categories', 'label')
  )
  if len(label) != kddcup99.ROWS:
    raise errors.UserError(
      f'{builder.data_path} has {len(label):,} rows, expected'
      f' {kddcup99.ROWS:,}; delete it and prepare it again'
    )
  values = dict(zip(kddcup99.NUMERIC, numeric.T.astype(np.float32)))
  values |= dict(zip(kddcup99.CATEGORIES, categories.T))
  for name in FLAGS:
    values[name] = values[name].astype(np.uint8)
  inputs, encoded = columns.encode(
    {name: values[name] for name in kddcup99.COLUMNS},
    kddcup99.CATEGORIES | dict.fromkeys(FLAGS, ('0', '1')),
  )
  normal = kddcup99.LABELS.index('normal')
  return types.Source(
    name='kddcup99',
    inputs=inputs,
    labels=label.astype(np.int32),
    label_names=kddcup99.LABELS,
    normal_labels=tuple(i for i in range(len(kddcup99.LABELS)) if i != normal),
    columns=encoded,
    notes={'roles': 'attacks are normal, label "normal" is the anomaly'},
  )
