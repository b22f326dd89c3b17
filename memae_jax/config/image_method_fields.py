"""Fields of methods that others made for pictures: `methods.FAMILY`."""

from typing import Any

from memae_jax.config import fields

VARIATION: dict[str, Any] = {
  'samples': fields.integer(
    30,
    'At most this many training normals, drawn by the seed, give mean and'
    ' deviation; 0: all.',
    low=0,
  ),
  'align': fields.choice(
    'none',
    ('none', 'rotate'),
    'none: parts lie as they are; those that are turned freely it can only get'
    ' wrong. rotate: the foreground, all that differs from the border by more'
    ' than a tenth of the grey levels, is turned by its principal axis and'
    ' moved to the middle.',
  ),
}

GMM_TEXTURE: dict[str, Any] = {
  'samples': fields.integer(
    10,
    'At most this many training normals, drawn by the seed, give patches; a'
    ' fifth of them do not fit the mixture but standardise it. 0: all.',
    low=0,
  ),
  'levels': fields.integer(
    4,
    'Levels of the pyramid, each half as large as the one before; those smaller'
    ' than a patch of 7 x 7 pixels are left out.',
    low=1,
  ),
  'components': fields.integer(
    10, 'Gaussians of the mixture of each level.', low=1
  ),
}

ANOGAN: dict[str, Any] = {
  'latent': fields.integer(64, 'Width of the latent vectors.', low=1),
  'width': fields.integer(
    16,
    'Channels of both networks where rows and columns are halved once; each'
    ' further level, down to 4 pixels, has twice as many. DCGAN has 128 for 64'
    ' pixels; the default is for CPUs.',
    low=1,
  ),
  'learning_rate': fields.number(
    2e-4, 'Learning rate of Adam, in place of train.learning_rate.', above=0
  ),
  'steps': fields.integer(
    300,
    'Steps of the search for the latent vector of a picture, which make scoring'
    ' slow: 300 are the work of some 110 passes of training.',
    low=1,
  ).role(fields.NO_WEIGHT),
  'rate': fields.number(
    0.02, 'Learning rate of Adam in the search, of its first step.', above=0
  ).role(fields.NO_WEIGHT),
  'matching': fields.number(
    0.1,
    "Weight of the discriminator's features in the search; that of the pixels"
    ' has the rest.',
    low=0.0,
    high=1.0,
  ).role(fields.NO_WEIGHT),
}

PIXELCNN: dict[str, Any] = {
  'layers': fields.integer(
    5,
    'Gated layers, the first one with kernels of 7 x 7 pixels, others of 3 x 3.'
    ' A value sees two rows more than there are layers.',
    low=1,
  ),
  'width': fields.integer(
    32, 'Features of both stacks; published: 128 for CIFAR-10.', low=1
  ),
  'levels': fields.integer(
    16,
    'Levels that grey levels are taken together to; 256: as they are.',
    low=2,
    high=256,
  ),
  'accumulate': fields.integer(
    1,
    'Parts of a batch, in place of train.accumulate: parts of some 3,000 pixels'
    ' stay in the cache of a CPU, which is faster.',
    low=1,
  ),
  'score': fields.choice(
    'bits',
    ('bits', 'bits_excess'),
    'bits: of a value under the network, which are few for simple pictures'
    ' whatever they show. bits_excess: less those of a lossless code that knows'
    ' no normals. Results have a table of both.',
  ).role(fields.NO_WEIGHT),
}

ALL = {
  'anogan': ANOGAN,
  'gmm_texture': GMM_TEXTURE,
  'pixelcnn': PIXELCNN,
  'variation': VARIATION,
}
