import asyncio
import concurrent.futures
import logging

import jax
import numpy as np
import pytest

from memae_jax.estimators import calls
from memae_jax.runtime import errors, progress_bar


def test_errors_become_value_errors_of_the_same_line():
  with pytest.raises(ValueError, match='^do that$') as caught, calls.guarded():
    raise errors.UserError('do that')
  assert isinstance(caught.value, errors.UserError)


def test_settings_of_jax_are_those_of_the_caller_afterwards():
  with jax.enable_x64(True):
    with calls.guarded():
      assert jax.numpy.ones(1).dtype == np.float32
    assert jax.numpy.ones(1).dtype == np.float64


@pytest.mark.parametrize('verbose', [0, 1])
def test_bars_are_shown_or_not(verbose, capsys):
  with calls.guarded(verbose):
    bar = progress_bar.Progress('train', 2)
    bar.at(2, 'loss 1')
    bar.close()
  assert ('loss 1' in capsys.readouterr().err) == bool(verbose)


def test_libraries_warn_others_alone(caplog):
  logger = logging.getLogger('absl')
  caplog.set_level(logging.WARNING, logger='absl')  # Other tests set it, too.
  with calls.guarded():
    logger.warning('inside')
    logger.error('bad')
  logger.warning('outside')
  assert [r.message for r in caplog.records] == ['bad', 'outside']


@pytest.mark.slow
def test_works_where_people_call_it(small, table, tmp_path):
  """In a running event loop, in threads, and with other settings of JAX."""
  expected = small().fit(table).score_samples(table)
  fit = lambda: small().fit(table).score_samples(table)

  async def in_a_loop():
    fitted = small().fit(table)
    fitted.save(tmp_path / 'saved')
    return type(fitted).load(tmp_path / 'saved').score_samples(table)

  np.testing.assert_array_equal(asyncio.run(in_a_loop()), expected)
  with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for future in [pool.submit(fit) for _ in range(2)]:
      np.testing.assert_array_equal(future.result(), expected)
  for setting in (jax.enable_x64(True), jax.debug_nans(True)):
    with setting:
      np.testing.assert_array_equal(fit(), expected)


@pytest.mark.slow
@pytest.mark.thorough
def test_works_without_jit(small, table):
  expected = small(epochs=1).fit(table).score_samples(table)
  with jax.disable_jit():
    found = small(epochs=1).fit(table)
    explained = found.explain(table[:2])
    got = found.score_samples(table)
  np.testing.assert_allclose(got, expected, rtol=1e-4)
  np.testing.assert_allclose(explained.score, -got[:2], rtol=1e-4)
