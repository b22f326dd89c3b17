"""The published sets of videos, from small trees of their layouts."""

import io
import json
import tarfile
import time
import zipfile

import numpy as np
import pytest
import scipy.io
from PIL import Image

from memae_jax.data import prepare, protocols, sources
from memae_jax.data.prepare.builders import (
  cuhk_avenue,
  raw,
  shanghaitech,
  ucsd_ped2,
)
from memae_jax.runtime import errors
from tests import fakes

RNG = np.random.default_rng(0)


def _small(monkeypatch, builder, videos=(2, 2), frames=40):
  monkeypatch.setattr(builder, 'VIDEOS', videos)
  monkeypatch.setattr(builder, 'FRAMES', frames)


@pytest.fixture
def load(tmp_path, data_config):
  def make(name, **fields):
    fields = {'protocol': 'given', 'data_dir': str(tmp_path / 'sets'), **fields}
    return sources.load(data_config(name=name, **fields))

  return make


@pytest.fixture
def ped2(tmp_path, monkeypatch):
  _small(monkeypatch, ucsd_ped2.UcsdPed2)
  return fakes.ucsd_ped2_tree(tmp_path / 'raw')


def _refused(tmp_path, name, folder, match):
  with pytest.raises(errors.UserError, match=match) as caught:
    prepare.prepare(name, tmp_path / 'sets', folder)
  assert '\n' not in str(caught.value)
  assert not list((tmp_path / 'sets').rglob('*array_record*'))


def test_ped2_tiff_tree(ped2, tmp_path, load, data_config):
  prepare.prepare('ucsd_ped2', tmp_path / 'sets', ped2)
  source = load('ucsd_ped2')
  assert source.inputs.shape == (4 * 5, 16, 24, 36, 1)
  with Image.open(ped2 / 'UCSDped2/Test/Test002/005.tif') as frame:
    pixels = np.asarray(frame)
  np.testing.assert_array_equal(source.inputs[15][4, :, :, 0], pixels)
  names = ('Train001', 'Train002', 'Test001', 'Test002')
  assert source.videos.names == names
  # Frames 8 to 12 are scored; anomalies begin at 10 and 11.
  assert source.labels[10:].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 1, 1]
  marked = source.masks[:].any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels == 1)
  assert source.masks[12][4:12, 6:18].all() and source.has_mask.all()
  assert source.dropped[0]['count'] == 30
  assert source.notes['labels'] == 'UCSDped2.m'
  assert 'TIFF' in source.notes['frames']
  config = data_config(name='ucsd_ped2', protocol='given')
  split = protocols.split(source, config, 0)
  assert len(split.test) == 10 and split.anomalous.sum() == 5
  small = load('ucsd_ped2', image_size=16)
  assert small.inputs.shape[1:] == (16, 16, 16, 1)
  assert small.masks.shape[1:] == (16, 16)


def test_ped2_jpeg_tree(ped2, tmp_path, load):
  """Frames count from 000, folders have two digits, labels lie on top."""
  tree = tmp_path / 'jpeg'
  for part, target in (('Train', 'training'), ('Test', 'testing')):
    for number in (1, 2):
      place = tree / target / 'frames' / f'{number:02d}'
      place.mkdir(parents=True)
      of = ped2 / f'UCSDped2/{part}/{part}{number:03d}'
      for i, file in enumerate(sorted(of.iterdir())):
        with Image.open(file) as frame:
          frame.save(place / f'{i:03d}.jpg')
  masks = tree / 'testing/pixel_masks'
  masks.mkdir()
  for number in (1, 2):
    name = f'Test{number:03d}_gt'
    (ped2 / 'UCSDped2/Test' / name).rename(masks / name)
  (ped2 / 'UCSDped2/Test/UCSDped2.m').rename(tree / 'UCSDped2.m')
  prepare.prepare('ucsd_ped2', tmp_path / 'sets', tree)
  source = load('ucsd_ped2')
  assert source.videos.names == ('01', '02', '01', '02')
  assert source.labels[10:].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 1, 1]
  marked = source.masks[:].any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels == 1)
  assert 'JPEG' in source.notes['frames']


def test_other_labels(ped2, tmp_path, load):
  prepare.prepare('ucsd_ped2', tmp_path / 'sets', ped2)
  np.save(tmp_path / 'mine.npy', np.ones((1, 40), np.uint8))
  source = load('ucsd_ped2', label_path=str(tmp_path / 'mine.npy'))
  assert source.labels.sum() == 10 and source.notes['labels'] == 'mine.npy'
  remark = source.remarks[2]
  assert remark == 'labels from mine.npy: 2 videos, 40 of 40 frames anomalous'


def test_archive(ped2, tmp_path, monkeypatch, load):
  folder = tmp_path / 'archives'
  folder.mkdir()
  path = folder / 'UCSD_Anomaly_Dataset.tar.gz'
  with tarfile.open(path, 'w:gz') as archive:
    archive.add(ped2, 'UCSD_Anomaly_Dataset.v1p2')
  _refused(tmp_path, 'ucsd_ped2', folder, 'not the published file: md5')
  monkeypatch.setattr(raw, 'check_file', lambda *args: None)
  prepare.prepare('ucsd_ped2', tmp_path / 'sets', folder)
  assert len(load('ucsd_ped2').inputs) == 20
  left = {p.name for p in (tmp_path / 'sets').iterdir()}
  assert left <= {'ucsd_ped2', 'frames', '.ucsd_ped2.lock', 'downloads'}


def test_archive_that_reaches_out(tmp_path, monkeypatch):
  folder = tmp_path / 'archives'
  folder.mkdir()
  with tarfile.open(folder / 'UCSD_Anomaly_Dataset.tar.gz', 'w:gz') as archive:
    archive.addfile(tarfile.TarInfo('../../out'), io.BytesIO(b''))
  monkeypatch.setattr(raw, 'check_file', lambda *args: None)
  _refused(tmp_path, 'ucsd_ped2', folder, 'cannot be unpacked')
  assert not (tmp_path / 'out').exists()


def test_ped2_errors(ped2, tmp_path):
  root = ped2 / 'UCSDped2'
  (root / 'Test/Test002/020.tif').rename(tmp_path / '020.tif')
  _refused(tmp_path, 'ucsd_ped2', ped2, '"Test002".*has 19 frames')
  (tmp_path / '020.tif').rename(root / 'Test/Test002/020.tif')
  (root / 'Train/Train001').rename(tmp_path / 'Train001')
  _refused(tmp_path, 'ucsd_ped2', ped2, '1 training videos, expected 2')
  (tmp_path / 'Train001').rename(root / 'Train/Train001')
  (root / 'Test/UCSDped2.m').unlink()
  _refused(tmp_path, 'ucsd_ped2', ped2, 'no UCSDped2.m or ped2.mat')
  _refused(tmp_path, 'ucsd_ped2', root / 'Train', 'does not hold UCSDped2')


def _film(path, frames, rate=25):
  av = pytest.importorskip('av', reason='PyAV is not installed')
  path.parent.mkdir(parents=True, exist_ok=True)
  with av.open(str(path), 'w') as container:
    stream = container.add_stream('ffv1', rate=rate)
    stream.height, stream.width = frames.shape[1:]
    stream.pix_fmt = 'gray'
    for pixels in frames:
      frame = av.VideoFrame.from_ndarray(pixels, format='gray')
      container.mux(stream.encode(frame))
    container.mux(stream.encode())


@pytest.fixture
def avenue(tmp_path, monkeypatch):
  _small(monkeypatch, cuhk_avenue.CuhkAvenue)
  root = tmp_path / 'raw'
  for part in ('training', 'testing'):
    for number in (1, 2):
      frames = RNG.integers(0, 256, (20, 18, 32), np.uint8)
      _film(root / f'Avenue Dataset/{part}_videos/{number:02d}.avi', frames)
  masks = root / 'ground_truth_demo/testing_label_mask'
  masks.mkdir(parents=True)
  for number in (1, 2):
    cells = np.empty((1, 20), object)
    for i in range(20):
      cells[0, i] = np.full((18, 32), i >= 9 + number, np.uint8)
    scipy.io.savemat(masks / f'{number}_label.mat', {'volLabel': cells})
  return root


def test_avenue(avenue, tmp_path, load):
  prepare.prepare('cuhk_avenue', tmp_path / 'sets', avenue)
  source = load('cuhk_avenue')
  assert source.inputs.shape == (20, 16, 18, 32, 1)
  assert source.labels[10:].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 1, 1]
  marked = source.masks[:].any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels == 1)
  assert load('cuhk_avenue', colour='rgb').inputs.shape[-1] == 3


def test_avenue_film_cut_short(avenue, tmp_path, load):
  frames = RNG.integers(0, 256, (19, 18, 32), np.uint8)
  _film(avenue / 'Avenue Dataset/testing_videos/02.avi', frames)
  prepare.prepare('cuhk_avenue', tmp_path / 'sets', avenue)
  with pytest.raises(errors.UserError, match='"02" has 19 frames, but 20 lab'):
    load('cuhk_avenue')


def test_avenue_archives(avenue, tmp_path, monkeypatch):
  folder = tmp_path / 'archives'
  folder.mkdir()
  for name in ('Avenue Dataset', 'ground_truth_demo'):
    target = folder / f'{name.replace(" ", "_")}.zip'
    with zipfile.ZipFile(target, 'w') as archive:
      for file in (avenue / name).rglob('*.*'):
        archive.write(file, file.relative_to(avenue))
  monkeypatch.setattr(raw, 'check_file', lambda *args: None)
  assert prepare.prepare('cuhk_avenue', tmp_path / 'sets', folder).is_dir()


def test_avenue_errors(avenue, tmp_path):
  masks = avenue / 'ground_truth_demo/testing_label_mask'
  (masks / '2_label.mat').unlink()
  _refused(tmp_path, 'cuhk_avenue', avenue, '2_label.mat is missing')
  (masks / '1_label.mat').unlink()
  masks.rmdir()
  _refused(tmp_path, 'cuhk_avenue', avenue, 'and testing_label_mask')


@pytest.fixture
def campus(tmp_path, monkeypatch):
  _small(monkeypatch, shanghaitech.Shanghaitech)
  root = tmp_path / 'shanghaitech'
  for part in ('frame', 'pixel'):
    (root / f'testing/test_{part}_mask').mkdir(parents=True)
  for number in (1, 2):
    frames = RNG.integers(0, 256, (20, 16, 28), np.uint8)
    _film(root / f'training/videos/01_{number:03d}.avi', frames)
    name = f'01_{number:04d}'
    place = root / 'testing/frames' / name
    place.mkdir(parents=True)
    for i in range(20):
      pixels = RNG.integers(0, 256, (16, 28, 3), np.uint8)
      Image.fromarray(pixels).save(place / f'{i:03d}.jpg')
    labels = (np.arange(20) >= 9 + number).astype(np.uint8)
    np.save(root / f'testing/test_frame_mask/{name}.npy', labels)
    masks = np.tile(labels[:, None, None], (1, 16, 28))
    np.save(root / f'testing/test_pixel_mask/{name}.npy', masks)
  return root


def test_shanghaitech(campus, tmp_path, load):
  prepare.prepare('shanghaitech', tmp_path / 'sets', campus.parent)
  source = load('shanghaitech')
  assert source.inputs.shape == (20, 16, 16, 28, 1)
  assert source.videos.names == ('01_001', '01_002', '01_0001', '01_0002')
  assert source.labels[10:].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 1, 1]
  marked = source.masks[:].any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels == 1)


def test_shanghaitech_errors(campus, tmp_path):
  labels = campus / 'testing/test_frame_mask/01_0002.npy'
  np.save(labels, np.zeros(21, np.uint8))
  _refused(tmp_path, 'shanghaitech', campus, '21 labels.*"01_0002".*20 frames')
  labels.unlink()
  _refused(tmp_path, 'shanghaitech', campus, 'no labels of video "01_0002"')


def test_not_prepared(load):
  with pytest.raises(errors.UserError, match='"ucsd_ped2" is not prepared'):
    load('ucsd_ped2')


@pytest.mark.slow
def test_real_ped2(shared, tmp_path, load):
  root = shared / 'data/ped2'
  if not root.is_dir():
    pytest.skip('no folder shared/data/ped2 with the real frames')
  prepare.prepare('ucsd_ped2', tmp_path / 'sets', root)
  source = load('ucsd_ped2', image_size=64)
  assert source.inputs.shape == (2310 + 1830, 16, 64, 64, 1)
  assert source.is_test.sum() == 1830 and source.labels.sum() == 1526
  assert source.dropped[0]['count'] == 180
  facts = json.loads((root / 'clips.json').read_text())
  lengths = [clip['frames'] for clip in facts.values()]
  assert sorted(source.videos.lengths.tolist()) == sorted(lengths)
  marked = source.masks[:].any(axis=(1, 2))
  assert (marked == (source.labels == 1)).mean() > 0.99  # Masks may be thin.
  start = time.perf_counter()
  load('ucsd_ped2', image_size=64)
  assert time.perf_counter() - start < 30  # Decoded frames are kept.
