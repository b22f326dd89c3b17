"""The file of card payments is linked or unpacked, and checked first."""

import zipfile

import pytest

from memae_jax.data import prepare, sources
from memae_jax.data.prepare.builders import creditcard, creditcard_made
from memae_jax.runtime import errors


@pytest.fixture
def raw(tmp_path):
  """A folder with a small file of the form of the published one."""
  columns = creditcard_made.table(200, 8)
  creditcard_made.write(tmp_path / 'raw/creditcard.csv', columns)
  return tmp_path / 'raw'


def _load(data_config, tmp_path):
  folder = str(tmp_path / 'sets')
  return sources.load(
    data_config(name='creditcard', protocol='given', data_dir=folder)
  )


def test_a_file_is_linked(raw, tmp_path, data_config):
  target = prepare.prepare('creditcard', tmp_path / 'sets', raw)
  path = target / 'creditcard.csv'
  assert path.readlink() == raw / 'creditcard.csv'
  assert prepare.prepare('creditcard', tmp_path / 'sets') == target
  assert len(_load(data_config, tmp_path).inputs) == 200


@pytest.mark.parametrize('name', creditcard.ARCHIVES)
def test_an_archive_is_unpacked(raw, tmp_path, data_config, name):
  with zipfile.ZipFile(raw / name, 'w') as archive:
    archive.write(raw / 'creditcard.csv', 'creditcard.csv')
  (raw / 'creditcard.csv').unlink()
  target = prepare.prepare('creditcard', tmp_path / 'sets', raw)
  assert [path.name for path in target.iterdir()] == ['creditcard.csv']
  assert not (target / 'creditcard.csv').is_symlink()
  assert len(_load(data_config, tmp_path).inputs) == 200


def test_another_file_takes_the_place_of_the_first(raw, tmp_path, data_config):
  prepare.prepare('creditcard', tmp_path / 'sets', raw)
  other = tmp_path / 'other/creditcard.csv'
  creditcard_made.write(other, creditcard_made.table(150, 8))
  prepare.prepare('creditcard', tmp_path / 'sets', other.parent)
  assert len(_load(data_config, tmp_path).inputs) == 150


def test_what_is_wrong_is_one_line_and_leaves_nothing(raw, tmp_path):
  def refused(match, folder=raw):
    with pytest.raises(errors.UserError, match=match) as caught:
      prepare.prepare('creditcard', tmp_path / 'sets', folder)
    assert '\n' not in str(caught.value)
    assert not list((tmp_path / 'sets').glob('[!.]*'))

  path = raw / 'creditcard.csv'
  path.write_text(path.read_text().replace('"Class"', '"Kind"'))
  refused('creditcard.csv has no column "Class"')
  with zipfile.ZipFile(raw / 'archive.zip', 'w') as archive:
    archive.write(path, 'other.csv')
  path.unlink()
  refused('archive.zip has no creditcard.csv')
  (raw / 'archive.zip').write_bytes(b'PK')
  refused('archive.zip cannot be unpacked')
  (raw / 'archive.zip').unlink()
  refused('holds no creditcard.csv.*asks for a login')
  refused('there is no creditcard.csv', None)


def test_a_file_that_went_away_is_not_prepared(raw, tmp_path, data_config):
  prepare.prepare('creditcard', tmp_path / 'sets', raw)
  (raw / 'creditcard.csv').unlink()
  with pytest.raises(errors.UserError, match='not prepared'):
    _load(data_config, tmp_path)
