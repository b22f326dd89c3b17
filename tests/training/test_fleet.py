"""Replicas of a fleet are what they would be alone, however they are mapped."""

import jax
import numpy as np
import pytest

from memae_jax.models import memae
from memae_jax.training import experiment, fleet, step
from tests import helpers


def _train(config, steps=12):
  exp = experiment.build(config)
  state, sums = exp.programs.run(exp.programs.init(), 0, steps)
  return exp, jax.device_get(state), jax.device_get(sums)


def _close(a, b, tolerance=1e-5):
  for one, two in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    np.testing.assert_allclose(one, two, rtol=tolerance, atol=tolerance)


def test_expansion_names_and_collapses():
  config = helpers.digits(
    **{
      'fleet.variants': ('memae', 'nonspar', 'ae'),
      'fleet.slots': (5, 10),
      'fleet.thresholds': (1.0, 2.0),
      'fleet.seeds': 2,
    }
  )
  replicas = fleet.replicas(config)
  count = lambda variant: sum(r.variant == variant for r in replicas)
  # 2 classes x 2 seeds, times sizes and thresholds where they matter.
  assert (count('memae'), count('nonspar'), count('ae')) == (16, 8, 4)
  assert len({r.name for r in replicas}) == len(replicas)
  assert all(r.alpha == 0 for r in replicas if r.variant != 'memae')


def test_names_differ_for_large_seeds_and_close_values():
  config = helpers.digits(
    **{
      'train.seed': 20240101,
      'fleet.seeds': 3,
      'fleet.learning_rates': (1e-3, 1.0000001e-3),
    }
  )
  replicas = fleet.replicas(config)
  assert len({r.name for r in replicas}) == len(replicas) == 12


@pytest.mark.slow
@pytest.mark.parametrize('how', ['map', 'vmap'])
def test_a_replica_trains_as_if_alone(how):
  both = helpers.digits(
    **{
      'train.fleet_map': how,
      'fleet.variants': ('memae', 'nonspar', 'ae'),
      'fleet.learning_rates': (1e-3, 1e-2),
    }
  )
  exp, state, sums = _train(both)
  for index in (0, 5, 11):
    replica = exp.replicas[index]
    alone = helpers.digits(
      **{
        'train.fleet_map': 'map',
        'fleet.variants': (replica.variant,),
        'fleet.normal_classes': (replica.normal_class,),
        'train.learning_rate': replica.learning_rate,
      }
    )
    exp_alone, state_alone, sums_alone = _train(alone)
    assert len(exp_alone.replicas) == 1
    params = helpers.take(state.params, index)
    params_alone = helpers.take(state_alone.params, 0)
    if replica.variant == 'ae':  # Alone it has no memory at all.
      assert 'bank' not in params_alone
      params = {k: v for k, v in params.items() if k != 'bank'}
      # Other parameters are drawn from other keys only if the bank shifted
      # them, which it must not.
    _close(params, params_alone)
    np.testing.assert_allclose(sums.loss[index], sums_alone.loss[0], rtol=1e-5)


def test_a_smaller_memory_in_a_fleet_equals_one_of_its_own_size():
  exp, state, _ = _train(helpers.digits(**{'fleet.slots': (4, 10)}))
  index = next(i for i, r in enumerate(exp.replicas) if r.slots == 4)
  slots = np.asarray(state.params['bank']['slots'][index])
  fresh = np.asarray(exp.programs.init().params['bank']['slots'][index])
  np.testing.assert_array_equal(slots[4:], fresh[4:])  # Never read or moved.
  assert not np.array_equal(slots[:4], fresh[:4])


@pytest.mark.slow
def test_devices_do_not_change_the_result():
  fields = {'fleet.seeds': 4}
  config = helpers.digits(**fields)
  exp, many, sums = _train(config)
  assert exp.mesh.size == 8
  config = helpers.digits(**fields, **{'mesh.replica': 1})
  exp, one, sums_one = _train(config)
  assert exp.mesh.size == 1
  _close(many.params, one.params)
  np.testing.assert_allclose(sums.loss, sums_one.loss, rtol=1e-5)


def test_steps_in_pieces_are_the_same_bits():
  exp = experiment.build(helpers.digits())
  whole, _ = exp.programs.run(exp.programs.init(), 0, 12)
  state = exp.programs.init()
  for start, stop in ((0, 1), (1, 8), (8, 12)):
    state, _ = exp.programs.run(state, start, stop)
  for one, two in zip(jax.tree.leaves(whole), jax.tree.leaves(state)):
    np.testing.assert_array_equal(one, two)


def test_one_compilation_and_no_host_transfer():
  compiled = []
  jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: (
      compiled.append(event) if 'backend_compile' in event else None
    )
  )
  exp = experiment.build(helpers.digits())
  state, _ = exp.programs.run(exp.programs.init(), 0, 3)
  jax.block_until_ready(state)
  before = len(compiled)
  assert before > 0
  with jax.transfer_guard('disallow'):
    for start, stop in ((3, 5), (5, 6), (6, 30)):
      state, sums = exp.programs.run(state, start, stop)
  jax.block_until_ready((state, sums))
  assert len(compiled) == before


def test_state_is_donated():
  exp = experiment.build(helpers.digits())
  state = exp.programs.init()
  exp.programs.run(state, 0, 1)
  assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


def test_memory_from_encodings():
  exp = experiment.build(helpers.digits(**{'model.memory.init': 'encodings'}))
  state = exp.programs.init()
  slots = np.asarray(state.params['bank']['slots'])
  assert np.isfinite(slots).all()
  # Each slot answers to the sample it came from: all distinct, none tiny.
  assert len(np.unique(slots[0].round(5), axis=0)) == slots.shape[1]


@pytest.mark.slow
def test_memory_from_encodings_of_positions():
  """The slots come from many samples, though one has enough queries for all."""
  exp = experiment.build(
    helpers.clips(**{'model.memory.init': 'encodings', 'model.memory.slots': 9})
  )
  assert exp.trainer.method.least_samples == 1  # 2 x 2 x 3 positions.
  assert exp.trainer.init_samples == exp.config.train.batch_size == 16
  state = helpers.take(exp.programs.init(), 0)
  samples = step.batch_at(
    helpers.take(exp.programs.data, 0), exp.programs.inputs, np.uint32(0), 0, 16
  )
  codes, _ = exp.trainer.method.model.apply(
    {'params': state.params, **state.collections},
    samples,
    True,
    method=memae.MemAE.encode,
    mutable=['batch_stats'],
  )
  queries = np.asarray(codes).reshape(16, 12, 10)
  slots = np.asarray(state.params['bank']['slots'])
  distance = np.abs(queries - slots[:, None, None]).max(axis=-1)
  assert slots.shape == (9, 10) and distance.min(axis=(1, 2)).max() < 1e-4
  assert len(set(distance.min(axis=2).argmin(axis=1))) > 2  # Samples.


def test_best_weights_are_those_of_the_lowest_validation_error():
  exp = experiment.build(
    helpers.digits(
      **{
        'eval.checkpoint': 'validation',
        'train.learning_rate': 0.05,
      }
    )
  )
  state = exp.programs.init()
  errors = []
  for now in range(0, 12, 2):
    state, error, _ = exp.programs.validate(state, now)
    errors.append(np.asarray(error))
    state, _ = exp.programs.run(state, now, now + 2)
  errors = np.stack(errors)
  np.testing.assert_array_equal(state.best.step, 2 * np.argmin(errors, axis=0))
  np.testing.assert_array_equal(state.best.error, errors.min(axis=0))


def test_find_takes_the_first_by_default():
  found = fleet.replicas(helpers.digits())
  assert fleet.find(found, '') == 0
  assert fleet.find(found, found[1].name) == 1
