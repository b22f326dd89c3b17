"""Metrics of scores and labels, by NumPy alone; `registry` has them by name."""

from memae_jax.evaluation.metrics import (  # noqa: F401  They register.
  entries,
  event_entries,
  money_entries,
  place_entries,
)
