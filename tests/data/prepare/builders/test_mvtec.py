"""MVTec AD from its archive or from folders, and what is refused."""

import shutil
import tarfile

import pytest

from memae_jax.data import prepare
from memae_jax.data.prepare.builders import mvtec
from memae_jax.runtime import errors
from tests import fakes

NAMES = 'bottle', 'screw'


@pytest.fixture
def raw(tmp_path, monkeypatch):
  """Folders of a set of two categories, within another one."""
  monkeypatch.setattr(mvtec, 'CATEGORIES', NAMES)
  for name in NAMES:
    fakes.pictures(tmp_path / 'raw/inner' / name, side=8)
  return tmp_path / 'raw'


def _pack(raw, names=NAMES):
  """Puts folders into an archive of the published name; it alone stays."""
  with tarfile.open(raw / mvtec.ARCHIVE, 'w:xz') as archive:
    for name in names:
      archive.add(raw / 'inner' / name, name)
  shutil.rmtree(raw / 'inner')
  return raw


def _refused(tmp_path, match, *args):
  with pytest.raises(errors.UserError, match=match) as caught:
    prepare.prepare('mvtec', tmp_path / 'sets', *args)
  assert '\n' not in str(caught.value)
  left = [path.name for path in (tmp_path / 'sets').glob('[!.]*')]
  assert left in ([], ['mvtec'])  # Nothing half unpacked.


def test_an_archive_is_unpacked(raw, tmp_path, load_pictures):
  target = prepare.prepare('mvtec', tmp_path / 'sets', _pack(raw))
  assert sorted(path.name for path in target.iterdir()) == list(NAMES)
  for name in NAMES:
    source = load_pictures(target / name)
    assert source.masks.any(axis=(1, 2)).sum() == 4 and not source.warnings
    assert not (target / name).is_symlink()
  assert prepare.prepare('mvtec', tmp_path / 'sets') == target


def test_folders_are_linked_and_missing_ones_are_added(raw, tmp_path):
  target = prepare.prepare('mvtec', tmp_path / 'sets', raw / 'inner/screw')
  assert [path.name for path in target.iterdir()] == ['screw']
  assert (target / 'screw').is_symlink()
  assert prepare.prepare('mvtec', tmp_path / 'sets') == target
  prepare.prepare('mvtec', tmp_path / 'sets', raw)
  assert (target / 'bottle').readlink() == raw / 'inner/bottle'
  # The folders are gone: what was linked is unpacked.
  prepare.prepare('mvtec', tmp_path / 'sets', _pack(raw))
  assert (target / 'screw/train').is_dir()


def test_nothing_is_downloaded(raw, tmp_path):
  _refused(tmp_path, f'there is no {mvtec.ARCHIVE}.*{mvtec.HOMEPAGE}.*a form')
  (tmp_path / 'empty').mkdir()
  _refused(tmp_path, f'empty holds no {mvtec.ARCHIVE}', tmp_path / 'empty')


def test_what_is_not_whole_is_refused(raw, tmp_path):
  shutil.rmtree(raw / 'inner/screw/test/good')
  _refused(tmp_path, 'screw is no whole category.*test/good', raw)
  _refused(tmp_path, 'has no category "screw"', _pack(raw, NAMES[:1]))
  path = raw / mvtec.ARCHIVE
  path.write_bytes(path.read_bytes()[:-200])
  _refused(tmp_path, 'xz cannot be unpacked .*; fetch it again', raw)
