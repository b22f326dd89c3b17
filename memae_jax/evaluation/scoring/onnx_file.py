"""A replica as a model of ONNX, compared with the scores of its evaluation."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from memae_jax.data import host_stage, types
from memae_jax.evaluation.scoring import single
from memae_jax.exported import onnx_graph, onnx_model
from memae_jax.methods import registry
from memae_jax.runtime import errors, foreign

FAMILIES = ('autoencoder', 'bank')
MOST = 1e-4  # Largest difference of scores; of those above 1, relative to them.
SAMPLES = 1000  # Most samples that are compared.
_META = 'memae_jax'  # Key of the metadata.


class Compared(NamedTuple):
  """Scores of a model beside those of the evaluation.

  count: of samples. difference: the largest, in units of `MOST`'s rule.
  flags: samples that both flag, or neither.
  """

  count: int
  difference: float
  flags: int


def check(variant: str) -> None:
  """Raises UserError unless a method can be written, and packages are there.

  Args:
    variant: name of the method.
  """
  entry = registry.find(variant)
  if entry.family not in FAMILIES:
    raise errors.UserError(
      f'method "{variant}" cannot be written as ONNX; those of the families'
      f' {" and ".join(FAMILIES)} can; export it with --to=FILE.scorer'
    )
  try:
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
  except ImportError as error:
    raise errors.UserError(
      f"{error.name} is missing; pip install 'memae_jax[onnx]'"
    ) from error


def written(
  one: single.Single, host: types.HostStage | None, meta: Mapping[str, Any]
) -> bytes:
  """Returns the content of a file.

  It takes `samples` [batch, ...], bytes as in the files of the data set or
  numbers in float64, and gives `score` [batch].

  Args:
    one: the replica.
    host: the stage of numbers that is taken in float64; None: there is none.
    meta: of its scorer, which the file holds as JSON.

  Raises:
    UserError: it does something that the writer of ONNX does not know.
  """
  score = lambda x, arrays: one.holding(arrays).outputs(x)['score']
  before = host and (lambda graph, name: _staged(graph, name, host))
  try:
    model = onnx_model.model(score, one.shape, one.dtype, one.arrays, before)
  except errors.UserError as error:
    raise errors.UserError(
      f'the replica cannot be written as ONNX: {error}; export it with'
      ' --to=FILE.scorer'
    ) from error
  entry = model.metadata_props.add()
  entry.key, entry.value = _META, json.dumps(dict(meta), allow_nan=False)
  return model.SerializeToString()


def _staged(graph: onnx_graph.Graph, name: str, host: types.HostStage) -> str:
  """Adds the stage (log1p(x) - centre) * unit in float64."""
  if host.log1p.any():
    logs = host.log1p.astype(np.float64)
    taken = graph.node('Mul', name, graph.held(logs))
    log = graph.node('Log', graph.node('Add', taken, graph.held(np.float64(1))))
    rest = graph.node('Mul', name, graph.held(1 - logs))
    name = graph.node('Add', log, rest)
  name = graph.node('Sub', name, graph.held(host.centre))
  name = graph.node('Mul', name, graph.held(host.unit))
  return graph.node('Cast', name, to=graph.dtype(np.float32))


def raw(x: np.ndarray, host: types.HostStage | None) -> np.ndarray:
  """Returns samples as they were before their host stage.

  Args:
    x: [B, ...] samples after it.
    host: the stage, or None.
  """
  if host is None:
    return x
  return host_stage.undone(x, host)


def compared(
  content: bytes, samples: np.ndarray, scores: np.ndarray, threshold: float
) -> Compared:
  """Runs a model by onnxruntime, and compares its scores.

  Args:
    content: from `written`.
    samples: [B, ...] that it takes.
    scores: [B] of the evaluation.
    threshold: above which samples are flagged.

  Raises:
    UserError: onnxruntime cannot run it, or a score differs too much.
  """
  import onnxruntime

  flat = np.ascontiguousarray(samples)
  try:
    session = onnxruntime.InferenceSession(
      content, providers=['CPUExecutionProvider']
    )
    (found,) = session.run(None, {onnx_graph.INPUT: flat})
  except Exception as error:  # onnxruntime raises many kinds.
    raise errors.UserError(
      f'onnxruntime {onnxruntime.__version__} cannot run it'
      f' ({foreign.reason(error)}); export it with --to=FILE.scorer'
    ) from error
  apart = np.abs(found - scores) / np.maximum(np.abs(scores), 1)
  same = (found > threshold) == (scores > threshold)
  out = Compared(len(scores), float(apart.max()), int(same.sum()))
  if not out.difference <= MOST:
    raise errors.UserError(
      f'scores by onnxruntime differ from those of the evaluation by up to'
      f' {out.difference:.1e}, more than {MOST:.0e}; export it with'
      ' --to=FILE.scorer'
    )
  return out
