"""The points of a study: which fields of a base config take which values.

  product(sweep('train.alpha', (0, 1e-4)), sweep('train.seed', range(3)))

A point is a dict of config fields. Besides the dotted names of `config.SCHEMA`
it may have `variant` and `normal_class`, one each, and two notes for the
tables: `label`, a name, and `published`, the study's metric in a paper. Fields
of the fleet's axes are those of one replica: `fleet.slots` with one number, or
`slots`, is `model.memory.slots`.
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

# Field of one replica: the axis of the fleet.
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
  """What a study's file returns from `get_study(arg)`.

  base: config file and its arguments, relative to the study's file, such as
    '../mnist.py:seeds=2,variant=memae'.
  points: from `sweep`, `product`, `zipit` and `chain`.
  fields: config fields of all points; a point's own come after them.
  metric: what the curve shows and the best is the best of.
  name: for tables; empty: that of the file.
  """

  base: str
  points: Sequence[Fields]
  fields: Fields = {}
  metric: str = 'auroc'
  name: str = ''


class Point(NamedTuple):
  """One row of the table.

  fields: of the base config that the study set and the variant reads.
  config: resolved, with no axis of the fleet but seeds and normal classes.
  index: of the row. published: the metric in a paper.
  """

  fields: Fields
  label: str
  config: Any
  index: int = 0
  published: float | None = None


def sweep(field: str, values: Iterable[Any]) -> list[Fields]:
  """One point for each value of a field."""
  return [{field: value} for value in values]


def point(**fields: Any) -> list[Fields]:
  """One point; dotted names are given as point(**{'train.alpha': 0.0})."""
  return [fields]


def _joined(parts: Sequence[Fields]) -> Fields:
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
  """Every combination; the first sweep varies slowest."""
  return [_joined(parts) for parts in itertools.product(*sweeps)]


def zipit(*sweeps: Sequence[Fields]) -> list[Fields]:
  """The first of each, the second of each, ...

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
  """The points of one after those of the other."""
  return list(itertools.chain(*sweeps))


def load(given: str) -> tuple[Study, pathlib.Path]:
  """Reads `FILE.py[:arguments]`, or `NAME[:arguments]` of a packaged study.

  Returns:
    The study, named, and the folder of its file.

  Raises:
    UserError: there is no such file, or it describes no study.
  """
  path, arg = config_file.existing(given, function='get_study')
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
  """Resolves the points of a study; those that coincide are one.

  Where the base trains several variants, or has other axes, a point becomes
  one for each. A field that a variant does not read is dropped.

  Args:
    study: from `load`.
    folder: of its file, that the base is looked for in; else in the current.

  Raises:
    UserError: the base or a field is not sound.
  """
  if not (folder / study.base.partition(':')[0]).exists():
    folder = pathlib.Path()
  base = config_file.get_config(study.base, folder)
  base = _set(config_lib.resolve(base).to_dict(), _plain(study.fields))
  found: dict[Any, Point] = {}
  for given in study.points:
    given = dict(given)
    label, published = str(given.pop('label', '')), given.pop('published', None)
    for one in _expanded(base, _plain(given), label):
      one = one._replace(published=published)
      found.setdefault((trained_alike(one.config), replicas(one.config)), one)
  return [one._replace(index=i) for i, one in enumerate(found.values())]


def _plain(given: Mapping[str, Any]) -> Fields:
  """One name for each field."""
  out: Fields = {}
  for key, value in given.items():
    several = isinstance(value, (list, tuple))
    name = key if several else _ALIASES.get(key, key)
    if name in out:
      raise errors.UserError(f'study: a point sets "{name}" twice')
    out[name] = tuple(value) if several else value
  return out


def _set(config: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
  """A copy of a nested config with some fields changed."""
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


def _expanded(base, given: Fields, label: str) -> Iterable[Point]:
  """The points with one value of each axis that `given` stands for."""
  whole = config_lib.resolve(
    _set(base, {k: v for k, v in given.items() if k == 'variant'})
  )
  for variant in whole.fleet.variants:
    read = {k: v for k, v in given.items() if registry.reads(variant, k)}
    several = len(whole.fleet.variants) > 1
    own = {'variant': variant}
    config = config_lib.resolve(_set(base, read | own))
    axes = {
      field: config.fleet[axis]
      for field, axis in AXES.items()
      if config.fleet[axis] and registry.reads(variant, field)
    }
    cleared = {f'fleet.{axis}': () for axis in AXES.values()}
    for values in itertools.product(*axes.values()):
      chosen = dict(zip(axes, values))
      shown = {k: v for k, v in chosen.items() if len(axes[k]) > 1}
      fields = read | (own if several else {}) | shown
      alone = _set(base, cleared | read | own | chosen)
      yield Point(fields, label, config_lib.resolve(alone))


def key(replica: fleet.Replica) -> tuple:
  """What tells replicas of one group apart, but for what they do not read."""
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
  """The keys of all replicas of a config."""
  return frozenset(map(key, fleet.replicas(config)))


def trained_alike(config: Any) -> str:
  """The same text for configs whose replicas one fleet could hold.

  `eval` fields are no part of it, but for the checkpoint rule: what is stored
  depends on it.
  """
  return _canonical(config, config_lib.trains)


def evaluated_alike(config: Any) -> str:
  """As `trained_alike`, with every field that a run's results depend on."""
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


def varying(found: Sequence[Point]) -> list[str]:
  """The fields that tell the points apart, in the order of the study."""
  names = dict.fromkeys(name for point in found for name in point.fields)
  text = lambda point, name: json.dumps(point.fields.get(name))
  return [n for n in names if len({text(point, n) for point in found}) > 1]


def filled(one: Point, names: Sequence[str]) -> Fields:
  """The fields of a point with those that only other points set."""
  flat = config_lib.flatten(one.config.to_dict())
  variant = one.config.fleet.variants[0]
  flat['variant'] = variant
  if len(one.config.fleet.normal_classes) == 1:
    flat['normal_class'] = one.config.fleet.normal_classes[0]
  return {
    name: flat[name]
    for name in dict.fromkeys((*names, *one.fields))
    if name in flat and registry.reads(variant, name)
  }


def short(field: str) -> str:
  """The last part of a field's name."""
  return field.rsplit('.', 1)[-1]
