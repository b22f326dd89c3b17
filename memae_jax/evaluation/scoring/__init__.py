"""Scores of samples, from the weights of a run."""
