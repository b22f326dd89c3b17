"""A run whose samples are streamed is the run whose samples are resident."""

import json

import jax
import numpy as np
import pytest

from memae_jax.training import checkpoint, experiment, loop
from tests import helpers

_FLEET = {
  'fleet.variants': ('memae', 'ae'),
  'model.memory.init': 'encodings',
  'eval.checkpoint': 'validation',
  'eval.batch_size': 50,  # Several blocks, the last one padded.
}


def _close(one, two, tolerance=1e-6):
  leaves = jax.tree.leaves(one), jax.tree.leaves(two)
  for a, b in zip(*leaves, strict=True):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope='module')
def both():
  """Returns the same experiment with either feed."""
  return [
    experiment.build(helpers.digits(**_FLEET, **{'data.feed': feed}))
    for feed in ('resident', 'streaming')
  ]


@pytest.fixture(scope='module')
def runs(both):
  """Returns what each feed computes, on the host."""
  results = []
  for exp in both:
    state = exp.programs.init()
    first = jax.device_get(state)
    with jax.transfer_guard('disallow'):
      state, *before = exp.programs.validate(state, 0)
      sums = []
      for start, stop in ((0, 4), (4, 5), (5, exp.steps)):
        state, total = exp.programs.run(state, start, stop)
        sums.append(total)
      state, *after = exp.programs.validate(state, exp.steps)
    scored = exp.programs.score(state, [s.test for s in exp.splits])
    results.append(jax.device_get((first, state, sums, before, after, scored)))
  return results


@pytest.mark.slow
def test_both_feeds_train_and_score_alike(both, runs):
  assert [exp.programs.name for exp in both] == ['resident', 'streaming']
  resident, streamed = runs
  for leaf, other in zip(
    jax.tree.leaves(resident[0]), jax.tree.leaves(streamed[0]), strict=True
  ):
    np.testing.assert_array_equal(leaf, other)  # The same initial state.
  _close(resident[1:], streamed[1:])


def test_what_the_feeds_say(both, runs):
  resident, streamed = (exp.programs for exp in both)
  assert resident.resident_bytes == both[0].source.inputs.nbytes
  assert streamed.resident_bytes == 0 and resident.feed_facts() == {}
  assert 0 < streamed.feed_facts()['input_wait_fraction'] < 1


def test_steps_in_pieces_and_out_of_order_are_the_same_bits(both, runs):
  _, exp = both
  state, _ = exp.programs.run(exp.programs.init(), 0, exp.steps)
  for leaf, other in zip(
    jax.tree.leaves(state.params), jax.tree.leaves(runs[1][1].params)
  ):
    np.testing.assert_array_equal(leaf, other)


def test_one_compilation_and_donated_states(both, runs):
  compiled = []
  jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: (
      compiled.append(event) if 'backend_compile' in event else None
    )
  )
  _, exp = both
  state = exp.programs.init()
  for start, stop in ((0, 1), (1, 7)):
    before = state
    state, _ = exp.programs.run(state, start, stop)
    assert all(x.is_deleted() for x in jax.tree.leaves(before.params))
  assert not compiled


@pytest.mark.slow
def test_a_streamed_run_ends_and_resumes(tmp_path):
  config = helpers.digits(**{'train.keep': 9})
  path = helpers.write_config(tmp_path / 'config.py', config)
  whole, resumed = tmp_path / 'whole', tmp_path / 'resumed'
  streaming = '--config.data.feed=streaming'
  code, _, err = helpers.run(
    f'--config={path}', f'--workdir={whole}', streaming
  )
  assert code == 0, err
  assert 'peak memory: host' in err
  results = json.loads((whole / 'results.json').read_text())
  speed, peak = results['throughput'], results['environment']['peak_memory']
  assert (speed['feed'], speed['resident_bytes']) == ('streaming', 0)
  assert 0 <= speed['input_wait_fraction'] <= 1
  assert peak['host_bytes'] > 2**20 and peak['device_reason']
  for line in (whole / 'metrics.jsonl').read_text().splitlines():
    event = json.loads(line)
    assert ('input_wait_fraction' in event) == (event['split'] == 'train')
  assert (
    'share of training spent waiting' in (whole / 'report.html').read_text()
  )

  # As if killed after step 8, and gone on where the samples do not fit.
  resumed.mkdir()
  (whole / 'config.json').rename(resumed / 'config.json')
  (resumed / 'checkpoints').mkdir()
  (whole / 'checkpoints/8').rename(resumed / 'checkpoints/8')
  exp = experiment.build(
    helpers.digits(**{'train.keep': 9, 'data.resident_bytes': 1000})
  )
  assert exp.programs.name == 'streaming'
  state = loop.train(exp, resumed)
  events = (resumed / 'metrics.jsonl').read_text().splitlines()
  assert json.loads(events[0])['step'] == 12  # It did not start again.
  with checkpoint.Checkpoints(whole, read_only=True) as checkpoints:
    expected = checkpoints.restore(exp.steps, exp.programs.init_shapes)
  for leaf, other in zip(
    jax.tree.leaves(expected), jax.tree.leaves(state), strict=True
  ):
    np.testing.assert_array_equal(leaf, other)


def test_a_resident_feed_over_its_budget_is_refused(tmp_path):
  path = helpers.write_config(tmp_path / 'config.py', helpers.digits())
  code, _, err = helpers.run(
    f'--config={path}',
    f'--workdir={tmp_path / "run"}',
    '--config.data.feed=resident',
    '--config.data.resident_bytes=1000',
  )
  assert code == 2 and not (tmp_path / 'run').exists()
  assert err.count('error:') == 1
  assert '115,008 bytes' in err and '1,000 of data.resident_bytes' in err
