"""The largest count that fits is found by a line, and compiled."""

import pytest

from memae_jax.planning import fitting


@pytest.mark.parametrize('at', [100, 4000])
def test_largest_follows_a_line_and_is_checked(at):
  compiled = []

  def peak(count):
    compiled.append(count)
    return 1000 + 3 * count

  other = 2 * at if peak(at) <= 10_000 else at // 2
  found = fitting.largest(peak, at, peak(at), other, 4, 10_000)
  assert found['checked'] and found['largest'] == 2900
  assert compiled[-1] == 2900 and found['peaks'][2900] <= 10_000
  # The line bends: the second check comes lower.
  steep = lambda count: 1000 + 3 * count + max(0, count - 2000) * 3
  found = fitting.largest(steep, 100, steep(100), 200, 4, 10_000)
  assert found['checked'] and 2000 <= found['largest'] <= 2500
  nothing = fitting.largest(lambda _: 2000, 100, 2000, 50, 4, 1000)
  assert nothing['largest'] is None
