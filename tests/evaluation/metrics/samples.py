"""Scores and labels of samples, for tests of what is computed of them."""

import numpy as np
from hypothesis import strategies as st

# Few distinct values, so that ties are the rule.
SAMPLES = st.lists(
  st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30
).filter(lambda pairs: len({y for _, y in pairs}) == 2)


def arrays(pairs):
  """Scores [K] float32 and labels [K] bool of pairs."""
  return (
    np.array([s for s, _ in pairs], np.float32),
    np.array([y for _, y in pairs]),
  )
