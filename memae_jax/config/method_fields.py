"""The fields of `methods`: settings of single families of this package."""

from typing import Any

from memae_jax.config import fields

BANK: dict[str, Any] = {
  'features': fields.choice(
    'blur_unit',
    ('raw', 'blur_unit', 'contrast_unit', 'patches'),
    'What is compared. raw: pixels. blur_unit: blurred by 1 pixel, norm 1.'
    ' contrast_unit: less the mean, norm 1. patches: windows of pixels, less'
    ' their means, each with a slot of its own.',
  ),
  'select': fields.choice(
    'k_means',
    ('k_means', 'random', 'k_centre'),
    'How slots are chosen among the features of training normals; with no more'
    ' of these than model.memory.slots, all of them are slots.',
  ),
  'most': fields.integer(
    20000, 'At most this many training normals give features.', low=1
  ),
  'neighbours': fields.integer(
    1, 'The score is the mean distance to this many nearest slots.', low=1
  ).role(fields.NO_WEIGHT),
  'patch': fields.integer(8, 'patches: pixels of a side.', low=1),
  'stride': fields.integer(4, 'patches: pixels from one to the next.', low=1),
  'blur': fields.number(
    4.0,
    'patches: the error map is blurred by a Gaussian of this many pixels.',
    low=0.0,
  ).role(fields.NO_WEIGHT),
}
