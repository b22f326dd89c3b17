"""The bank of encodings against brute force over its own codes."""

import jax
import numpy as np
import pytest
import sklearn.metrics

from memae_jax import losses
from memae_jax.data import transforms
from memae_jax.methods import selection
from memae_jax.models import memae
from tests.methods import fitting

FIELDS = {
  'fleet.variants': ('encoder_bank',),
  'model.code': 6,
  'train.epochs': 12.0,
  'eval.batch_size': 50,
}
PICTURES = {
  'model.network': 'conv',
  'model.code': 3,
  'model.widths': (8, 12),
  'model.activation': 'leaky_relu',
  'model.batch_norm': True,
  'model.memory.per_position': True,
}


def _codes(exp, weights, index, rows):
  """Encodings of samples, [n, ...] float64."""
  x = transforms.apply(exp.source.inputs[rows], exp.splits[index].transform)
  variables = exp.programs.one(weights, index).variables
  encode = memae.MemAE.encode
  model = exp.trainer.method.network.model
  return np.asarray(model.apply(variables, x, method=encode), np.float64)


def _distances(slots, codes):
  return np.linalg.norm(codes[..., None, :] - slots, axis=-1).min(axis=-1)


@pytest.fixture(scope='module')
def fleet():
  return fitting.fitted(**FIELDS | {'fleet.slots': (7, 12)})


def test_the_score_is_the_distance_to_centres_of_its_codes(fleet):
  exp, weights = fleet
  scored = fitting.scores(exp, weights)
  for i, replica in enumerate(exp.replicas):
    split = exp.splits[i]
    train, test = (
      _codes(exp, weights, i, rows) for rows in (split.train, split.test)
    )
    rng = np.random.default_rng([replica.seed, 1, 0])
    slots, _ = selection.select(
      train.astype(np.float32), 'k_means', replica.slots, rng
    )
    found = scored.scores[losses.MEMORY][i, : len(test)]
    np.testing.assert_allclose(found, _distances(slots, test), rtol=1e-5)
    usage = scored.totals['bank'].usage[i]
    assert usage.sum() == pytest.approx(len(test))
    assert not usage[replica.slots :].any()


def test_its_autoencoder_is_that_of_the_method_ae(fleet):
  exp, weights = fleet
  other, plain = fitting.fitted(**FIELDS | {'fleet.variants': ('ae',)})
  assert exp.steps == other.steps + 1
  one, two = exp.programs.one(weights, 1), other.programs.one(plain, 0)
  jax.tree.map(np.testing.assert_array_equal, one.params, two.params)
  scores, others = fitting.scores(exp, weights), fitting.scores(other, plain)
  np.testing.assert_allclose(
    scores.scores['mse'][1], others.scores['mse'][0], rtol=1e-5
  )


def test_it_finds_anomalies_by_its_own_score(fleet):
  exp, weights = fleet
  assert exp.rule == losses.MEMORY and exp.config.eval.score == 'mse'
  anomalous = exp.splits[0].anomalous
  scored = fitting.scores(exp, weights)
  auroc = sklearn.metrics.roc_auc_score(
    anomalous, scored.scores[losses.MEMORY][1, : len(anomalous)]
  )
  assert auroc > 0.8


@pytest.mark.slow  # A network of convolutions compiles.
@pytest.mark.parametrize('memory', [1, 8])
def test_positions_have_slots_and_maps(memory):
  exp, weights = fitting.fitted(
    **FIELDS
    | PICTURES
    | {
      'model.memory.slots': 500,  # More than a class has positions of.
      'methods.bank.positions': 3,
      'methods.bank.blur': 0.0,
      'mesh.memory': memory,
      'train.epochs': 1.0,
    }
  )
  (split,) = exp.splits
  scored = fitting.scores(exp, weights, ('maps',))
  slots = exp.programs.slots(weights, 0)[('bank', 'slots')]
  count = int(exp.programs.one(weights, 0).collections['bank']['count'])
  assert count == 3 * len(split.train) and not slots[count:].any()
  test = _codes(exp, weights, 0, split.test)
  assert test.shape[1:] == (2, 2, 12)
  far = _distances(slots[:count], test)
  np.testing.assert_allclose(
    scored.scores[losses.MEMORY][0, : len(test)],
    far.max(axis=(1, 2)),
    rtol=1e-5,
    atol=1e-6,
  )
  assert list(scored.maps) == [losses.MEMORY]
  maps = scored.maps[losses.MEMORY][0, : len(test)]
  # Strides of 4 in all: positions are centred at pixels 0 and 4.
  np.testing.assert_allclose(maps[:, ::4, ::4], far, rtol=1e-4, atol=1e-6)
  assert exp.trainer.method.decode_slots({}, slots) is None


@pytest.mark.slow  # It trains and exports.
def test_the_exported_one_scores_the_same(tmp_path):
  fitting.check_export(
    tmp_path,
    **FIELDS | PICTURES | {'train.epochs': 1.0, 'model.memory.slots': 30},
  )


def test_slots_of_whole_codes_are_decoded(fleet):
  exp, weights = fleet
  variables = exp.programs.one(weights, 1).variables
  slots = exp.programs.slots(weights, 1)[('bank', 'slots')]
  decoded = exp.trainer.method.decode_slots(variables, slots)
  assert decoded.shape == (12, 8, 8, 1)
  (split,) = exp.splits[1:]
  x = transforms.apply(exp.source.inputs[split.train], split.transform)
  # Centres of codes look more like their digits than like their negative.
  near = ((x[:, None] - decoded[None]) ** 2).mean(axis=(2, 3, 4)).min(axis=1)
  assert near.mean() < 0.5 * ((x - x.mean()) ** 2).mean()
