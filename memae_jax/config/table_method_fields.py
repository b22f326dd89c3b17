"""Fields of the methods that tables are compared by: `methods.FAMILY`."""

from typing import Any

from memae_jax.config import fields


def _widths(default: tuple[int, ...], of: str):
  return fields.many(fields.integer(1, '', low=1), default, of)


DAGMM: dict[str, Any] = {
  'widths': _widths((60, 30, 10), 'Hidden widths of the encoder, tanh.'),
  'code': fields.integer(
    1, 'Width of the code, to which two features of its error come.', low=1
  ),
  'components': fields.integer(4, 'Gaussians of the mixture.', low=1),
  'features': fields.boolean(
    True,
    'Let the mixture see relative distance and cosine of the reconstruction'
    ' beside the code, as published; without them the energy is of codes.',
  ),
  'hidden': fields.integer(
    10, 'Hidden width of the network of memberships.', low=1
  ),
  'energy': fields.number(
    0.1, 'Weight of the energy in the loss, lambda 1.', low=0.0
  ),
  'covariance': fields.number(
    0.005,
    'Weight of the sum of inverse variances in the loss, lambda 2; larger where'
    ' covariances become singular.',
    low=0.0,
  ),
  'clip_norm': fields.number(
    5.0, 'Largest norm of a gradient, in place of train.clip_norm.', low=0.0
  ),
}
DSEBM: dict[str, Any] = {
  'widths': _widths(
    (128, 512),
    'Widths of the softplus layers; of pictures channels of convolutions with'
    ' stride 2.',
  ),
  'noise': fields.number(
    1.0,
    'Deviation of the noise that is taken away in training, in units of the'
    ' model input.',
    above=0,
  ),
}
DCN: dict[str, Any] = {
  'clusters': fields.integer(4, 'Centres of codes.', low=1),
  'pull': fields.number(
    0.1, 'Weight of the distance to the nearest centre, lambda.', low=0.0
  ),
  'rate': fields.number(
    0.01,
    'Share by which a centre follows the codes of a step; published: one over'
    ' the number of all its codes so far.',
    above=0,
    high=1.0,
  ),
}
DEEP_SVDD: dict[str, Any] = {
  'widths': _widths((64, 32), 'Hidden widths of the encoder, without biases.'),
  'code': fields.integer(16, 'Width of the code.', low=1),
}
ALL = {
  'dagmm': DAGMM,
  'dcn': DCN,
  'deep_svdd': DEEP_SVDD,
  'dsebm_e': DSEBM,
  'dsebm_r': DSEBM,
}
