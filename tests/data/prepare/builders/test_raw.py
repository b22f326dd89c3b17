"""Publishers' files are found, unpacked and compared with checksums."""

import gzip
import tarfile

import pytest

from memae_jax.data import prepare
from memae_jax.data.prepare.builders import raw
from memae_jax.runtime import errors

TRAIN_LABELS = 'train-labels-idx1-ubyte'


def test_plain_files_are_accepted(mnist_files, tmp_path):
  for packed in mnist_files[0].iterdir():
    packed.with_suffix('').write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
  assert prepare.prepare('mnist', tmp_path, mnist_files[0]).is_dir()


def _refused(tmp_path, folder, match):
  with pytest.raises(errors.UserError, match=match) as caught:
    prepare.prepare('mnist', tmp_path / 'sets', folder)
  assert '\n' not in str(caught.value)
  assert not list((tmp_path / 'sets').rglob('*array_record*'))
  assert not list((tmp_path / 'sets').glob('mnist_blocks/*'))


@pytest.mark.parametrize('cut', [10, -3])
def test_truncated_gz(mnist_files, tmp_path, cut):
  file = mnist_files[0] / f'{TRAIN_LABELS}.gz'
  file.write_bytes(file.read_bytes()[:cut])
  _refused(
    tmp_path, mnist_files[0], 'train-labels.*no complete gzip file.*fetch'
  )


def test_missing_file(mnist_files, tmp_path):
  (mnist_files[0] / f'{TRAIN_LABELS}.gz').unlink()
  _refused(
    tmp_path, mnist_files[0], 'raw holds no file train-labels.*download it'
  )


@pytest.mark.parametrize('name', ['../out.txt', 'folder/../../out.txt'])
def test_archives_stay_in_their_folder(tmp_path, name):
  path, inside = tmp_path / 'a.tar.xz', tmp_path / 'inside'
  inside.mkdir()
  with tarfile.open(path, 'w:xz') as archive:
    archive.addfile(tarfile.TarInfo(name))
  with pytest.raises(errors.UserError, match='cannot be unpacked .*a page'):
    raw.extract(path, inside, 'a page')
  assert not (tmp_path / 'out.txt').exists()
