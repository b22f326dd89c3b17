"""Fixtures of tests that read commands."""

import pytest

from tests import helpers


@pytest.fixture
def in_the_project(monkeypatch):
  monkeypatch.chdir(helpers.ROOT)


@pytest.fixture
def same_argv(monkeypatch):
  monkeypatch.setattr('sys.argv', ['main'])
