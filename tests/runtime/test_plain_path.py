"""Folders whose names a library would misread have a plain path."""

import jax
import pytest

from memae_jax.runtime import errors, plain_path
from tests import helpers


def test_several_processes_have_no_link(tmp_path, monkeypatch):
  monkeypatch.setattr(jax, 'process_count', lambda: 2)
  with plain_path.to(tmp_path / 'a=1,b') as path:
    assert path == tmp_path / 'a=1,b'
  with pytest.raises(errors.UserError, match=r'a\[1\] has a character'):
    with plain_path.to(tmp_path / 'a[1]'):
      pass


@pytest.mark.parametrize('name', helpers.ODD_NAMES)
def test_a_folder_with_special_characters_has_a_link_for_a_time(tmp_path, name):
  folder = tmp_path / name
  folder.mkdir()
  with plain_path.to(folder) as path:
    assert path.samefile(folder)
    assert (path == folder) == (name == 'not latin é')
  assert path == folder or not path.parent.exists()
