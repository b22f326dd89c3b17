"""The benchmark of exports has each family of methods that can be exported."""

import numpy as np

from benchmarks import export_cases
from memae_jax.methods import registry


def test_each_family_has_a_case_and_a_sound_config(tmp_path):
  path = export_cases.write_table(tmp_path)
  families, seen = set(), set()
  for data, method, what, fields in export_cases.CASES:
    config = export_cases.config(data, method, fields, path)
    assert config.fleet.variants == (method,)
    families.add(registry.find(method).family)
    seen.add((data, method, what))
  every = [registry.find(name) for name in registry.names()]
  assert families == {entry.family for entry in every if entry.exportable}
  assert len(seen) == len(export_cases.CASES)  # No row stands for two.
  assert {data for data, *_ in seen} == set(export_cases.DATA)


def test_the_table_has_tails_and_offsets(tmp_path):
  with np.load(export_cases.write_table(tmp_path)) as content:
    rows = content['inputs']
  assert len(rows) >= 1000 and rows[:, 3].mean() > 1e5
  assert (rows[:, 0] > 0).all() and np.isfinite(rows).all()
