"""Figures of the report that show samples: what methods make of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.figure import Figure
from memae_jax.evaluation.report.plots import (
  foretold,
  images,
  odd_inputs,
  side_by_side,
)
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import scores

_REBUILT = (
  'A good model rebuilds normal samples and fails on anomalous ones: the error,'
  ' in squared units of the [0, 1] range, is bright where they differ. Below'
  ' it: the score, in units of the model input.'
)
_MAPPED = (
  'This method reconstructs nothing; its error map says how much each pixel'
  ' adds to the score. A good model has bright maps only where something is'
  ' anomalous; all of them have one scale. Below each map: the score.'
)
_OF_RULE = (
  'The error map is that of the score, and of the threshold; all of them have'
  ' one scale. Below each map: the score.'
)
_BY_AREA = (
  ' Outlined in green: what is above the threshold by the area of defects, see'
  ' its table.'
)
_ALONE = 4  # At most so many pictures that stand alone are drawn.
_SIDE_BY_SIDE = (
  'Of the normal pictures and of each kind of anomalies, the one with the'
  ' median score by the first method. Outlined in blue: the true mask. Below:'
  ' the maps of each method and its scores; the maps of a row have one scale,'
  ' by which the brightest two of a thousand pixels look the same.'
)


def draw(
  results: Mapping[str, Any],
  replicas: Sequence[scores.ReplicaScores],
  shown: scores.Pictures,
) -> list[Figure]:
  """Returns the figures of samples, in reading order.

  Args:
    results: the content of `results.json`.
    replicas: the scores of each network.
    shown: pictures that are of several replicas.
  """
  return [
    *_foretold(results, shown.foretold),
    *_strips(results, replicas, shown.strips),
    *_galleries(results, replicas),
    *_side_by_side(shown.side_by_side),
    *_other_classes(shown.other_classes),
    *_odd_inputs(results, replicas),
  ]


def worst(results, replicas) -> Iterator[Figure]:
  """Draws the sample with the highest score, for the head of the page.

  Args:
    results, replicas: see `draw`.
  """
  flags = results['flags'].get(results['headline'])
  gallery = scores.firsts(replicas)[results['headline']].gallery
  if flags is None or gallery is None or gallery.sample is None:
    return
  (places,) = np.nonzero(np.equal(gallery.sample, flags['sample']))
  if places.size:
    yield Figure(
      'worst',
      'first',
      'The sample with the highest score',
      'The error map is bright where the method sees an anomaly.'
      if gallery.reconstructions is None
      else 'The error is bright where the network fails to rebuild the sample.',
      images.one_sample(gallery, int(places[0])),
      vector=False,
    )


def _section(results, variant: str) -> str:
  """Returns 'errors' for the headline, before the tables, else 'pictures'."""
  return 'errors' if variant == results['headline'] else 'pictures'


def _meaning(gallery: scores.Gallery) -> str:
  """Says what the last row of a gallery is."""
  if gallery.maps is None:
    return _REBUILT
  by_area = _BY_AREA if gallery.limit is not None else ''
  return (_MAPPED if gallery.reconstructions is None else _OF_RULE) + by_area


def _outlined(gallery: scores.Gallery) -> str:
  """Says where the masks of a gallery are drawn, if it has any."""
  if gallery.masks is None:
    return ''
  row = 'map' if gallery.reconstructions is None else 'reconstruction'
  return f' Outlined in the {row}: the true mask.'


def _strips(results, replicas, strips) -> Iterator[Figure]:
  for variant, replica in scores.firsts(replicas).items():
    if replica.name in strips:
      yield Figure(
        f'strip_{variant}',
        _section(results, variant),
        f'What does {wording.label(variant)} make of a video?',
        f'Run {replica.name}: frames of one test video, evenly spaced in time;'
        ' those with orange titles are anomalous. Below each frame: its score.'
        + _outlined(strips[replica.name]),
        images.sample_gallery(strips[replica.name]),
        vector=False,
      )


def _galleries(results, replicas) -> Iterator[Figure]:
  for variant, replica in scores.firsts(replicas).items():
    if replica.gallery is not None and len(replica.gallery.score):
      yield Figure(
        f'gallery_{variant}',
        _section(results, variant),
        f'What does {wording.label(variant)} make of a sample?',
        f'Run {replica.name}, the first by name. {_meaning(replica.gallery)}'
        + _outlined(replica.gallery),
        images.sample_gallery(replica.gallery),
        vector=False,
      )


def _side_by_side(shown: scores.SideBySide | None) -> Iterator[Figure]:
  if shown is not None:
    limits = [column.limit for column in shown.columns]
    yield Figure(
      'side_by_side',
      'errors',
      'What does each method see in the same pictures?',
      _SIDE_BY_SIDE + (_BY_AREA if any(v is not None for v in limits) else ''),
      side_by_side.gallery(shown),
      vector=False,
    )


def _other_classes(other_classes) -> Iterator[Figure]:
  # Numbered, since a label may be no file name.
  for number, samples in enumerate(other_classes):
    yield Figure(
      f'other_classes_{number}',
      'pictures',
      f'What becomes of other classes, where "{samples.normal}" is normal?',
      f'Networks trained on class "{samples.normal}" alone. Each column is the'
      ' first test sample of another class, which stands above it; below it are'
      ' its reconstructions with their scores. A network that copies what it'
      ' never saw cannot tell it from normal; a memory should turn it into the'
      ' normal class (Figure 4 of the paper).',
      images.other_classes(samples),
      vector=False,
    )


def _odd_inputs(results, replicas) -> Iterator[Figure]:
  """Draws pictures of no class; methods that were shown the same together."""
  same: dict[bytes, list[scores.ReplicaScores]] = {}
  for replica in scores.firsts(replicas).values():
    if replica.odd is not None:
      same.setdefault(replica.odd.inputs.tobytes(), []).append(replica)
  quantile = results['config']['eval']['normal_quantile']
  for number, shown in enumerate(same.values()):
    yield Figure(
      f'odd_inputs_{number}',
      'pictures',
      'What can they not reconstruct?',
      f'Runs {", ".join(r.name for r in shown)}. Above: the first test samples'
      ' of some classes, normal ones with blue titles. Below: pictures of no'
      ' class. Scores of reconstructions are orange above the'
      f' {describe.percent(quantile)} quantile of the validation normals: what'
      ' is rebuilt well cannot be told from normal, whatever it is.',
      odd_inputs.draw(shown, quantile),
      vector=False,
    )


def _foretold(results, shown: Sequence[scores.Foretold]) -> Iterator[Figure]:
  """Draws the pictures that stand alone with the largest errors."""
  for found in shown:
    lines = results['foretold'][found.name]
    for k in found.loudest(_ALONE):
      line = lines[k]
      r2 = wording.format_value(line['r2'])
      z2 = wording.format_value(line['mean_z2'])
      yield Figure(
        f'foretold_{k}',
        'pictures',
        f'What does {line["file"]} say of itself?',
        f'R^2 of what is foretold: {r2}; mean square of the error in'
        f' deviations: {z2} (1 is right). Outlined in green: above four'
        ' deviations; in blue: blocks that were hidden from all others.',
        foretold.draw(found, k),
        vector=False,
      )
