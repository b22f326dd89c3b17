"""Metrics of scores and labels, by NumPy alone; `registry` has them by name."""

from memae_jax.evaluation.metrics import (  # noqa: F401  They register.
  alarm_entries,
  entries,
  event_entries,
  money_entries,
  place_entries,
)
