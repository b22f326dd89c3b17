"""Metrics of scores and labels, by NumPy alone."""
