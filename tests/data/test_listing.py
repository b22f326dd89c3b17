"""Folders are listed as people number things, without what no person made."""

from memae_jax.data import listing


def _touch(*paths):
  for path in paths:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('')


def _names(folder):
  return [path.relative_to(folder).as_posix() for path in listing.files(folder)]


def test_numbers_are_in_order(tmp_path):
  _touch(*(tmp_path / f'{name}.png' for name in ('10', '2', 'a10b2', 'a9b30')))
  _touch(tmp_path / '3/1.png', tmp_path / '12/1.png')
  assert _names(tmp_path) == [
    '2.png', '3/1.png', '10.png', '12/1.png', 'a9b30.png', 'a10b2.png',
  ]  # fmt: skip
  assert [path.name for path in listing.folders(tmp_path)] == ['3', '12']


def test_what_systems_leave_behind_is_left_out(tmp_path):
  _touch(
    tmp_path / '.hidden',
    tmp_path / '.git/a.png',
    tmp_path / '__MACOSX/a.png',
    tmp_path / '@eaDir/a.png',
    tmp_path / 'Thumbs.db',
  )
  assert listing.folders(tmp_path) == [] and listing.is_empty(tmp_path)
  _touch(tmp_path / 'deep/er/a.png')
  assert _names(tmp_path) == ['Thumbs.db', 'deep/er/a.png']
  assert not listing.is_empty(tmp_path)


def test_links_are_followed_but_not_in_circles(tmp_path):
  _touch(tmp_path / 'a/1.png', tmp_path / 'other/2.png')
  (tmp_path / 'a/itself').symlink_to(tmp_path / 'a')
  (tmp_path / 'a/link').symlink_to(tmp_path / 'other')
  assert _names(tmp_path / 'a') == ['1.png', 'link/2.png']
  # The path without a link is kept, and each folder is listed once.
  assert _names(tmp_path) == ['a/1.png', 'other/2.png']


def test_a_folder_that_is_not_there(tmp_path):
  assert listing.folders(tmp_path / 'a') == listing.files(tmp_path / 'a') == []
