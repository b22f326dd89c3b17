"""Scores of the trivial and classical baselines, once for each split."""

import concurrent.futures
import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import threadpoolctl

from memae_jax import losses
from memae_jax.data import transforms
from memae_jax.evaluation.scoring import (
  clip_scores,
  combined,
  contrast,
  error_maps,
  plain_videos,
  scores,
)
from memae_jax.methods import base, classical, trivial
from memae_jax.runtime import host, progress_bar
from memae_jax.training import experiment

_BLOCK = 256  # Reconstructions whose errors are reduced at once, at most,
_PIXELS = 2**24  # and so many pixels: each has some ten maps in memory.
# Maps of videos that nobody learned, and what they are of.
_PLAIN = {
  'frame_difference': 'mean squared change from the frame before',
  'no_bank': 'squared speed of the cells of the scored frame',
}


class Scored(NamedTuple):
  """Scores of one replica or baseline on a split.

  score: [T] of the test samples. validation_score: [V] of held-out normals.
  rules: [T] by every rule that fits; None where there is one alone.
  pixels: metrics of error maps, and why some are undefined; None without.
  parts: of combined scores. held: [V] of the normals by every rule.
  maps: see `scores.ReplicaScores`.
  """

  score: np.ndarray
  validation_score: np.ndarray
  rules: dict[str, np.ndarray] | None = None
  pixels: error_maps.Metrics | None = None
  parts: tuple[combined.Part, ...] = ()
  held: dict[str, np.ndarray] | None = None
  maps: np.ndarray | None = None


def beyond_contrast(exp, index: int, error, held_out) -> np.ndarray | None:
  """Returns `contrast.residual` of the test samples of a replica.

  Args:
    exp: the experiment.
    index: of the replica.
    error: [T] scores of its test samples.
    held_out: [V] scores of its validation normals.

  Returns:
    [T], or None where the samples are no images or no normals are held out.
  """
  split = exp.splits[index]
  if not exp.source.has_images or not len(split.validation):
    return None
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
  if not _is_error(exp.rule):
    return None
  train, held_out = (Rows(exp.source, split.transform, rows) for rows in both)
  if exp.source.has_images:
    by_rule = _reconstructed(exp, 'mean', train, held_out, 0).by_rule
    return float(by_rule.get(exp.rule, by_rule['mse']).mean())
  return float(classical.run('mean', train, held_out, 0, most)[0].mean())


def _is_error(rule: str) -> bool:
  """Returns whether a rule scores reconstructions by a mean of errors."""
  return rule not in losses.COMBINED and not losses.find(rule).of_map


@functools.partial(jax.jit, static_argnames=('rules', 'shown'))
def _by_rule(x, output, rules, shown):
  found = rules.added(base.Prediction(**losses.of(x, output)))
  return found.scores, losses.map_of(shown, found.maps)


def _block(shape: Sequence[int]) -> int:
  """Returns how many images of a shape are in work at once."""
  return max(1, min(_BLOCK, _PIXELS // math.prod(shape)))


class Rebuilt(NamedTuple):
  """Scores of n reconstructed images.

  by_rule: {rule: [n]} of the rules that fit the scaling, and of those of maps.
  maps: [k, H, W] errors of the first images, as many as were asked for.
  words: for the report.
  """

  by_rule: dict[str, np.ndarray]
  maps: np.ndarray
  words: str


def _reconstructed(
  exp, name: str, train: 'Rows', rows: 'Rows', seed: int, mapped: int = 0
) -> Rebuilt:
  """Scores images by every rule, from what 'mean' or 'pca' make of them.

  Args:
    exp: the experiment.
    name: 'mean' or 'pca'.
    train: that it is fitted to.
    rows: the images.
    seed: of the fit.
    mapped: how many of the first images get a map of errors.
  """
  most, shape = exp.config.eval.baseline_samples, exp.source.inputs.shape[1:]
  fitted, words, _ = classical.fit(name, train, seed, most)
  mean = np.asarray(fitted['mean'], np.float64)
  components = fitted.get('components', np.zeros((0, len(mean))))
  shown = exp.map_rule if exp.map_rule in exp.fitting_rules else 'mse'
  parts, maps = [], [np.zeros((0, *shape[:2]), np.float32)]
  block = _block(shape)
  for start in range(0, len(rows), block):
    x = rows[start : start + block]
    out = mean + (x - mean) @ components.T @ components
    more = [(0, block - len(x)), (0, 0)]  # So that one program serves all.
    both = (
      np.pad(part, more).reshape(-1, *shape).astype(np.float32)
      for part in (x, out)
    )
    scored, errors_ = _by_rule(*both, exp.trainer.frames, shown)
    parts.append({k: np.asarray(v)[: len(x)] for k, v in scored.items()})
    if start < mapped:
      maps.append(np.asarray(errors_)[: min(mapped - start, len(x))])
  by_rule = {
    rule: np.concatenate([part[rule] for part in parts])
    for rule in parts[0]
    if rule in exp.fitting_rules or losses.find(rule).of_map
  }
  if exp.rule != 'mse' and exp.rule in (*by_rule, *losses.COMBINED):
    words += f'; scored by the rule "{losses.find(exp.rule).title}"'
  return Rebuilt(by_rule, np.concatenate(maps), words)


def run(
  exp: experiment.Experiment, before: Sequence[Scored]
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
    samples = source.inputs.frames if source.videos else source.inputs
    self.shape = len(rows), math.prod(samples.shape[1:])

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
  split, replica, out, notes = exp.splits[index], exp.replicas[index], [], {}
  fallback = mean_error(exp, split)
  methods = exp.config.fleet.variants
  for name in exp.config.eval.baselines:
    if name in methods or not _fits(exp, name):
      continue
    scored, notes[name] = _score(exp, name, before, index)
    if name != 'untrained':  # That is smooth already.
      scored = _smoothed(exp, split, scored)
    rebuilt = name in classical.RECONSTRUCT
    out.append(
      scores.ReplicaScores(
        name=f'{name}/{replica.seed}/{replica.normal_class}',
        fields={
          'variant': name,
          'seed': replica.seed,
          'normal_class': replica.normal_class,
        },
        score=np.asarray(scored.score, np.float32),
        anomalous=split.anomalous,
        sample=split.test,
        validation_score=np.asarray(scored.validation_score, np.float32),
        beyond_contrast=beyond_contrast(exp, index, *scored[:2])
        if rebuilt and _is_error(exp.rule)
        else None,
        mean_error=fallback if rebuilt else None,
        **clip_scores.of_split(
          exp.source,
          split,
          np.asarray(scored.score),
          np.asarray(scored.validation_score),
          exp.config.eval.frame_rate,
        ),
        rules=scored.rules if exp.source.has_images or name in _PLAIN else None,
        pixels=scored.pixels,
        maps=scored.maps,
      )
    )
  return out, notes


def _smoothed(exp, split, scored: Scored) -> Scored:
  """Smooths the scores of a row over the frames of videos, as those of all."""
  smooth = lambda rows, score: clip_scores.smoothed(
    exp.source, rows, score, exp.config.eval.smooth
  )
  rules = scored.rules and {
    rule: smooth(split.test, score) for rule, score in scored.rules.items()
  }
  return scored._replace(
    score=smooth(split.test, scored.score),
    validation_score=smooth(split.validation, scored.validation_score),
    rules=rules,
  )


def _fits(exp, name: str) -> bool:
  """Returns whether the samples are of the kind that a baseline is for."""
  source = exp.source
  learns = name != 'random' and name not in trivial.MAPS
  if learns and exp.config.data.protocol == 'alone':
    return False  # There is no training sample.
  if source.sizes is not None and name != 'random':
    return False  # The grey around small pictures would count.
  if name in trivial.MAPS:
    return source.has_images and _mapped(exp, exp.splits[0]) > 0
  if name in trivial.IMAGES_ONLY:
    return source.has_images
  return name not in _PLAIN or plain_videos.fits(source, name)


def _score(exp, name: str, before, index: int) -> tuple[Scored, str]:
  """Returns the scores of one baseline for a split, and a note for readers."""
  split, replica = exp.splits[index], exp.replicas[index]
  rows = np.concatenate([split.test, split.validation])
  of_split = lambda both: np.split(both, [len(split.test)])
  if name == 'untrained':
    return before[index], f'the network of "{replica.name}" before training'
  if name in _PLAIN:
    by_rule = plain_videos.score(
      exp.source, split.transform, rows, name, exp.trainer.frames
    )
    rule = plain_videos.chosen(by_rule, exp.rule)
    of_test = {k: v[: len(split.test)] for k, v in by_rule.items()}
    note = _PLAIN[name]
    if rule != 'mse':
      note += f'; scored by the rule "{losses.find(rule).title}"'
    pixels = _of_plain_maps(exp, name, split)
    return Scored(*of_split(by_rule[rule]), of_test, pixels), note
  if name in trivial.MAPS:
    return _score_maps(exp, name, split, rows)
  stream = np.random.SeedSequence([replica.seed, replica.normal_class or 0])
  seed = int(stream.generate_state(1)[0])
  train, tested = (
    Rows(exp.source, split.transform, part) for part in (split.train, rows)
  )
  if exp.source.has_images and name in ('mean', 'pca'):
    return _score_rebuilt(exp, name, split, train, tested, seed)
  both, note = classical.run(
    name, train, tested, seed, exp.config.eval.baseline_samples
  )
  return Scored(*of_split(both)), note


def _of_plain_maps(exp, name: str, split) -> error_maps.Metrics | None:
  """Returns the metrics of a map that nobody learned; None without masks."""
  if exp.source.masks is None:
    return None
  rows = split.test[exp.source.has_mask[split.test]]
  maps = plain_videos.cells(exp.source, split.transform, rows, name)
  return error_maps.measure(exp.source, rows, maps)


def _mapped(exp, split) -> int:
  """Returns how many samples, those of tests first, have maps to measure."""
  if error_maps.defect_share(exp.source, exp.config.eval):
    return len(split.test) + len(split.validation)
  return len(split.test) if exp.source.masks is not None else 0


def _with_maps(exp, name: str, split, maps, scored: Scored) -> Scored:
  """Adds metrics of the maps of as many samples as `_mapped` says.

  Of the first split the maps themselves are kept, too, if there are any.
  """
  parts = np.split(maps, [len(split.test)])
  metrics = error_maps.of_split(
    exp.source, split, *parts, exp.config.eval, name
  )
  known = None
  if metrics is not None and split is exp.splits[0]:
    known = error_maps.stored(exp.source, split, parts[0], error_maps.ROOM)
  return scored._replace(pixels=metrics, maps=known)


def _score_rebuilt(
  exp, name: str, split, train: 'Rows', rows: 'Rows', seed: int
) -> tuple[Scored, str]:
  """Scores images by errors of 'mean' or 'pca', which have maps."""
  by_rule, maps, note = _reconstructed(
    exp, name, train, rows, seed, _mapped(exp, split)
  )
  count = len(split.test)
  parts = combined.fit(
    exp.config.eval, {k: v[count:] for k, v in by_rule.items()}
  )
  by_rule |= combined.scores(parts, by_rule)
  both = np.split(by_rule.get(exp.rule, by_rule['mse']), [count])
  of_test = {k: v[:count] for k, v in by_rule.items()}
  return _with_maps(exp, name, split, maps, Scored(*both, of_test)), note


def _score_maps(exp, name: str, split, rows) -> tuple[Scored, str]:
  """Scores images by the highest pixel of a map that needs no training."""
  parts, maps, mapped = [], [], _mapped(exp, split)
  size = _block(exp.source.inputs.shape[1:])
  for start in range(0, len(rows), size):
    raw = exp.source.inputs[rows[start : start + size]]
    block = trivial.MAPS[name](transforms.apply(raw, split.transform))
    parts.append(exp.trainer.frames.of_cells(block.reshape(len(block), -1)))
    maps.append(block[: max(mapped - start, 0)].astype(np.float32))
  by_rule = {
    rule: np.concatenate([part[rule] for part in parts]) for rule in parts[0]
  }
  count = len(split.test)
  both = np.split(by_rule['max_cell'], [count])
  of_test = {k: v[:count] for k, v in by_rule.items()}
  note = 'deviation of the pixels around each pixel; the score is the highest'
  scored = Scored(*both, of_test)
  return _with_maps(exp, name, split, np.concatenate(maps), scored), note
