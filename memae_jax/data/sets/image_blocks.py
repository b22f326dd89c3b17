"""Reads prepared sets of images: MNIST and CIFAR-10."""

import numpy as np

from memae_jax.data import prepare, registry, types
from memae_jax.runtime import errors


def load(name: str, config) -> types.Source:
  """Reads the splits of a prepared set, in the order of its builder.

  Args:
    name: of one of `prepare.BUILDERS` that is an `ImageBlocks`.
    config: the resolved `config.data`.

  Returns:
    Source with inputs [S, H, W, C] uint8 and the official test part in
    `is_test`; `dropped` names splits that the set was prepared without.

  Raises:
    UserError: the set is not prepared, or is damaged.
  """
  builder = prepare.open_prepared(name, registry.data_dir(config.data_dir))
  splits = [split for split in builder.SIZES if split in builder.info.splits]
  images, labels = zip(*(_read(builder, split) for split in splits))
  is_test = [split == builder.TEST for split in splits]
  lacking = [split for split in builder.SIZES if split not in splits]
  dropped = {
    'count': sum(builder.SIZES[split] for split in lacking),
    'why': f'{", ".join(lacking)}: not among the files that the set was'
    ' prepared from',
  }
  return types.Source(
    name=name,
    inputs=np.concatenate(images),
    labels=np.concatenate(labels).astype(np.int32),
    label_names=builder.LABELS,
    is_test=np.repeat(is_test, [len(part) for part in labels]),
    dropped=(dropped,) if lacking else (),
  )


def _read(builder, split: str) -> tuple[np.ndarray, np.ndarray]:
  """Returns the images [N, H, W, C] uint8 and labels [N] uint8 of a split."""
  again = f'delete {builder.data_path} and prepare it again'
  try:
    blocks = list(builder.as_data_source(split))
  except Exception as error:  # TFDS may raise anything on broken records.
    reason = ' '.join(str(error).split())[:200]
    raise errors.UserError(
      f'{builder.data_path}: split "{split}" is damaged ({reason}); {again}'
    ) from error
  labels = np.concatenate([block['label'] for block in blocks])
  if len(labels) != builder.SIZES[split]:
    raise errors.UserError(
      f'{builder.data_path}: split "{split}" has {len(labels):,} images,'
      f' expected {builder.SIZES[split]:,}; {again}'
    )
  return np.concatenate([block['image'] for block in blocks]), labels
