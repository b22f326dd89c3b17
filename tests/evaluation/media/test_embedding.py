"""Queries and slots in two dimensions."""

import jax
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.config import config_file
from memae_jax.evaluation.media import embedding
from memae_jax.evaluation.scoring import scores
from memae_jax.training import experiment, step
from tests import helpers
from tests.methods.videos import events


def test_the_plane_keeps_the_distances_of_what_lies_in_it():
  rng = np.random.default_rng(0)
  basis, _ = np.linalg.qr(rng.normal(size=(6, 2)))
  plane = rng.normal(size=(30, 2)) * [3, 1]
  rows = (plane @ basis.T + 5).astype(np.float32)
  usage = np.arange(10.0)
  found = embedding.flat(
    'memae', rows[:20], np.arange(20) > 9, rows[20:], usage
  )
  assert sum(found.shares) == pytest.approx(1) and found.width == 6
  both = np.concatenate([found.queries, found.slots[::-1]])  # Most read first.
  apart = lambda x: np.linalg.norm(x[:, None] - x[None], axis=-1)
  np.testing.assert_allclose(apart(both), apart(rows), atol=1e-4)
  np.testing.assert_array_equal(found.usage, usage[::-1])


def test_slots_that_were_never_filled_are_left_out():
  slots = np.zeros((5, 1), np.float32)
  slots[2:4, 0] = 1, 2
  found = embedding.flat(
    'bank', np.ones((3, 1), np.float32), np.zeros(3, bool), slots, np.ones(5)
  )
  assert found.slots.shape == (2, 2) and found.of == 5
  assert not found.slots[:, 1].any()  # One value has one component.


def test_samples_that_are_all_the_same_have_a_plane():
  same = np.ones((4, 3), np.float32)
  found = embedding.flat('bank', same, np.zeros(4, bool), same, np.ones(4))
  assert np.isfinite(found.queries).all() and found.shares == (0.0, 0.0)


def test_one_query_without_a_slot_has_a_plane():
  one, none = np.ones((1, 3), np.float32), np.zeros((2, 3), np.float32)
  found = embedding.flat('bank', one, np.zeros(1, bool), none, np.zeros(2))
  assert found.queries.shape == (1, 2) and found.slots.shape == (0, 2)


@pytest.mark.parametrize('variant', ['memae', 'bank'])
def test_queries_are_nearest_to_the_slots_that_they_read(variant):
  config = helpers.digits(
    **{'fleet.variants': (variant, 'ae'), 'eval.embedding': True}
  )
  exp = experiment.build(config)
  exp = next(
    member
    for member in exp.members
    if any(replica.variant == variant for replica in member.replicas)
  )
  weights = step.weights(exp.programs.init())
  index = [replica.variant for replica in exp.replicas].index(variant)
  slots = exp.replicas[index].slots
  usage = np.arange(1.0, slots + 1)
  networks = [
    scores.ReplicaScores(
      replica.name,
      {'variant': replica.variant},
      *[np.zeros(1)] * 4,
      usage=usage if replica.has_memory else None,
    )
    for replica in exp.replicas
  ]
  with jax.transfer_guard('allow'):
    found = embedding.embeddings(exp, weights, networks)
  (one,) = found if variant == 'memae' else [f for f in found if f.of == slots]
  assert one.variant == variant
  tests = exp.splits[index].test
  assert len(one.queries) == min(len(tests), 600)
  anomalous = exp.splits[index].anomalous.sum()
  assert one.anomalous.sum() == min(anomalous, 300)
  # Before its pass a bank has no slot.
  assert len(one.slots) == (slots if variant == 'memae' else 0)


def _table(folder):
  path = helpers.write_csv(folder / 'rows.csv')
  config = config_file.get_config(
    f'{helpers.ROOT}/configs/arrays.py:smoke,path={path},label=label,'
    'normal=good,categorical=kind,variant=memae'
  )
  config.eval.embedding = True
  return experiment.build(config_lib.resolve(config))


def _video(folder):
  del folder
  return events.planted(**{'eval.embedding': True})


def _patches(folder):
  del folder
  tiles = {'data.patch': 6, 'data.patch_for': 'all', 'data.patch_stride': 2}
  return experiment.build(helpers.digits(**tiles, **{'eval.embedding': True}))


@pytest.mark.parametrize(
  'build, each', [(_table, 1), (_video, 4), (_patches, 4)]
)
def test_tables_videos_and_patches_have_a_plane(build, each, tmp_path):
  """Each row has one query; each tile and each position of a clip has one.

  Of a clip of 16 frames of 16 x 24 pixels there are 2 x 1 x 2 positions.
  """
  exp = build(tmp_path)
  weights = step.weights(exp.programs.init())
  usage = np.arange(1.0, exp.replicas[0].slots + 1)
  networks = [
    scores.ReplicaScores(
      replica.name,
      {'variant': replica.variant},
      *[np.zeros(1)] * 4,
      usage=usage,
    )
    for replica in exp.replicas
  ]
  found, *_ = embedding.embeddings(exp, weights, networks)
  split = exp.splits[0]
  normal, anomalous = np.bincount(split.anomalous, minlength=2).clip(max=300)
  assert len(found.queries) == each * (normal + anomalous)
  assert found.anomalous.sum() == each * anomalous > 0
  assert len(found.slots) == exp.replicas[0].slots
  for points in (found.queries, found.slots):
    assert np.isfinite(points).all() and (np.ptp(points, axis=0) > 0).all()
