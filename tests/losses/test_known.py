"""Rules against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import losses


def _score(name, x, output):
  rule = losses.find(name)
  return rule.reduce(rule.errors(x, output))


def _of_clips():
  """Names of the rules that give a clip one score."""
  rules = losses.fitting(losses.CLIP)
  return [rule.name for rule in rules if not rule.over_clips]


def _clips(channels=1, seed=0):
  rng = np.random.default_rng(seed)
  return rng.uniform(-1, 1, (2, 3, 16, 5, 4, channels)).astype(np.float32)


@pytest.mark.parametrize('channels', [1, 3])
def test_rules_are_their_definitions(channels):
  x, out = _clips(channels)
  error = out.astype(np.float64) - x
  length = np.sqrt(np.square(error).sum(axis=-1))
  over_time = np.sqrt(np.square(error / 2).sum(axis=1))
  centre = np.square(error[:, 8]).mean(axis=(1, 2, 3))
  expected = {
    'mse': np.square(error).mean(axis=(1, 2, 3, 4)),
    'mae_clip': length.mean(axis=(1, 2, 3)),
    'release2019': over_time.mean(axis=(1, 2, 3)),
    'mse_centre': centre,
    'psnr_centre': -10 * np.log10(1 / (centre / 4)),
  }
  assert _of_clips() == list(expected)
  for name in expected:
    found = jax.jit(_score, static_argnums=0)(name, x, out)
    assert found.shape == (3,) and found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected[name], rtol=1e-5, err_msg=name)


def test_one_channel_makes_the_rule_of_the_head_a_mean_absolute_error():
  x, out = _clips()
  expected = np.abs(out - x).mean(axis=(1, 2, 3, 4))
  np.testing.assert_allclose(_score('mae_clip', x, out), expected, rtol=1e-5)


def test_rules_rank_differently():
  # One large error in one frame against small ones in every frame.
  x = np.zeros((2, 16, 4, 4, 1), np.float32)
  out = x.copy()
  out[0, 3], out[1] = 0.8, 0.1
  higher = {name: int(_score(name, x, out).argmax()) for name in _of_clips()}
  assert higher['mse'] == higher['release2019'] == 0
  assert higher['mae_clip'] == higher['mse_centre'] == 1


def test_perfect_reconstruction_is_finite_and_lowest():
  x, out = _clips()
  for name in _of_clips():
    best = _score(name, x, x)
    assert np.isfinite(best).all(), name
    assert (best < _score(name, x, out)).all(), name
  assert _score('psnr_centre', x, x) == pytest.approx(-100)


def test_half_precision_is_scored_in_single():
  x, out = (jnp.asarray(v, jnp.bfloat16) for v in _clips())
  for rule in losses.fitting(losses.CLIP):
    assert _score(rule.name, x, out).dtype == jnp.float32


def test_frame_errors_average_to_the_clip():
  x, out = _clips(3)
  found = _score('mse_averaged', x, out)
  assert found.shape == (3, 16)
  np.testing.assert_allclose(found.mean(axis=1), _score('mse', x, out))


def test_constant_halves_have_a_cross_entropy_of_log_two():
  x = np.random.default_rng(0).uniform(0.1, 0.9, (3, 6, 5, 1))
  entropy = -(x * np.log(x) + (1 - x) * np.log(1 - x)).mean(axis=(1, 2, 3))
  x, rule = x.astype(np.float32), losses.find('bce')
  half = np.full_like(x, 0.5)
  np.testing.assert_allclose(
    rule.score(x, half), np.log(2) - entropy, rtol=1e-5
  )
  black_or_white = np.round(x)  # These have no entropy.
  np.testing.assert_allclose(
    rule.score(black_or_white, half), np.log(2), rtol=1e-5
  )
  assert rule.scalings == ('minmax',) and rule.trains
