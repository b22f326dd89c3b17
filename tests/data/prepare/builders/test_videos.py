"""Archives of videos are unpacked, or refused."""

import io
import tarfile

from memae_jax.data import prepare
from memae_jax.data.prepare.builders import raw
from tests.data.prepare.builders import trees


def test_archive(ped2_files, tmp_path, monkeypatch, load_prepared):
  folder = tmp_path / 'archives'
  folder.mkdir()
  path = folder / 'UCSD_Anomaly_Dataset.tar.gz'
  with tarfile.open(path, 'w:gz') as archive:
    archive.add(ped2_files, 'UCSD_Anomaly_Dataset.v1p2')
  trees.refused(tmp_path, 'ucsd_ped2', folder, 'not the published file: md5')
  monkeypatch.setattr(raw, 'check_file', lambda *args: None)
  prepare.prepare('ucsd_ped2', tmp_path / 'sets', folder)
  assert len(load_prepared('ucsd_ped2').inputs) == 20
  left = {p.name for p in (tmp_path / 'sets').iterdir()}
  assert left <= {'ucsd_ped2', 'frames', '.ucsd_ped2.lock', 'downloads'}


def test_archive_that_reaches_out(tmp_path, monkeypatch):
  folder = tmp_path / 'archives'
  folder.mkdir()
  with tarfile.open(folder / 'UCSD_Anomaly_Dataset.tar.gz', 'w:gz') as archive:
    archive.addfile(tarfile.TarInfo('../../out'), io.BytesIO(b''))
  monkeypatch.setattr(raw, 'check_file', lambda *args: None)
  trees.refused(tmp_path, 'ucsd_ped2', folder, 'cannot be unpacked')
  assert not (tmp_path / 'out').exists()
