"""The publisher's file of KDDCUP99 is read, or refused in one line."""

import gzip
import hashlib

import pytest

from memae_jax.data import prepare
from memae_jax.data.prepare.builders import kddcup99
from memae_jax.runtime import errors
from tests import fakes


@pytest.fixture
def pose(monkeypatch):
  """Lets any text pass as the published file."""

  def make(folder, raw, rows=100):
    monkeypatch.setattr(kddcup99, 'SHA256', hashlib.sha256(raw).hexdigest())
    monkeypatch.setattr(kddcup99, 'ROWS', rows)
    (folder / kddcup99.FILES[0]).write_bytes(gzip.compress(raw))

  return make


def test_vocabularies_are_sorted():
  assert [len(v) for v in kddcup99.CATEGORIES.values()] == [3, 66, 11]
  for names in (*kddcup99.CATEGORIES.values(), kddcup99.LABELS):
    assert list(names) == sorted(set(names))
  assert len(kddcup99.COLUMNS) == 41 and len(kddcup99.NUMERIC) == 38


def test_the_unpacked_file_is_accepted(kddcup99_files, tmp_path):
  packed = kddcup99_files / kddcup99.FILES[0]
  (kddcup99_files / kddcup99.FILES[1]).write_bytes(
    gzip.decompress(packed.read_bytes())
  )
  packed.unlink()
  assert prepare.prepare('kddcup99', tmp_path, kddcup99_files).is_dir()


def test_tfds_reads_the_prepared_set(kddcup99_files, tmp_path):
  import tensorflow_datasets as tfds

  path = prepare.prepare('kddcup99', tmp_path, kddcup99_files)
  records = tfds.builder_from_directory(path).as_data_source('train')
  blocks = [len(record['label']) for record in records]
  assert blocks == [16] * 6 + [4]


def _refused(tmp_path, folder, match):
  with pytest.raises(errors.UserError, match=match) as caught:
    prepare.prepare('kddcup99', tmp_path / 'sets', folder)
  assert '\n' not in str(caught.value)
  assert not (tmp_path / 'sets/kddcup99_ten_percent/1.0.0').exists()


def test_other_content(kddcup99_files, tmp_path):
  (kddcup99_files / kddcup99.FILES[0]).write_bytes(gzip.compress(b'1,2,3\n'))
  _refused(tmp_path, kddcup99_files, 'not the published file.*expected')


@pytest.mark.parametrize('cut', [1, 30, -5])
def test_truncated_raw_file(kddcup99_files, tmp_path, cut):
  file = kddcup99_files / kddcup99.FILES[0]
  file.write_bytes(file.read_bytes()[:cut])
  _refused(tmp_path, kddcup99_files, 'kddcup.data_10_percent.gz')


def test_wrong_number_of_rows(kddcup99_files, pose, tmp_path):
  pose(kddcup99_files, fakes.kddcup99_row(0).encode() * 99)
  _refused(tmp_path, kddcup99_files, 'has 99 rows, expected 100')


def test_unknown_category_in_the_raw_file(kddcup99_files, pose, tmp_path):
  pose(
    kddcup99_files,
    (
      fakes.kddcup99_row(0) * 99 + fakes.kddcup99_row(1).replace('tcp', 'tcq')
    ).encode(),
  )
  _refused(tmp_path, kddcup99_files, 'line 100.*"protocol_type" is "tcq"')


def test_text_in_a_number(kddcup99_files, pose, tmp_path):
  pose(
    kddcup99_files,
    (fakes.kddcup99_row(0) * 99 + 'x' + fakes.kddcup99_row(1)).encode(),
  )
  _refused(tmp_path, kddcup99_files, 'kddcup.data_10_percent.gz.*99')


def test_ragged_raw_file(kddcup99_files, pose, tmp_path):
  pose(
    kddcup99_files,
    (fakes.kddcup99_row(0) * 99 + '1,' + fakes.kddcup99_row(1)).encode(),
  )
  _refused(tmp_path, kddcup99_files, 'kddcup.data_10_percent.gz.*columns')


def test_manual_folder_without_the_file(tmp_path):
  empty = tmp_path / 'empty'
  empty.mkdir()
  _refused(tmp_path, empty, 'holds no file kddcup.data_10_percent.gz')
