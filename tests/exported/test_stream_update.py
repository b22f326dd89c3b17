"""A memory that moves in a stream, against NumPy; scorers without one."""

import dataclasses

import jax
import numpy as np
import pytest

from memae_jax import export, scorer
from memae_jax.evaluation.scoring import collect, portable, single
from memae_jax.exported import scorer_file, stream_update
from memae_jax.methods import mnad, tasks
from memae_jax.runtime import errors
from memae_jax.training import experiment, step
from tests import exports
from tests.methods import moved_slots
from tests.methods.videos import predicting


def _followed(exp, variables, clips, below):
  """Scores, regular scores and last slots of a stream; the network is ours."""
  net = exp.trainer.method.network
  weights = {k: v for k, v in variables.items() if k != 'mnad'}

  def apply(method, *args):
    return jax.jit(lambda *a: net.apply(weights, *a, method=method))(*args)

  slots = np.asarray(variables['mnad']['slots'], np.float64)
  scores, regular = [], []
  for clip in clips:
    x = clip.astype(np.float32)[None] / np.float32(127.5) - 1
    seen = np.concatenate([x[:, i] for i in range(4)], axis=-1)
    query, above = apply(mnad.Network.queries, seen)
    query = np.asarray(query, np.float64)
    score = query @ slots.T
    soft = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    pair = np.float32(query), np.float32(soft @ slots)
    out = np.asarray(apply(mnad.Network.decode, *pair, above), np.float64)
    nearest = slots[score.argmax(axis=1)]
    scores.append(np.linalg.norm(query - nearest, axis=1).mean())
    error = ((out - x[:, 4]) / 2) ** 2
    weight = 1 - np.exp(-error)
    regular.append((weight * error).sum() / weight.sum())
    if regular[-1] < below:
      slots = moved_slots.moved(slots, query)
  return np.array(scores), np.array(regular), slots


_FIELDS = {
  'methods.mnad.widths': (4, 6),
  'model.batch_norm': False,
  'eval.score': 'memory_distance',
}


@pytest.fixture(scope='module')
def built():
  """An experiment that predicts, and the first weights of its fleet."""
  exp = experiment.build(predicting.config('mnad', **_FIELDS))
  return exp, step.weights(exp.programs.init())


@pytest.mark.slow
def test_scores_and_slots_over_ten_steps(built, tmp_path, monkeypatch):
  exp, weights = built
  variables = exp.programs.one(weights, 0).variables
  frames = exp.source.inputs.frames[:16]
  clips = [frames[i : i + 5] for i in range(12)]
  _, regular, _ = _followed(exp, variables, clips, 0.0)
  # Some frames move slots and others do not.
  below = float(np.median(regular))
  want, regular, slots = _followed(exp, variables, clips, below)
  assert 3 <= (regular < below).sum() <= 9
  monkeypatch.setattr(mnad.Mnad, 'below', below)
  replica = single.of(exp, weights, 0)
  parts = export.programs(replica, exp.config)
  calibrated = collect.Calibration(
    0.5, (), np.zeros(len(exp.splits[0].validation))
  )
  meta = export.meta(exp, 0, calibrated, 1, 1)
  memory = stream_update.Memory(
    parts[scorer_file.UPDATE],
    meta,
    lambda f, *args: f(*args),
    (replica.arrays,),
  )
  found = [memory.score(clip, i) for i, clip in enumerate(clips)]
  np.testing.assert_allclose(found, want, rtol=1e-5)
  np.testing.assert_allclose(memory.arrays['slots'], slots, atol=1e-5)
  assert memory.moves == (regular < below).sum()
  export.write(tmp_path / 'a.scorer', parts, meta)
  one = scorer.load(tmp_path / 'a.scorer')
  opened = one.stream(update=True)
  scored = list(opened.over(frames))
  assert [x.index for x in scored] == list(range(4, 16))
  assert {x.delay for x in scored} == {0}
  np.testing.assert_allclose([x.score for x in scored], want, rtol=1e-5)
  # The next video goes on with the slots of this one; a new stream does not.
  again = [x.score for x in opened.over(frames[:5])]
  assert abs(again[0] / want[0] - 1) > 1e-4
  again = [x.score for x in one.stream(update=True).over(frames[:5])]
  np.testing.assert_allclose(again, want[:1], rtol=1e-5)
  # Without the update all scores are those of the trained slots.
  still = [x.score for x in one.stream().over(frames)]
  np.testing.assert_allclose(still, one.score(np.stack(clips)), rtol=1e-6)
  assert np.abs(still / want - 1).max() > 1e-4
  # Both programs are rebuilt from the same weights.
  export.refresh(tmp_path / 'a.scorer', tmp_path / 'd.scorer')
  assert exports.members(tmp_path / 'd.scorer') == exports.members(
    tmp_path / 'a.scorer'
  )
  members = exports.members(tmp_path / 'a.scorer')
  for change, message in (
    ({scorer_file.UPDATE: b'other'}, 'sha256 of the program'),
    ({scorer_file.UPDATE: None}, 'other members'),
  ):
    changed = {k: v for k, v in (members | change).items() if v is not None}
    (tmp_path / 'b.scorer').write_bytes(exports.archive(changed))
    exports.refused(message, scorer.load, tmp_path / 'b.scorer')
  parts[scorer_file.UPDATE] = parts[scorer_file.PROGRAM]
  export.write(tmp_path / 'c.scorer', parts, meta)
  other = scorer.load(tmp_path / 'c.scorer')
  exports.refused('takes or returns something else', other.stream, True)


def test_published_thresholds():
  method = predicting.built(
    predicting.config('mnad', **_FIELDS), (5, 16, 24, 1)
  )
  assert method.below == 0.01
  assert dataclasses.replace(method, task=tasks.Task()).below == 0.015


@pytest.mark.parametrize(
  ('method', 'fields'), [('mnad', {'data.scaling': 'standard'}), ('ae', {})]
)
def test_only_frames_of_a_known_range_move_slots(method, fields):
  exp = experiment.build(predicting.config(method, **fields))
  one = single.of(exp, step.weights(exp.programs.init()), 0)
  is_bounded = tasks.is_bounded(exp.config)
  assert portable.update_program(one, is_bounded) is None


@pytest.mark.parametrize(
  ('method', 'message'),
  [
    ('memae', 'of method "memae", whose memory does not move'),
    ('mnad', 'frames or pictures must be bytes with data.input "frames"'),
  ],
)
def test_scorers_without_an_update_are_refused(method, message):
  meta = {'replica': {'variant': method}}
  with pytest.raises(errors.UserError, match=message):
    stream_update.check(meta)
  stream_update.check(meta | {'update': {}})


def test_a_stream_of_another_method_is_refused(scorer_of):
  found = scorer_of('dense')[1]
  exports.refused('leave out --update', found.stream, True)
