"""The points of a study: which fields of a base config take which values.

  product(sweep('train.alpha', (0, 1e-4)), sweep('train.seed', range(3)))

A point is a dict of config fields. Besides the dotted names of `config.SCHEMA`
it may have one `variant` and one `normal_class`, and two notes for the tables:
`label`, a name, and `published`, the study's metric in a paper. Axes of the
fleet are fields of one replica here: `fleet.slots` with one number, or `slots`,
is `model.memory.slots`.
"""

import itertools
import json
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from memae_jax import config as config_lib
from memae_jax.config import config_file
from memae_jax.evaluation.metrics import registry as metric_facts
from memae_jax.methods import registry
from memae_jax.runtime import errors
from memae_jax.training import fleet

Fields = dict[str, Any]

# {field of one replica: axis of the fleet}.
AXES = {
  'model.memory.slots': 'slots',
  'model.memory.threshold': 'thresholds',
  'train.alpha': 'alphas',
  'train.learning_rate': 'learning_rates',
}
_ALIASES = {f'fleet.{axis}': field for field, axis in AXES.items()} | {
  'fleet.variants': 'variant',
  'fleet.normal_classes': 'normal_class',
  'seed': 'train.seed',
}
_ALIASES |= {field.rsplit('.', 1)[-1]: field for field in AXES}
_ONE = {'variant': 'fleet.variants', 'normal_class': 'fleet.normal_classes'}


class Study(NamedTuple):
  """A study, as `get_study(arg)` of its file returns it.

  base: config file and its arguments, relative to the study's file, such as
    '../mnist.py:seeds=2,variant=memae'.
  points: from `sweep`, `product`, `zipit` and `chain`.
  fields: config fields of all points; the fields of a point override them.
  metric: that the curve shows, and by which the best point is found.
  name: for tables; '': that of the file.
  ranked: field whose values are data sets over which methods are ranked, such
    as 'data.path'; '': no ranks.
  """

  base: str
  points: Sequence[Fields]
  fields: Fields = {}
  metric: str = 'auroc'
  name: str = ''
  ranked: str = ''


class Point(NamedTuple):
  """One row of the table.

  fields: of the config that the study sets and the variant reads.
  label: name in the tables, or ''.
  config: resolved, with no axis of the fleet but seeds and normal classes.
  index: of the row.
  published: the metric in a paper, or None.
  """

  fields: Fields
  label: str
  config: Any
  index: int = 0
  published: float | None = None


def sweep(field: str, values: Iterable[Any]) -> list[Fields]:
  """Returns one point for each value of a field."""
  return [{field: value} for value in values]


def over_data(paths: Iterable[pathlib.Path], variants: str) -> list[Fields]:
  """Returns a point for each data set by each variant, with a label.

  Args:
    paths: values of `data.path`.
    variants: joined by "+".
  """
  return [
    {'data.path': str(path), 'variant': v, 'label': f'{path.name}, {v}'}
    for path in paths
    for v in variants.split('+')
  ]


def point(**fields: Any) -> list[Fields]:
  """Returns one point; dotted names go in as point(**{'train.alpha': 0.0})."""
  return [fields]


def _joined(parts: Sequence[Fields]) -> Fields:
  """Joins points into one; raises UserError if a field occurs twice."""
  out: Fields = {}
  for part in parts:
    twice = [key for key in part if key in out]
    if twice:
      raise errors.UserError(
        f'study: field "{twice[0]}" is swept twice in a product; chain the'
        ' sweeps instead'
      )
    out |= part
  return out


def product(*sweeps: Sequence[Fields]) -> list[Fields]:
  """Returns all combinations of points; the first sweep varies slowest."""
  return [_joined(parts) for parts in itertools.product(*sweeps)]


def zipit(*sweeps: Sequence[Fields]) -> list[Fields]:
  """Joins the first point of each sweep, then the second of each, and so on.

  Raises:
    UserError: the lengths differ.
  """
  if len({len(s) for s in sweeps}) > 1:
    lengths = ', '.join(str(len(s)) for s in sweeps)
    raise errors.UserError(
      f'study: sweeps of {lengths} values cannot be zipped; give one length'
    )
  return [_joined(parts) for parts in zip(*sweeps)]


def chain(*sweeps: Sequence[Fields]) -> list[Fields]:
  """Returns the points of all sweeps, one sweep after the other."""
  return list(itertools.chain(*sweeps))


def load(name: str) -> tuple[Study, pathlib.Path]:
  """Reads a study.

  Args:
    name: `FILE.py[:arguments]`, or `NAME[:arguments]` of a packaged study.

  Returns:
    The study, which has a name now, and the folder of its file.

  Raises:
    UserError: there is no such file, or it describes no study.
  """
  path, arg = config_file.existing(name, function='get_study')
  study = config_file.called(path, arg, 'get_study')
  if not isinstance(study, Study):
    raise errors.UserError(f'{path}: get_study returns no Study')
  try:
    metric_facts.find(study.metric)
  except errors.UserError as error:
    raise errors.UserError(f'{path}: {error}') from error
  if not study.points:
    raise errors.UserError(f'{path}: the study has no points')
  return study._replace(name=study.name or path.stem), path.parent


def points(study: Study, folder: pathlib.Path) -> list[Point]:
  """Resolves the points of a study; points that coincide become one.

  Where the base trains several variants, or has other axes, a point becomes
  one for each of their values. A field that a variant does not read is dropped.

  Args:
    study: from `load`.
    folder: of its file; a base that is not there is looked for in the current
      folder.

  Raises:
    UserError: the base or a field is wrong.
  """
  if not (folder / study.base.partition(':')[0]).exists():
    folder = pathlib.Path()
  base = config_file.get_config(study.base, folder)
  base = _set(config_lib.resolve(base).to_dict(), _full_names(study.fields))
  by_key: dict[Any, Point] = {}
  for fields in study.points:
    fields = dict(fields)
    label = str(fields.pop('label', ''))
    published = fields.pop('published', None)
    for resolved in _expanded(base, _full_names(fields), label):
      resolved = resolved._replace(published=published)
      config = resolved.config
      by_key.setdefault((trained_alike(config), replicas(config)), resolved)
  return [each._replace(index=i) for i, each in enumerate(by_key.values())]


def _full_names(fields: Mapping[str, Any]) -> Fields:
  """Replaces aliases of fields by their full names.

  Raises:
    UserError: two names are of one field.
  """
  out: Fields = {}
  for key, value in fields.items():
    several = isinstance(value, (list, tuple))
    name = key if several else _ALIASES.get(key, key)
    if name in out:
      raise errors.UserError(f'study: a point sets "{name}" twice')
    out[name] = tuple(value) if several else value
  return out


def _set(config: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
  """Returns a copy of a nested config with some fields changed.

  Raises:
    UserError: there is no such field.
  """
  out = json.loads(json.dumps(config))
  for key, value in fields.items():
    if key in AXES:
      out['fleet'][AXES[key]] = ()
    if key in _ONE:
      key, value = _ONE[key], (value,)
    *path, last = key.split('.')
    group = out
    for part in path:
      group = group.get(part)
      if not isinstance(group, dict):
        raise errors.UserError(
          f'study: config field "{key}" is unknown'
          + errors.did_you_mean(key, config_lib.flatten(config))
        )
    group[last] = value
  return out


def _expanded(base, fields: Fields, label: str) -> Iterable[Point]:
  """Yields the points with one value of each axis that `fields` stand for.

  Args:
    base: nested config.
    fields: of a point, by their full names.
    label: of the point.
  """
  fleet_of_all = config_lib.resolve(
    _set(base, {k: v for k, v in fields.items() if k == 'variant'})
  ).fleet
  for variant in fleet_of_all.variants:
    read = {k: v for k, v in fields.items() if registry.reads(variant, k)}
    several = len(fleet_of_all.variants) > 1
    named = {'variant': variant}
    config = config_lib.resolve(_set(base, read | named))
    axes = {
      field: config.fleet[axis]
      for field, axis in AXES.items()
      if config.fleet[axis] and registry.reads(variant, field)
    }
    cleared = {f'fleet.{axis}': () for axis in AXES.values()}
    for values in itertools.product(*axes.values()):
      by_axis = dict(zip(axes, values))
      varied = {k: v for k, v in by_axis.items() if len(axes[k]) > 1}
      alone = _set(base, cleared | read | named | by_axis)
      yield Point(
        read | (named if several else {}) | varied,
        label,
        config_lib.resolve(alone),
      )


def key(replica: fleet.Replica) -> tuple:
  """Returns the settings that tell replicas of one group apart.

  A memory size that the replica does not read is None.
  """
  return (
    replica.variant,
    replica.slots if replica.has_memory else None,
    replica.threshold,
    replica.alpha,
    replica.learning_rate,
    replica.normal_class,
    replica.seed,
  )


def replicas(config: Any) -> frozenset[tuple]:
  """Returns the keys of all replicas of a config."""
  return frozenset(map(key, fleet.replicas(config)))


def trained_alike(config: Any) -> str:
  """Returns a text that is equal for configs whose replicas fit one fleet.

  Fields of `eval` are left out, but for the checkpoint rule, on which depends
  what a checkpoint stores.
  """
  return _canonical(config, config_lib.trains)


def evaluated_alike(config: Any) -> str:
  """Returns a text that is equal for configs whose results could be one run's.

  It has the fields of `trained_alike`, and all others that results depend on.
  """
  return _canonical(config, config_lib.names_run)


def _canonical(config: Any, wanted: Callable[[str], bool]) -> str:
  axes = (*AXES, 'train.seed')
  fields = config_lib.chosen(
    config,
    lambda name: (
      wanted(name) and name not in axes and not name.startswith('fleet.')
    ),
  )
  return json.dumps(fields, sort_keys=True)


def varying(points: Sequence[Point]) -> list[str]:
  """Returns the fields that tell the points apart, in the study's order."""
  names = dict.fromkeys(name for point in points for name in point.fields)
  text = lambda point, name: json.dumps(point.fields.get(name))
  return [n for n in names if len({text(point, n) for point in points}) > 1]


def filled(point: Point, names: Sequence[str]) -> Fields:
  """Returns the fields of a point, with those that only other points set.

  Args:
    point: of the study.
    names: of the fields that tell the points apart.
  """
  flat = config_lib.flatten(point.config.to_dict())
  variant = point.config.fleet.variants[0]
  flat['variant'] = variant
  if len(point.config.fleet.normal_classes) == 1:
    flat['normal_class'] = point.config.fleet.normal_classes[0]
  return {
    name: flat[name]
    for name in dict.fromkeys((*names, *point.fields))
    if name in flat and registry.reads(variant, name)
  }


def short(field: str) -> str:
  """Returns the last part of a field's name."""
  return field.rsplit('.', 1)[-1]
