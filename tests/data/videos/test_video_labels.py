import numpy as np
import pytest
import scipy.io
from PIL import Image

from memae_jax.data.videos import video_labels
from memae_jax.runtime import errors

NAMES, LENGTHS = ('01', '02'), (5, 3)
WANT = [[0, 1, 1, 0, 0], [0, 0, 1]]


def _spans(path):
  cells = np.empty((1, 2), object)
  cells[0, 0], cells[0, 1] = np.array([[2], [3]]), np.array([[3], [3]])
  scipy.io.savemat(path, {'gt': cells})


def _one_mat(folder, key):
  folder.mkdir()
  for name, labels in zip(NAMES, WANT):
    value = np.array([labels])
    if key == 'volLabel':
      value = np.empty((1, len(labels)), object)
      for i, label in enumerate(labels):
        value[0, i] = np.full((2, 3), label, np.uint8)
    scipy.io.savemat(folder / f'{name}.mat', {key: value})


def _files(folder, suffix):
  folder.mkdir()
  for name, labels in zip(NAMES, WANT):
    if suffix == 'npy':
      np.save(folder / f'{name}.npy', np.array(labels, np.uint8))
    elif suffix == 'csv':
      text = 'label\n' + '\n'.join(map(str, labels))
      (folder / f'{name}.csv').write_text(text)
    else:
      (folder / f'{name}_gt').mkdir()
      for i, label in enumerate(labels):
        mask = np.full((4, 4), 255 * label, np.uint8)
        Image.fromarray(mask).save(folder / f'{name}_gt' / f'{i + 1}.bmp')


WRITE = {
  'flat.npy': lambda path: np.save(path, [sum(WANT, [])]),
  'spans.mat': _spans,
  'spans.m': lambda path: path.write_text(
    'TestVideoFile = {};\n% gt_frame = [1:1];\n'
    'TestVideoFile{end+1}.gt_frame = [2:2, 3:3];\n'
    'TestVideoFile{end+1}.gt_frame = [3:3];\n'
  ),
  'table.csv': lambda path: path.write_text(
    'video,frame,label\n02,0,0\n02,1,0\n'
    + ''.join(f'01,{i},{label}\n' for i, label in enumerate(WANT[0]))
    + '02,2,1\n'
  ),
  'npy': lambda path: _files(path, 'npy'),
  'csv': lambda path: _files(path, 'csv'),
  'masks': lambda path: _files(path, 'masks'),
  'volLabel': lambda path: _one_mat(path, 'volLabel'),
  'l': lambda path: _one_mat(path, 'l'),
}


def _read(path, names=NAMES, lengths=LENGTHS):
  return video_labels.read(path, names, lengths)


@pytest.mark.parametrize('name', WRITE)
def test_every_kind_gives_the_same(tmp_path, name):
  WRITE[name](tmp_path / name)
  labels = _read(tmp_path / name)
  assert [of_video.tolist() for of_video in labels] == WANT
  assert all(of_video.dtype == np.uint8 for of_video in labels)


@pytest.mark.parametrize('name', WRITE)
@pytest.mark.parametrize('length', [2, 4])
def test_one_too_few_or_too_many(tmp_path, name, length):
  if name.startswith('spans') and length == 4:
    pytest.skip('spans do not say how many frames there are')
  WRITE[name](tmp_path / name)
  with pytest.raises(errors.UserError) as caught:
    _read(tmp_path / name, lengths=(5, length))
  text = str(caught.value)
  assert '\n' not in text and str(tmp_path / name) in text
  assert f'{length} frames' in text or f'{5 + length} frames' in text
  assert name == 'flat.npy' or '02' in text


@pytest.mark.parametrize('name', WRITE)
@pytest.mark.parametrize('names', [('01',), ('01', '02', '03')])
def test_a_video_too_few_or_too_many(tmp_path, name, names):
  WRITE[name](tmp_path / name)
  with pytest.raises(errors.UserError) as caught:
    _read(tmp_path / name, names, (5, 3, 4)[: len(names)])
  assert '\n' not in str(caught.value)


BAD = {
  'no number': ('a.csv', 'video,label\n01,x\n', 'line 2: the label is "x"'),
  'other value': ('a.csv', 'video,label\n' + '01,2\n' * 5, 'frame 0 is 2.0'),
  'no column': ('a.csv', 'video,lable\n', '"label" .did you mean "lable"'),
  'other video': ('a.csv', 'video,label\n1,0\n', 'line 2: .*no test video "1"'),
  'no npy': ('a.npy', 'x', 'no readable npy'),
  'no mat': ('a.mat', 'x' * 200, 'no readable .mat file'),
  'kind': ('a.txt', 'x', 'expected .npy, .csv, .m, .mat or a folder'),
  'too far': ('a.m', 'gt_frame = [4:6];gt_frame = [];', '4 to 6.*5 frames'),
}


@pytest.mark.parametrize('name', BAD)
def test_bad_files(tmp_path, name):
  file, content, match = BAD[name]
  (tmp_path / file).write_text(content)
  with pytest.raises(errors.UserError, match=match):
    _read(tmp_path / file)


def test_missing_file_and_pickles(tmp_path):
  with pytest.raises(errors.UserError, match='label_path does not exist'):
    _read(tmp_path / 'none.npy')
  np.save(tmp_path / 'a.npy', np.array([{}]), allow_pickle=True)
  with pytest.raises(errors.UserError, match='no readable npy'):
    _read(tmp_path / 'a.npy')


def test_ped2_sources_agree(shared):
  folder = shared / 'data/ped2'
  lengths = (180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180)
  names = [f'{i + 1:02d}' for i in range(12)]
  labels = [
    np.concatenate(_read(folder / name, names, lengths))
    for name in ('UCSDped2.m', 'ped2.mat', 'frame_labels_ped2.npy')
  ]
  assert labels[0].sum() == 1648
  np.testing.assert_array_equal(labels[0], labels[1])
  np.testing.assert_array_equal(labels[0], labels[2])
