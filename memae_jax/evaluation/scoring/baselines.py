"""Scores of the trivial and classical baselines, once for each split."""

import concurrent.futures
import functools
import math
from typing import Any

import numpy as np
import threadpoolctl

from memae_jax.data import transforms
from memae_jax.evaluation.scoring import clip_scores, contrast, scores
from memae_jax.methods import classical
from memae_jax.runtime import host, progress_bar
from memae_jax.training import experiment

# Scores of the test samples [T] and of the validation normals [V], per replica.
Errors = list[tuple[np.ndarray, np.ndarray]]


def beyond_contrast(exp, index: int, error, held_out) -> np.ndarray | None:
  """Returns `contrast.residual` of the test samples of a replica.

  Args:
    exp: the experiment.
    index: of the replica.
    error: [T] scores of its test samples.
    held_out: [V] scores of its validation normals.

  Returns:
    [T], or None where the samples are no images.
  """
  if not exp.source.has_images:
    return None
  split = exp.splits[index]
  of_test, of_validation = (
    contrast.contrast(exp.source.inputs[rows])
    for rows in (split.test, split.validation)
  )
  slope = contrast.slope(held_out, of_validation)
  return contrast.residual(error, of_test, slope)


def mean_error(exp, split) -> float | None:
  """Returns the `ReplicaScores.mean_error` of a split."""
  both, most = (split.train, split.validation), exp.config.eval.baseline_samples
  if exp.source.videos or not all(map(len, both)):
    return None
  train, held_out = (Rows(exp.source, split.transform, rows) for rows in both)
  return float(classical.run('mean', train, held_out, 0, most)[0].mean())


def run(
  exp: experiment.Experiment, before: Errors
) -> tuple[list[scores.ReplicaScores], dict[str, str]]:
  """Scores the trivial and classical baselines, once for each split.

  Args:
    exp: the experiment.
    before: scores of the untrained fleet.

  Returns:
    The scores of each baseline and split, and a note on each baseline by name.
  """
  firsts: dict[Any, int] = {}
  for i, replica in enumerate(exp.replicas):
    if replica.variant == exp.replicas[0].variant:
      firsts.setdefault((replica.seed, replica.normal_class), i)
  progress = progress_bar.Progress('baselines', len(firsts))
  out, notes = [], {}
  # BLAS, libsvm and NumPy take most of the time, and let other threads run.
  # With threads of their own they would wait for each other, and the whole
  # takes up to 30 times longer.
  with (
    threadpoolctl.threadpool_limits(1, 'blas'),
    concurrent.futures.ThreadPoolExecutor(host.cores()) as pool,
  ):
    split = functools.partial(_baselines_of_split, exp, before)
    results = pool.map(split, firsts.values())
    for done, (scored, notes_of_split) in enumerate(results, 1):
      out += scored
      notes = notes_of_split | notes  # The first split's notes stay.
      progress.at(done, 'splits')
  progress.close()
  return out, notes


class Rows:
  """Model inputs [n, D] float32 of samples, read when they are asked for.

  A clip is represented by its scored frame: all frames would be far too wide.
  """

  def __init__(self, source, transform, rows):
    self._source, self._transform, self._rows = source, transform, rows
    shape = source.inputs.shape[2 if source.videos else 1 :]
    self.shape = len(rows), math.prod(shape)

  def __len__(self) -> int:
    return len(self._rows)

  def __getitem__(self, index) -> np.ndarray:
    rows, inputs = self._rows[index], self._source.inputs
    if self._source.videos:
      raw = inputs.frames[inputs.take(rows).scored]
    else:
      raw = inputs[rows]
    return transforms.apply(raw, self._transform).reshape(len(raw), -1)


def _baselines_of_split(exp, before, index: int):
  """Scores the baselines for the split of one replica, see `run`."""
  config, split = exp.config.eval, exp.splits[index]
  replica, out, notes = exp.replicas[index], [], {}
  fallback = mean_error(exp, split)
  rows = np.concatenate([split.test, split.validation])
  reader = functools.partial(Rows, exp.source, split.transform)
  methods = exp.config.fleet.variants
  for name in (name for name in config.baselines if name not in methods):
    if name == 'untrained':
      score, validation_score = before[index]
      note = f'the network of "{replica.name}" before training'
    elif name == 'frame_difference':
      if not exp.source.videos:
        continue
      both = clip_scores.frame_difference(exp.source, split.transform, rows)
      score, validation_score = np.split(both, [len(split.test)])
      note = 'mean squared change from the frame before'
    else:
      stream = np.random.SeedSequence([replica.seed, replica.normal_class or 0])
      both, note = classical.run(
        name,
        reader(split.train),
        reader(rows),
        int(stream.generate_state(1)[0]),
        config.baseline_samples,
      )
      score, validation_score = np.split(both, [len(split.test)])
    notes[name] = note
    rebuilt = name in classical.RECONSTRUCT
    out.append(
      scores.ReplicaScores(
        name=f'{name}/{replica.seed}/{replica.normal_class}',
        fields={
          'variant': name,
          'seed': replica.seed,
          'normal_class': replica.normal_class,
        },
        score=np.asarray(score, np.float32),
        anomalous=split.anomalous,
        sample=split.test,
        validation_score=np.asarray(validation_score, np.float32),
        beyond_contrast=beyond_contrast(exp, index, score, validation_score)
        if rebuilt
        else None,
        mean_error=fallback if rebuilt else None,
        frames=clip_scores.frames(
          exp.source, split.test, np.asarray(score), split.anomalous
        ),
      )
    )
  return out, notes
