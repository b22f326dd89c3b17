"""Registry of metrics: title and meaning of each, and where it is shown.

Everything that shows, compares or asks for a metric reads it here. Most are
computed in `detection`, `frames`, `pixels`, `pixel_criteria`, `regions` and
`results.measure`, several in one pass; a metric that is registered with a
function needs no other place.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from memae_jax.runtime import catalogue, errors


@dataclasses.dataclass(frozen=True)
class Metric:
  """A number that says how good a detector is.

  Attributes:
    name: its name in results and studies.
    title: its name in reports.
    meaning: an explanation for a reader.
    compute: (`scores.ReplicaScores`, `config.eval`) -> the value, None where
      it is undefined; None: it is computed together with others.
    needs_labels: whether `compute` reads which samples are anomalous.
    lower_is_better: whether lower values are better.
    least, most: its least and greatest possible values.
    headline: whether it stands in the report's first table.
    first_look: whether it stands in the terminal's table.
    of_pixels: whether it joins the first table where there are masks.
    of_money: whether it joins the first table where samples are payments.
    of_events: whether the table of events of videos shows it.
    of_places: whether the table of places in frames of videos shows it.
    of_area: whether the table of defects by their area shows it.
    of_class: whether tables of classes show it.
    over_steps: whether curves over training show it.
    only_some: whether only some kinds of samples have it.
  """

  name: str
  title: str
  meaning: str
  compute: Callable[[Any, Any], float | None] | None = None
  needs_labels: bool = True
  lower_is_better: bool = False
  least: float = 0.0
  most: float = 1.0
  headline: bool = False
  first_look: bool = False
  of_pixels: bool = False
  of_money: bool = False
  of_events: bool = False
  of_places: bool = False
  of_area: bool = False
  of_class: bool = False
  over_steps: bool = False
  only_some: bool = False


def _check(metric: Metric) -> None:
  """Raises UserError for a metric without title or meaning."""
  if not (metric.title and metric.meaning):
    raise errors.UserError(
      f'metric "{metric.name}" needs a title and a meaning, for reports'
    )


_METRICS = catalogue.Catalogue[Metric]('metric', _check)
register, names, find = _METRICS.register, _METRICS.names, _METRICS.find
