"""Slots of MNAD that move, in plain NumPy."""

import numpy as np


def unit(rows: np.ndarray) -> np.ndarray:
  """Returns rows of length 1."""
  return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def moved(slots: np.ndarray, query: np.ndarray) -> np.ndarray:
  """The update as the paper writes it: softmax over queries, then maximum."""
  score = query @ slots.T
  weight = np.exp(score) / np.exp(score).sum(axis=0)
  weight /= weight.max(axis=0)
  out = slots.copy()
  for k, i in enumerate(score.argmax(axis=1)):
    out[i] += weight[k, i] * query[k]
  return unit(out)
