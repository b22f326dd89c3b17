import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from memae_jax.data import protocols, sources
from memae_jax.data.videos import frame_folder
from memae_jax.runtime import errors
from tests import fakes, films


@pytest.fixture
def load(data_config, tmp_path):
  def make(root, **fields):
    fields = {'protocol': 'given', 'clip_frames': 4, **fields}
    config = data_config(
      name='frames', path=str(root), data_dir=str(tmp_path / 'sets'), **fields
    )
    return sources.load(config)

  return make


@pytest.fixture
def folder(tmp_path):
  return fakes.frames(tmp_path / 'mine')


def test_layout(folder, load, data_config):
  source = load(folder)
  assert source.inputs.shape == (2 * 9 + 2 * 7, 4, 16, 24, 1)
  assert source.videos.names == ('1', '10', 'a', 'b')
  assert source.videos.lengths.tolist() == [12, 12, 10, 10]
  # Video v has brightness 20 v, and one more with each frame.
  pixels = source.inputs[:][:, :, 0, 0, 0].astype(int)
  np.testing.assert_array_equal(
    pixels,
    20 * source.videos.video[:, None]
    + source.videos.frame[:, None]
    + [-2, -1, 0, 1],
  )
  assert source.labels.sum() == 2 * 4  # Frames 5 to 8 of each.
  marked = source.masks[:].any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels == 1)
  assert source.has_mask.all() and source.notes['labels'] == 'masks'
  remark = source.remarks[2]
  assert remark == 'labels from masks: 2 videos, 8 of 20 frames anomalous'
  config = data_config(name='frames', protocol='given', clip_frames=4)
  split = protocols.split(source, config, 0)
  assert split.test.tolist() == [*range(18, 32)]
  assert split.anomalous.sum() == 8


def test_numbers_without_zeros_in_front(folder, load):
  # Text order would put 1000.png before 2.png.
  for file in (folder / 'test/b').iterdir():
    file.unlink()
  for i in range(1205):
    pixels = np.array([[[i // 256, i % 256, 0]]], np.uint8)
    path = folder / 'test/b' / f'{i + 1}.bmp'
    Image.fromarray(np.tile(pixels, (16, 24, 1))).save(path)
  (folder / 'ground_truth').rename(folder / 'elsewhere')
  source = load(folder, colour='rgb', frame_step=1)
  mine = source.videos.video == 3
  assert mine.sum() == 1205 - 3
  clips = source.inputs[mine][:, 2, 0, 0].astype(int)
  np.testing.assert_array_equal(
    clips[:, 0] * 256 + clips[:, 1], source.videos.frame[mine]
  )
  np.testing.assert_array_equal(source.videos.frame[mine], np.arange(2, 1204))


def test_label_file_instead_of_masks(folder, load, tmp_path):
  labels = np.zeros((2, 10), np.uint8)
  labels[1, 3] = 1
  np.save(tmp_path / 'labels.npy', labels.reshape(1, -1))
  source = load(folder, label_path=str(tmp_path / 'labels.npy'))
  (row,) = np.flatnonzero(source.labels)
  assert source.videos.video[row] == 3 and source.videos.frame[row] == 3
  assert source.notes['labels'] == 'labels.npy'
  np.save(tmp_path / 'labels.npy', labels.ravel()[1:])
  with pytest.raises(errors.UserError, match='19 labels.*20 frames'):
    load(folder, label_path=str(tmp_path / 'labels.npy'))


def test_without_labels(folder, load, data_config):
  (folder / 'ground_truth').rename(folder / 'elsewhere')
  source = load(folder)
  assert not source.labelled and source.masks is None
  assert source.is_test.sum() == 14
  config = data_config(name='frames', protocol='given', clip_frames=4)
  assert not protocols.split(source, config, 0).anomalous.any()


def test_without_test_videos(folder, load):
  for name in ('test', 'ground_truth'):
    (folder / name).rename(folder / f'no {name}')
  source = load(folder, protocol='random_rows')
  assert source.is_test is None and not source.labelled
  assert source.dropped == ()


def test_size_and_colour(folder, load):
  source = load(folder, image_size=8)
  assert source.inputs.shape[1:] == (4, 8, 8, 1)
  assert source.masks.shape[1:] == (8, 8)
  source = load(folder, image_size=8, image_width=16, colour='rgb')
  assert source.inputs.shape[1:] == (4, 8, 16, 3)
  with pytest.raises(errors.UserError, match='image_width.*image_size'):
    load(folder, image_width=16)


def test_frames_are_decoded_anew_when_they_change(folder, load, tmp_path):
  before = load(folder)
  assert len(list((tmp_path / 'sets/frames').iterdir())) == 2
  path = folder / 'train/1/3.png'
  Image.fromarray(np.full((16, 24), 200, np.uint8)).save(path)
  after = load(folder)
  assert sources.data_sha256(before) != sources.data_sha256(after)
  assert after.inputs[0][2, 0, 0, 0] == 200


def test_other_files_are_counted(folder, load):
  (folder / 'train/1/notes.txt').write_text('x')
  (folder / 'train/1/.hidden.png').write_text('x')
  files = load(folder).dropped[0]
  assert files['count'] == 1 and 'train/1/notes.txt' in files['why']


def _film(path, values, codec='ffv1', pix_fmt='gray'):
  """Writes frames of one value each, 32 pixels squared."""
  av = pytest.importorskip('av', reason='PyAV is not installed')
  path.parent.mkdir(parents=True, exist_ok=True)
  with av.open(str(path), 'w') as container:
    stream = container.add_stream(codec, rate=25)
    stream.width = stream.height = 32
    stream.pix_fmt = pix_fmt
    for value in values:
      pixels = np.full((32, 32, 3), value, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format='rgb24')
      container.mux(stream.encode(frame.reformat(format=pix_fmt)))
    container.mux(stream.encode())


@pytest.mark.parametrize('suffix', ['.avi', '.mkv'])
def test_video_files(tmp_path, load, suffix):
  root = tmp_path / 'films'
  _film(root / f'train/2{suffix}', range(20, 30))
  _film(root / f'train/10{suffix}', range(40, 50))
  _film(root / f'test/x{suffix}', range(60, 68))
  source = load(root)
  assert source.videos.names == ('2', '10', 'x')
  assert source.videos.lengths.tolist() == [10, 10, 8]
  assert source.inputs.shape == (19, 4, 32, 32, 1)
  np.testing.assert_array_equal(
    source.inputs.frames[:, 5, 7, 0],
    [*range(20, 30), *range(40, 50), *range(60, 68)],
  )


def test_mp4_beside_a_folder_of_frames(tmp_path, load):
  root = fakes.frames(tmp_path / 'mine')
  film = root / 'train/film.mp4'
  _film(film, [20, 30, 40, 50, 60, 70], codec='mpeg4', pix_fmt='yuv420p')
  source = load(root, image_size=16, colour='rgb')
  assert source.videos.names[:3] == ('1', '10', 'film')
  pixels = source.inputs[source.videos.video == 2][:, :, 8, 8].astype(int)
  want = np.array([[20, 30, 40, 50], [30, 40, 50, 60], [40, 50, 60, 70]])
  assert np.abs(pixels - want[..., None]).max() <= 6  # The codec is lossy.


def _refused(load, root, match, **fields):
  with pytest.raises(errors.UserError, match=match) as caught:
    load(root, **fields)
  assert '\n' not in str(caught.value)


def test_damaged_video_files(tmp_path, load):
  root = tmp_path / 'films'
  _film(root / 'train/2.avi', range(20, 30))
  (root / 'train/2.avi').write_bytes(b'no video' * 100)
  _refused(load, root, 'train/2.avi is no readable video')


def test_video_files_without_pyav(tmp_path, load, monkeypatch):
  (tmp_path / 'train').mkdir()
  (tmp_path / 'train/2.avi').write_bytes(b'x')
  monkeypatch.setitem(sys.modules, 'av', None)
  _refused(load, tmp_path, r"2.avi .*PyAV.*pip install 'memae_jax\[video\]'")


def test_short_video(folder, load):
  _refused(load, folder, 'video "a" has 10 frames.*takes 12', clip_frames=12)


def test_frame_of_another_size(folder, load):
  path = folder / 'test/a/7.png'
  Image.fromarray(np.zeros((16, 20), np.uint8)).save(path)
  _refused(load, folder, 'a/7.png is 20x16, but .*a/1.png .*24x16')
  _refused(load, folder, 'a/7.png is 20x16', image_size=16)


def test_video_of_another_size(folder, load):
  for path in (folder / 'test/a').iterdir():
    Image.fromarray(np.zeros((16, 20), np.uint8)).save(path)
  _refused(load, folder, 'video "a" is 20x16, but "1" is 24x16.*image_size')


def test_corrupt_frame(folder, load):
  path = folder / 'train/10/4.jpg'
  noise = np.random.default_rng(0).integers(0, 256, (16, 24), np.uint8)
  Image.fromarray(noise).save(path)
  path.write_bytes(path.read_bytes()[:-100])
  (folder / 'train/10/4.png').unlink()
  _refused(load, folder, 'train/10/4.jpg is no readable picture')


def test_colour_in_a_later_frame(folder, load):
  pixels = np.zeros((16, 24, 3), np.uint8)
  pixels[3, 3] = 9, 0, 0
  Image.fromarray(pixels).save(folder / 'test/a/7.png')
  _refused(load, folder, 'a/7.png has colours.*data.colour')
  assert load(folder, colour='grey').inputs.shape[-1] == 1


@pytest.mark.parametrize('extra', [False, True])
def test_masks_that_do_not_fit(folder, load, extra):
  masks = folder / 'ground_truth/a'
  if extra:
    Image.fromarray(np.zeros((16, 24), np.uint8)).save(masks / '11.png')
  else:
    (masks / '3.png').unlink()
  count = 11 if extra else 9
  _refused(load, folder, f'truth/a has {count} masks.*10 frames')


def test_masks_of_some_videos(folder, load):
  (folder / 'ground_truth/a').rename(folder / 'a')
  _refused(load, folder, 'no masks of test video "a".*label_path')
  labels = np.zeros(20, np.uint8)
  labels[3:5] = 1
  np.save(folder / 'labels.npy', labels)
  source = load(folder, label_path=str(folder / 'labels.npy'))
  unknown = np.flatnonzero(~source.has_mask)
  assert source.videos.frame[unknown].tolist() == [3, 4]


def test_masks_of_no_video(folder, load):
  (folder / 'ground_truth/a').rename(folder / 'ground_truth/A')
  _refused(load, folder, 'no test video "A"')


def test_wrong_layouts(folder, load, tmp_path):
  _refused(
    load, tmp_path / 'nowhere', 'nowhere is not a folder; expected train'
  )
  _refused(load, tmp_path, 'has no folder train')
  (folder / 'test/other').mkdir()
  (folder / 'test/other/1.gif').write_bytes(b'x')
  _refused(load, folder, 'test/other has no frame .*but 1.gif')
  shutil.rmtree(folder / 'test/other')
  (folder / 'test/a.avi').write_bytes(b'x')
  _refused(load, folder, 'two videos "a"')
  for name in ('train', 'test'):
    (folder / name).rename(folder / f'no {name}')
  (folder / 'train').mkdir()
  _refused(load, folder, 'train has no video')
  (folder / 'no train').rename(folder / 'train/videos')
  (folder / 'test').mkdir()
  _refused(load, folder, 'test has no video.*or remove it')


def test_empty_path(data_config):
  config = data_config(name='frames', protocol='given')
  with pytest.raises(errors.UserError, match='"data.path" is empty'):
    frame_folder.load(config)


def test_what_is_said_at_the_start(folder, load):
  hidden = 'train/@eaDir/1', 'train/1/@eaDir/2.png', 'test/a/.thumbnails'
  for name in ('train/2', 'test/3', 'test/.hidden', *hidden):
    (folder / name).mkdir(parents=True)
  for name in hidden:  # A thumbnail of another size in each.
    Image.new('L', (9, 9)).save(folder / name / '2.png')
  (folder / 'train/.DS_Store').write_bytes(b'x')
  (folder / 'test/3/Thumbs.db').write_bytes(b'x')
  source = load(folder)
  assert source.videos.names == ('1', '10', 'a', 'b')
  assert source.remarks[:3] == (
    'train: 2 videos, 24 frames; test: 2 videos, 20 frames',
    'frames per second: not known; films play 10 per second, or as'
    ' eval.frame_rate says',
    'empty folders are passed over: train/2, test/3',
  )
  assert source.warnings == ()


def test_how_videos_were_filmed(tmp_path, load):
  root, frames = tmp_path / 'films', films.pixels(40)
  films.write(root / 'train/a.mp4', frames, rate=30)
  films.write(root / 'train/b.TS', frames, rate=25)
  films.write(root / 'test/a.mkv', frames, 'ffv1', rate=25)
  films.turn(root / 'train/a.mp4', (0, -1, 1, 0))
  cut = (root / 'test/a.mkv').read_bytes()
  (root / 'test/a.mkv').write_bytes(cut[: len(cut) * 3 // 5])
  fakes_of = fakes.frames(tmp_path / 'mine')
  shutil.copytree(fakes_of / 'train/1', root / 'train/c')
  for _ in range(2):  # Decoded, and then from the cache.
    source = load(root, image_size=16, colour='rgb')
    read = int(source.videos.lengths[3])
    assert source.videos.names == ('a', 'b', 'c', 'a') and 5 < read < 40
    assert source.remarks[:2] == (
      f'train: 3 videos, 92 frames; test: 1 video, {read} frames',
      'frames per second: 25 (2, such as b), 30 (1, such as a); not known for'
      ' 1',
    )
    assert source.warnings == (
      'test/a.mkv ends early: the header says 40 frames (1.6 s),'
      f' {read} were read ({read / 25:.4g} s)',
    )
    shapes = [footage.shape for footage in source.videos.footage]
    assert shapes == [(32, 48), (48, 32), (24, 16), (48, 32)]
    at = source.videos.footage[0].at(np.array([3, 39]))
    np.testing.assert_allclose(at, [0.1, 1.3], atol=1e-4)
    assert source.videos.footage[2].at(np.array([3])) is None


def test_names_that_are_no_utf_8(tmp_path, load):
  root = tmp_path / 'films'
  for part in ('train', 'test'):
    films.write(root / part / 'a.mp4', films.pixels(20))
    os.rename(root / part / 'a.mp4', os.fsencode(root / part) + b'/caf\xe9.mp4')
  source = load(root, image_size=16)
  assert source.videos.names == ('caf\\xe9', 'caf\\xe9')
  ''.join(source.remarks).encode()


def _save(folder, frames):
  folder.mkdir(parents=True)
  for number, frame in enumerate(frames):
    Image.fromarray(frame).save(folder / f'{number}.png')


def test_motion_of_colours_of_other_sizes_of_one_frame_and_of_films(
  tmp_path, load
):
  """Motion is in pixels of each video's own frames; doubts are told."""
  pytest.importorskip('av', reason='PyAV writes the film')
  root = tmp_path / 'mine'
  _save(root / 'train/a', films.pixels(8))
  _save(root / 'train/wide', films.pixels(7, 40, 64))
  _save(root / 'test/one', films.pixels(1))
  still = np.repeat(films.pixels(1), 6, axis=0)
  times = [0, 1, 2, 3, 9, 10]
  films.write(root / 'test/uneven.mkv', still, 'ffv1', times=times)
  fields = {'input': 'both', 'motion': 'blocks', 'motion_frames': 1}
  fields |= {'image_size': 16, 'image_width': 24, 'clip_frames': 1}
  source = load(root, **fields)
  assert source.inputs.shape == (8 + 7 + 1 + 6, 16, 24, 3 + 2)
  assert source.pictures.shape == (22, 16, 24, 3)
  np.testing.assert_array_equal(source.inputs[:][..., :3], source.pictures)
  moved = source.inputs[:][..., 3:]
  for begin, end in ((0, 8), (8, 15)):  # A pixel to the right per frame.
    inside = moved[begin:end, 3:-3, 4:-4]
    assert np.median(inside[..., 0]) == pytest.approx(1, abs=0.1)
    assert np.abs(np.median(inside[..., 1])) < 0.1
  assert not moved[15:].any()
  shaken, uneven = source.warnings[-2:]
  assert 'video "a" and 1 more move as a whole' in shaken
  assert 'video "uneven" lie at uneven times' in uneven
  again = load(root, **fields | {'input': 'speed'})
  np.testing.assert_allclose(
    again.inputs[:][..., 0], np.hypot(moved[..., 0], moved[..., 1]), rtol=1e-5
  )
