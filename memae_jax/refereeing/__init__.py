"""Judges anomaly scores that anybody brings, without a run."""
