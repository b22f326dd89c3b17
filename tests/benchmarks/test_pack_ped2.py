"""A packed set of videos is the set, as far as its frames may be rounded."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from benchmarks import dct_video, pack_ped2
from memae_jax.data import sources
from memae_jax.runtime import errors

STEP = 4.2  # Spreads like uniform noise of deviation STEP / sqrt(12), or less.


def _error(one, two):
  return np.sqrt(np.mean(np.square(one.astype(float) - two)))


def _frames(count, size=32, seed=0):
  """A still scene with noise, and a bright square that moves."""
  rng = np.random.default_rng(seed)
  scene = (
    rng.integers(40, 200, (4, 4)).repeat(size // 4, 0).repeat(size // 4, 1)
  )
  out = scene + rng.normal(0, 3, (count, size, size))
  for i in range(count):
    out[i, 8:16, i % (size - 8) : i % (size - 8) + 8] = 250
  return np.clip(np.rint(out), 0, 255).astype(np.uint8)


@pytest.mark.parametrize('count', [1, 16, 37])
def test_videos_come_back(count):
  frames = _frames(count)
  content = dct_video.encode(frames, STEP)
  again = dct_video.decode(content, frames.shape)
  assert again.shape == frames.shape and again.dtype == np.uint8
  assert _error(again, frames) < STEP / np.sqrt(12) + 0.1
  assert count < 37 or len(content) < frames.size  # Tables count, too.


def test_the_largest_numbers_are_coded():
  """Blocks of black and white by turns, in time and along both sides."""
  turns = np.indices((32, 32, 32)).sum(axis=0) % 2
  frames = (255 * turns).astype(np.uint8)
  content = dct_video.encode(frames, dct_video.LEAST)
  assert _error(dct_video.decode(content, frames.shape), frames) < 2
  with pytest.raises(ValueError, match='at least'):
    dct_video.encode(frames, 4.0)


@pytest.mark.parametrize('shape', [(20, 64, 32), (40, 32, 32), (16, 32, 32)])
def test_videos_of_another_shape_are_refused(shape):
  content = dct_video.encode(_frames(20), STEP)
  with pytest.raises(ValueError):
    dct_video.decode(content, shape)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
  """Two training and two test videos, with masks, as a folder of frames."""
  root = tmp_path_factory.mktemp('videos')
  for seed, name in enumerate(('train/01', 'train/02', 'test/01', 'test/02')):
    (root / name).mkdir(parents=True)
    for i, frame in enumerate(_frames(20 + seed, seed=seed)):
      Image.fromarray(frame).save(root / name / f'{i:03d}.png')
      if name.startswith('test'):
        masks = root / name.replace('test', 'ground_truth')
        masks.mkdir(parents=True, exist_ok=True)
        mask = np.zeros((32, 32), bool)
        mask[8:16, :8] = i % 3 == 0
        Image.fromarray(mask).save(masks / f'{i:03d}.png')
  return sources.load(_config(root, root))


def _config(path, data_dir):
  return pack_ped2.data(
    32, name='frames', path=str(path), data_dir=str(data_dir), colour='grey'
  )


def test_a_set_is_packed_and_unpacked(source, tmp_path):
  pack_ped2.write(source, tmp_path / 'set.zip', STEP)
  pack_ped2.write(source, tmp_path / 'again.zip', STEP)
  assert (tmp_path / 'set.zip').read_bytes() == (
    tmp_path / 'again.zip'
  ).read_bytes()
  pack_ped2.unpack(tmp_path / 'set.zip', tmp_path / 'videos')
  found = sources.load(_config(tmp_path / 'videos', tmp_path))
  np.testing.assert_array_equal(found.labels, source.labels)
  np.testing.assert_array_equal(found.masks[:], source.masks[:])
  np.testing.assert_array_equal(found.inputs.number, source.inputs.number)
  assert found.videos.names == source.videos.names
  assert 0 < _error(found.inputs.frames, source.inputs.frames) < 1.4
  # What is there is left.
  pack_ped2.unpack(tmp_path / 'none.zip', tmp_path / 'videos')


def test_the_frame_difference_is_compared(source, tmp_path):
  pack_ped2.write(source, tmp_path / 'set.zip', STEP)
  facts = pack_ped2.compare(
    source, _config(tmp_path, tmp_path), tmp_path / 'set.zip'
  )
  assert facts['labels_equal'] and facts['masks_equal']
  assert 0 < facts['root_mean_square_error'] < 1.4
  assert 0 <= facts['furthest'] < 1
  facts |= {'bytes': 1000, 'furthest': 0.0019}
  pack_ped2.check(facts)
  with pytest.raises(errors.UserError, match='raise --step'):
    pack_ped2.check(facts | {'bytes': pack_ped2.LIMIT + 1})
  with pytest.raises(errors.UserError, match='lower --step'):
    pack_ped2.check(facts | {'furthest': 0.0021})


def _changed(path, to, change):
  """Copies a zip file with changed members; None leaves one out."""
  with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, 'w') as new:
    for name in old.namelist():
      content = change(name, old.read(name))
      if content is not None:
        new.writestr(name, content)


@pytest.mark.parametrize(
  'change',
  [
    lambda name, content: None if name == 'test/02' else content,
    lambda name, content: None if name == 'facts.json' else content,
    lambda name, content: content[:-9] if name == 'masks/01' else content,
    lambda name, content: content[:-9] if name == 'train/01' else content,
    lambda name, content: content.replace(b'"01"', b'"../../01"'),
    lambda name, content: content.replace(b': 20', b': 999999999'),
    lambda name, content: content.replace(b': 20', b': 60'),
  ],
)
def test_damaged_packs_are_refused(source, tmp_path, change):
  pack_ped2.write(source, tmp_path / 'set.zip', STEP)
  _changed(tmp_path / 'set.zip', tmp_path / 'bad.zip', change)
  with pytest.raises(errors.UserError, match='bad.zip cannot be unpacked'):
    pack_ped2.unpack(tmp_path / 'bad.zip', tmp_path / 'videos')
  assert not (tmp_path / 'videos').exists()
  assert not list(tmp_path.glob('incomplete.*'))
