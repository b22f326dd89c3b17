"""Groups are exact products, every point is in one, taking one away is safe."""

from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.methods import registry
from memae_jax.studies import grid, groups
from tests.studies import test_grid

VALUES = {
  'variant': tuple(
    name for name in registry.names() if registry.find(name).reconstructs
  ),
  'slots': (2, 3, 5),
  'threshold': (0.0, 0.5, 1.0),
  'alpha': (0.0, 0.1),
  'learning_rate': (0.1, 0.01),
  'normal_class': (0, 1, 2),
  'seed': (0, 1, 2, 4),
  'fleet.seeds': (1, 2),
  'model.memory.similarity': ('cosine', 'dot'),
  'train.batch_size': (8, 16),
}


def _points_of(tmp, given):
  return test_grid.points(tmp, given)


@st.composite
def _lists(draw):
  """A chain of some products and some single points."""
  axes = st.fixed_dictionaries(
    {},
    optional={
      name: st.lists(st.sampled_from(values), min_size=1, max_size=3)
      for name, values in VALUES.items()
    },
  )
  parts = []
  for chosen in draw(st.lists(axes, min_size=1, max_size=4)):
    sweeps = [grid.sweep(k, dict.fromkeys(v)) for k, v in chosen.items()]
    parts.append(grid.product(*sweeps)[:24])
  return grid.chain(*parts)


def _union(members):
  return frozenset().union(*(grid.replicas(p.config) for p in members))


@given(_lists(), st.data())
@settings(max_examples=25, deadline=None)
def test_every_point_once_in_an_exact_product(tmp_path_factory, given, data):
  points = _points_of(tmp_path_factory.getbasetemp(), given)
  grouped = groups.group(points)
  assert sorted(p.index for members in grouped for p in members) == list(
    range(len(points))
  )
  for members in grouped:
    config = groups.fleet_config(members)
    assert grid.replicas(config) == _union(members)
    for point in members:
      assert grid.evaluated_alike(config) == grid.evaluated_alike(point.config)
  names = [groups.name(members) for members in grouped]
  assert len(set(names)) == len(names)
  gone = data.draw(st.sampled_from(grouped))
  left = [p for p in points if p not in gone]
  assert groups.group(left) == [
    members for members in grouped if members != gone
  ]
  if len(gone) > 1:
    parts = groups.split(gone)
    assert len(parts) > 1
    assert sorted(p.index for part in parts for p in part) == sorted(
      p.index for p in gone
    )


def test_one_fleet_where_there_can_be_one(tmp_path):
  given = grid.chain(
    grid.product(
      grid.sweep('slots', (3, 5, 10)),
      grid.sweep('alpha', (0.0, 0.1)),
      grid.sweep('seed', (0, 1, 2)),
    ),
    grid.product(
      grid.sweep('variant', ('ae', 'vae')), grid.sweep('seed', (0, 1, 2))
    ),
  )
  (members,) = groups.group(_points_of(tmp_path, given))
  axes = groups.fleet_config(members).fleet
  assert axes.slots == (3, 5, 10) and axes.seeds == 3
  assert axes.variants == ('memae', 'ae', 'vae') and axes.alphas == (0.0, 0.1)


def test_seeds_with_a_gap_are_two_fleets(tmp_path):
  grouped = groups.group(_points_of(tmp_path, grid.sweep('seed', (5, 0, 1))))
  configs = [groups.fleet_config(members) for members in grouped]
  assert [(c.train.seed, c.fleet.seeds) for c in configs] == [(5, 1), (0, 2)]


def test_other_fields_are_other_runs(tmp_path):
  given = grid.product(
    grid.sweep('model.memory.similarity', ('cosine', 'dot')),
    grid.sweep('slots', (3, 5)),
  )
  grouped = groups.group(_points_of(tmp_path, given))
  assert [len(members) for members in grouped] == [2, 2]
  assert groups.name(grouped[0]).startswith('similarity=cosine,slots=3+5-')
