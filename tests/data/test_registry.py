"""Where prepared sets are, and which fields data sets read."""

import pathlib

from memae_jax.data import registry


def test_data_dir_rule(monkeypatch, tmp_path):
  monkeypatch.delenv('MEMAE_DATA_DIR', raising=False)
  monkeypatch.setenv('HOME', '/home/me')
  assert registry.data_dir() == pathlib.Path('/home/me/memae_data')
  monkeypatch.setenv('MEMAE_DATA_DIR', '/env')
  assert registry.data_dir() == pathlib.Path('/env')
  assert registry.data_dir('/given') == pathlib.Path('/given')
  monkeypatch.chdir(tmp_path)
  assert registry.data_dir('here') == tmp_path / 'here'
