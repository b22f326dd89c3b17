"""The bank of encodings against brute force over its own codes."""

import time

import jax
import numpy as np
import pytest
import sklearn.metrics

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.config import presets
from memae_jax.data import transforms
from memae_jax.evaluation.scoring import clip_scores, collect
from memae_jax.methods import selection
from memae_jax.models import memae
from memae_jax.training import experiment, loop, step
from tests import helpers
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


def _trained(config):
  exp = experiment.build(config)
  state, now = exp.programs.init(), 0
  while now < exp.steps:
    state, now, _ = loop.advance(exp, state, now)
  return exp, step.weights(state)


def _videos(**fields):
  """A bank of codes of small clips, or of single frames."""
  clips = {
    'data.image_size': 16,
    'data.image_width': 24,
    'data.clip_frames': 8,
    'data.clip_stride': 20,
    'data.max_samples': 60,
    'model.widths': (4, 6),
    'model.time_strides': (2, 2),
    'model.memory.slots': 9,
    'methods.bank.blur': 0.0,
    'fleet.variants': ('encoder_bank',),
    'eval.score': 'largest_cells',
    'eval.largest_cells': 5,
    'train.epochs': 1.0,
  }
  return _trained(helpers.clips(**clips | fields))


SPEEDS = {
  'data.image_size': 17,
  'data.image_width': 23,  # Strides do not divide it.
  'data.clip_frames': 1,
  'data.input': 'speed',
  'data.motion': 'difference',
  'model.time_strides': (),
}


@pytest.mark.parametrize('memory', [1, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
  'fields',
  [pytest.param({}, marks=pytest.mark.slow), SPEEDS],
  ids=['clips', 'speeds'],
)
def test_videos_have_maps_and_all_scores_of_frames(fields, memory):
  exp, weights = _videos(**fields, **{'mesh.memory': memory})
  (split,) = exp.splits
  rows, is_clip = split.test[:20], not fields
  found = exp.programs.score(weights, [rows], ('maps',))
  codes = _codes(exp, weights, 0, rows)
  assert codes.shape[1:] == ((2, 4, 6, 6) if is_clip else (5, 6, 6))
  if is_clip:  # Two times: frames 0 and 4 of 8, of which 4 is scored.
    codes = codes[:, 1]
  slots = exp.programs.slots(weights, 0)[('bank', 'slots')]
  assert not slots[9:].any()  # Padding, for eight devices.
  far = _distances(slots[:9], codes)
  scores = clip_scores.by_rule(exp.source, found, 0, rows)
  of_form = {'mse_centre', 'psnr_centre'} if is_clip else {'psnr'}
  cells = {losses.MEMORY, 'max_cell', 'largest_cells'}
  assert {'mse', *of_form, *cells} <= set(scores)
  np.testing.assert_allclose(
    scores[losses.MEMORY], far.max(axis=(1, 2)), rtol=1e-5, atol=1e-6
  )
  (maps,) = (m[0, : len(rows)] for m in found.maps.values())
  assert maps.shape[1:] == exp.source.inputs.shape[-3:-1]
  np.testing.assert_allclose(maps[:, ::4, ::4], far, rtol=1e-4, atol=1e-6)
  largest = np.sort(np.reshape(maps, (len(rows), -1)), axis=1)[:, -5:]
  np.testing.assert_allclose(
    scores['largest_cells'], largest.mean(axis=1), rtol=1e-5
  )
  assert exp.rule == exp.map_rule == 'largest_cells'


@pytest.mark.slow  # It trains.
@pytest.mark.parametrize(
  'variant,rules',
  [
    ('encoder_bank', ('largest_cells', losses.MEMORY)),
    ('bank', ('largest_cells', 'mse', losses.MEMORY)),
    ('memae', ('largest_cells', 'mse')),
  ],
)
def test_it_finds_what_is_fast(variant, rules):
  """As do the bank of cells and MemAE on the same speeds."""
  config = presets.experiment(
    'moving_shapes',
    config_lib.parse_arg('', seeds=1, variant=variant, slots=50, epochs=2.0),
  )
  config.data.protocol, config.data.image_size = 'given', 32
  presets.picture_network(config, (8, 16, 16, 16))
  presets.speeds_of_cells(config)
  presets.sharp_memory(config)
  config.methods.bank.slots = 500
  config.eval.score = 'largest_cells'
  config.model.widths, config.train.warmup_steps = (8, 16), 0
  config.model.kernels, config.model.strides = (3, 3), (2, 2)
  begun = time.process_time()
  exp, weights = _trained(config_lib.resolve(config))
  (found,), memory, _ = collect.networks(exp, weights, [exp.steps])
  assert time.process_time() - begun < 180
  assert exp.rule == 'largest_cells' and memory
  for rule in rules:
    score = found.rules[rule]
    assert sklearn.metrics.roc_auc_score(found.anomalous, score) >= 0.9, rule
  assert found.pixels[0]['auroc_pixel_criterion'] > 0.5
