"""KDD Cup 1999 (10 percent file) with the roles of the MemAE and DAGMM papers.

Attacks are 80.3 percent of the rows, so they are the normal class here, and
ordinary traffic is the anomaly.
"""

import numpy as np

from memae_jax.data import prepare, registry, types
from memae_jax.data.tables import columns as tables
from memae_jax.runtime import errors

FLAGS = ('land', 'logged_in', 'is_host_login', 'is_guest_login')


def load(config) -> types.Source:
  """Reads the prepared set: inputs [494021, 122], labels of 23 kinds.

  As in the papers, 34 columns are numeric and 7 categorical: three of text
  (3 + 66 + 11 categories of the whole file) and four flags of two values. The
  120 inputs of the papers depend on details that they do not give.

  Raises:
    UserError: it is not prepared, or damaged.
  """
  builder = prepare.open_prepared(
    'kddcup99', registry.data_dir(config.data_dir)
  )
  from memae_jax.data.prepare.builders import (
    kddcup99 as raw,  # Loads TFDS: slow.
  )

  blocks = list(builder.as_data_source('train'))
  numeric, categories, label = (
    np.concatenate([block[key] for block in blocks])
    for key in ('numeric', 'categories', 'label')
  )
  if len(label) != raw.ROWS:
    raise errors.UserError(
      f'{builder.data_path} has {len(label):,} rows, expected {raw.ROWS:,};'
      ' delete it and prepare it again'
    )
  values = dict(zip(raw.NUMERIC, numeric.T.astype(np.float32)))
  values |= dict(zip(raw.CATEGORIES, categories.T))
  for name in FLAGS:
    values[name] = values[name].astype(np.uint8)
  inputs, columns = tables.encode(
    {name: values[name] for name in raw.COLUMNS},
    raw.CATEGORIES | dict.fromkeys(FLAGS, ('0', '1')),
  )
  normal = raw.LABELS.index('normal')
  return types.Source(
    name='kddcup99',
    inputs=inputs,
    labels=label.astype(np.int32),
    label_names=raw.LABELS,
    normal_labels=tuple(i for i in range(len(raw.LABELS)) if i != normal),
    columns=columns,
    notes={'roles': 'attacks are normal, label "normal" is the anomaly'},
  )
