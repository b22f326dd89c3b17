"""Scorer of new samples by a file of `export`; needs only JAX and NumPy.

scorer = memae_jax.scorer.load('digits.scorer')
scorer.score(images)   [B] higher is more anomalous
scorer.flag(images)    [B] bool, above `scorer.threshold`
scorer.flag(images, false_alarm=0.01)    [B] bool, at a stated rate
scorer.contributions(rows)    [B, K] what each column of a table adds
scorer.stream()               samples one after another, see `exported.stream`

python -m memae_jax.scorer digits.scorer images.npy --to=scores.csv
ls -v *.png | python -m memae_jax.scorer digits.scorer --stream

`jax.export` reads its format with the package flatbuffers. Files of pictures
and videos need Pillow and PyAV. A file of `export` is a program: load only
files of people whose programs you would run.
"""

import functools
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from memae_jax import conformal
from memae_jax.data import host_stage
from memae_jax.exported import (
  alarms,
  by_column,
  sample_files,
  scorer_file,
  stream,
)
from memae_jax.runtime import errors, foreign, paths


def load(path: str | os.PathLike) -> 'Scorer':
  """Reads a file that `python -m memae_jax.export` wrote.

  Raises:
    UserError: it is missing, damaged or foreign, or of another version.
  """
  path = paths.local(path, 'the scorer')
  meta, members = scorer_file.parts(path)
  scorer_file.check_flatbuffers()
  try:
    binary = bytearray(members[scorer_file.PROGRAM])
    exported = jax.export.deserialize(binary)
  except Exception as error:  # The content is sound; JAX raises many kinds.
    raise scorer_file.unreadable(path, meta, error) from error
  update = members.get(scorer_file.UPDATE, b'')
  weights = scorer_file.arrays(path, members)
  return Scorer(path, meta, exported, update, weights)


class Scorer:
  """A detector: a program with its weights, and a threshold.

  meta: the content of meta.json, see `export`.
  exported: the program, for embedding in other JAX code.
  weights: what `exported` takes after samples: one dict of arrays; nothing in
    files of earlier versions.
  """

  def __init__(
    self,
    path: pathlib.Path,
    meta: dict[str, Any],
    exported: jax.export.Exported,
    update: bytes = b'',
    weights: tuple[dict[str, np.ndarray], ...] = (),
  ):
    """Takes the parts of a file, which `load` checks.

    Args:
      path: of the file, for messages.
      meta: the content of its meta.json.
      exported: its program.
      update: the program that moves its memory, or b''.
      weights: what both take beside samples.
    """
    self.weights = weights
    self.meta, self.exported, self._update = meta, exported, update
    self._shape = tuple(meta['input']['shape'])
    self._dtype = np.dtype(meta['input']['dtype'])
    self._path = foreign.name_of(path)
    self._stage = None  # Bytes and motion go through no host stage.
    if self._dtype == np.float32 and meta['input']['kind'] != 'clips':
      self._stage = host_stage.from_json(meta['input']['host'])
    if not scorer_file.fits(exported, self.weights, self._shape, self._dtype):
      raise errors.UserError(
        f'{self._path} is damaged: its program takes or returns something else'
        ' than its meta.json says; export it again'
      )
    self._names = by_column.inputs(meta['input'])
    # Without the maps, which XLA does not compute then.
    self._score = jax.jit(
      lambda *args: {'score': exported.call(*args)['score']}
    )
    self._explain = jax.jit(exported.call)

  @functools.cached_property
  def _placed(self) -> tuple[Any, ...]:
    """The weights on the device; copied once, when something is scored."""
    return jax.tree.map(jax.numpy.asarray, self.weights)

  @property
  def threshold(self) -> float:
    """Score above which samples are flagged: a quantile of held-out normals."""
    return self.meta['threshold']

  def score(self, samples: Any) -> np.ndarray:
    """Returns the scores [B] float32; higher is more anomalous.

    Args:
      samples: [B, *shape] raw samples as the data set has them: images and
        clips as uint8 (with motion as float32), tables as numbers (float64
        where they are large) with categories one-hot, in the order of
        `meta['input']['columns']`; or a data frame, whose categories and dates
        may be as in the training file. Or the path of a file or folder, see
        `read`.

    Raises:
      UserError: the network cannot take the samples.
    """
    return self._run(self._score, samples)['score']

  def flag(
    self,
    samples: Any,
    false_alarm: float | None = None,
    fdr: float | None = None,
  ) -> np.ndarray:
    """Returns whether samples raise an alarm, [B] bool.

    Args:
      samples: see `score`.
      false_alarm: rate of alarms among new normals, by validation normals.
      fdr: in its place, largest mean share of normals among those of the
        samples that are flagged. None of both: above `threshold`.

    Raises:
      UserError: both are given, there are too few validation normals, or an
        earlier version wrote the file.
    """
    return alarms.flags(self.meta, self.score(samples), false_alarm, fdr)

  def p_value(self, samples: Any) -> np.ndarray:
    """Returns conformal p-values [B] float64 by validation normals.

    Args:
      samples: see `score`.

    Raises:
      UserError: an earlier version wrote the file.
    """
    return conformal.p_values(self.score(samples), alarms.normals(self.meta))

  def explain(self, samples: Any) -> dict[str, np.ndarray]:
    """Returns the scores with the errors that they are made of.

    Args:
      samples: see `score`.

    Returns:
      `score` [B]; `errors`, [B, D] of each input of a table or [B, H, W] of
      the pixels of images or of the scored frame of clips, if the method has
      them; and, with a memory, `kept` [B], how many slots the reads of a
      sample kept.
    """
    return self._run(self._explain, samples)

  @property
  def columns(self) -> list[str]:
    """Names of the K columns of a table; empty for other samples."""
    return [column.name for column in by_column.columns(self.meta)]

  def contributions(self, samples: Any) -> np.ndarray:
    """Returns what each column of a table adds to the scores, [B, K] float64.

    What the columns of a row add sums to its score; `columns` has their names.

    Args:
      samples: see `score`.

    Raises:
      UserError: the score is no sum over columns, as that of a reconstruction
        or of a bank of rows is.
    """
    by_column.check(self.meta)
    return by_column.added(self.meta, self.explain(samples)['errors'])

  def stream(
    self,
    update: bool = False,
    false_alarm: float | None = None,
    alarms_per_hour: float | None = None,
  ) -> stream.Stream:
    """Returns a stream, which takes samples one after another.

    Its program is compiled here, so that no sample waits for it.

    Args:
      update: whether the slots of "mnad" move with samples that look normal, as
        published; the scores then depend on what came before.
      false_alarm: see `flag`.
      alarms_per_hour: in its place, of videos, see `exported.hourly`.

    Raises:
      UserError: there are too few validation normals, the samples need a
        package that is missing, or `update` is asked for and the scorer has
        none.
    """
    limits = alarms.of_stream(self.meta, false_alarm, alarms_per_hour)
    if update:
      from memae_jax.exported import stream_update

      stream_update.check(self.meta)
      memory = stream_update.Memory(
        self._update, self.meta, self._called, self.weights
      )
      return stream.Stream(self.meta, self._prepared, memory.score, *limits)
    found = stream.Stream(self.meta, self._prepared, self._one, *limits)
    self._one(np.zeros(self._shape, self._dtype), 0)
    return found

  def _one(self, x: np.ndarray, number: int) -> float:
    """Returns the score of a sample [...] that is the number-th of a file.

    Some methods draw random numbers, others at each place of a block.
    """
    blocks = self.meta['blocks']
    batch = np.zeros(
      (blocks.get(jax.default_backend(), blocks['default']), *x.shape), x.dtype
    )
    place = number % len(batch)
    batch[place] = x
    return float(
      self._called(self._score, batch, *self._placed)['score'][place]
    )

  def read(self, path: str | os.PathLike) -> tuple[list[Any], Any]:
    """Reads a file or folder as samples.

    Args:
      path: a .npy file, or a .npz file of one array (or of `inputs`). For a
        table also a csv or parquet file; for images a picture or a folder of
        them; for videos a film or a folder of frames, each of which gets
        the score of the clip around it.

    Returns:
      A name, row or frame of each sample, and the samples.

    Raises:
      UserError: the network cannot take the samples.
    """
    places, samples = self.read_places(path)
    return next(iter(places.values())), samples

  def read_places(
    self, path: str | os.PathLike
  ) -> tuple[dict[str, list[Any]], Any]:
    """Reads a file or folder as samples, with all places to find them by.

    Args:
      path: see `read`.

    Returns:
      {'row': [...], name of the key column: [...]} or {'image': [...]} or
      {'frame': [...]}; and the samples.
    """
    source = paths.local(path, 'INPUT')
    return sample_files.read(source, self.meta['input'], self._prepared)

  def _run(self, function, samples) -> dict[str, np.ndarray]:
    """Runs a function of the program on samples, batch by batch."""
    if isinstance(samples, (str, os.PathLike)):
      _, samples = self.read(samples)
    if not hasattr(samples, 'frames'):
      samples = self._prepared(samples)
    parts = []
    for x, padded in self._batches(samples):
      outputs = self._called(function, padded, *self._placed)
      parts.append({k: np.asarray(v)[: len(x)] for k, v in outputs.items()})
    return {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}

  def _called(self, function, *args) -> Any:
    """Runs a program; a foreign one may fail in many ways."""
    try:
      return function(*args)
    except Exception as error:
      if 'RESOURCE_EXHAUSTED' in str(error):
        raise
      raise scorer_file.unreadable(self._path, self.meta, error) from error

  def _batches(self, samples) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields batches of the samples, plain and padded to one of a few sizes.

    Each size compiles once. A device computes whole blocks, so a batch smaller
    than a block saves nothing; several batches all have the full size.
    """
    blocks = self.meta['blocks']
    size = blocks['default']
    least = blocks.get(jax.default_backend(), size)
    while size // 4 >= max(len(samples), least):
      size //= 4
    for start in range(0, len(samples), size):
      x = samples[start : start + size]
      yield x, np.pad(x, [(0, size - len(x))] + [(0, 0)] * (x.ndim - 1))

  def _checked(self, samples: Any, where: str = '') -> np.ndarray:
    """Returns samples as an array, of shape and type that the network takes.

    Args:
      samples: anything that NumPy makes an array of.
      where: begins an error message, such as 'FILE: '.

    Raises:
      UserError: shape or type are others, or there is no sample.
    """
    x = np.asarray(by_column.of_frame(samples, self.meta['input'], where))
    if self._shape[-1:] == (1,) and x.shape[1:] == self._shape[:-1]:
      x = x[..., None]  # Grey pictures without an axis of channels.
    wanted = f'[B{"".join(f", {n}" for n in self._shape)}] {self._dtype}'
    if x.shape[1:] != self._shape or x.ndim != len(self._shape) + 1:
      hint = ', also for one sample' if x.shape == self._shape else ''
      raise errors.UserError(
        f'{where}samples have shape {list(x.shape)}, but the network takes'
        f' {wanted}{hint}'
      )
    if not len(x):
      raise errors.UserError(f'{where}there is no sample')
    is_integer = np.issubdtype(self._dtype, np.integer)
    if x.dtype != self._dtype and (
      is_integer or not np.can_cast(x.dtype, self._dtype, 'same_kind')
    ):
      raise errors.UserError(
        f'{where}samples are {x.dtype}, but the network takes {wanted}'
        + (', not scaled' if is_integer else '')
      )
    return x

  def _prepared(self, samples: Any, where: str = '') -> np.ndarray:
    """Returns samples as the program takes them, after the host stage."""
    x = self._checked(samples, where)
    if self._stage is None:
      return x
    if self.meta['input']['missing'] == 'error':
      host_stage.refuse(np.isnan(x), 'missing', self._names, where)
    return host_stage.apply(x, self._stage, self._names, where)


def main(argv: list[str] | None = None) -> int:
  """Scores a file or folder, or a stream.

  Args:
    argv: words after the command; None: those of the process.

  Returns:
    The exit code.
  """
  from memae_jax.exported import score_command  # Scores need none of it.

  return score_command.run(load, argv)


if __name__ == '__main__':
  sys.exit(main())
