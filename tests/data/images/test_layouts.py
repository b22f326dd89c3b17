"""Roles of the files in folders of pictures, in layouts that people have."""

import os

import numpy as np
import pytest
from PIL import Image

from memae_jax.runtime import errors

SIDE = 8
SQUARE = np.zeros((SIDE, SIDE), np.uint8)
SQUARE[2:5, 1:3] = 255  # 6 pixels.
CORNER = np.zeros((SIDE, SIDE), np.uint8)
CORNER[:2, :2] = 255  # 4 pixels.


def _pixels(seed):
  return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), np.uint8)


def _save(path, pixels=None):
  path.parent.mkdir(parents=True, exist_ok=True)
  if pixels is None:
    pixels = _pixels(sum(map(ord, str(path)[-40:])))
  kind = {'.JPG': 'JPEG', '.PNG': 'PNG'}.get(path.suffix)
  quality = {'quality': 95} if path.suffix.lower() in ('.jpg', '.jpe') else {}
  Image.fromarray(pixels).save(path, kind, **quality)


def _folder(root, files):
  """Writes pictures at paths; a pair (path, pixels) has these pixels."""
  for entry in files:
    path, pixels = (entry, None) if isinstance(entry, str) else entry
    _save(root / path, pixels)
  return root


def _plain(root, normal='good', kinds=('crack',), tested='good', suffix='.png'):
  paths = [f'train/{normal}/{i:03d}{suffix}' for i in range(4)]
  paths += [f'test/{tested}/{i:03d}{suffix}' for i in range(2)]
  paths += [f'test/{kind}/{i:03d}{suffix}' for kind in kinds for i in range(2)]
  return _folder(root, paths)


def _kinds(source):
  """Returns {file: its kind, or '' if normal}."""
  names = ('', *source.label_names[1:])
  return dict(
    zip(source.places['file'].tolist(), [names[i] for i in source.labels])
  )


def _marked(source):
  """Returns {file: number of pixels of its mask} of the files with a mask."""
  return {
    file: int(mask.sum())
    for file, mask in zip(source.places['file'].tolist(), source.masks)
    if mask.any()
  }


@pytest.mark.parametrize(
  ('normal', 'tested'),
  [
    ('good', 'Good'),
    ('good', 'GOOD'),
    ('good', 'ok'),
    ('OK', 'ok'),
    ('ok', 'OK'),
    ('Normal', 'normal'),
    ('normal', 'good'),
    ('0', '0'),
    ('screws', 'Screws'),
    ('screws', 'good'),
    ('no_defect', 'no_defect'),
  ],
)
def test_normal_folders_by_any_usual_name(
  tmp_path, load_pictures, normal, tested
):
  source = load_pictures(_plain(tmp_path, normal, tested=tested))
  assert source.label_names == (normal, 'crack')
  assert source.labels.sum() == 2 and source.is_test.sum() == 4
  kinds = _kinds(source)
  assert kinds[f'test/{tested}/001.png'] == ''
  assert kinds['test/crack/001.png'] == 'crack'
  assert source.warnings == ()
  assert f'test/{tested}: 2 normal' in source.remarks
  assert 'test/crack: 2 anomalous' in source.remarks
  assert f'train/{normal}: 4 normal' in source.remarks


@pytest.mark.parametrize(
  'name',
  ['0', 'healthy', 'Negative', 'good_2', 'ok-front', 'defect_free', 'goods',
   'no defect', 'normal 1', 'passed', 'non_defective'],
)  # fmt: skip
def test_names_with_two_meanings_are_refused(tmp_path, load_pictures, name):
  _plain(tmp_path, tested=name)
  with pytest.raises(errors.UserError, match=f'{name} may be normal.*call it'):
    load_pictures(tmp_path)


@pytest.mark.parametrize(
  'name', ['not_good', 'abnormal', 'ko', 'NG', 'broken', '1', 'bad', 'okra']
)
def test_kinds_that_only_look_like_normal(tmp_path, load_pictures, name):
  source = load_pictures(_plain(tmp_path, kinds=(name,)))
  assert source.label_names == ('good', name) and source.labels.sum() == 2


def test_pictures_that_train_without_a_folder(tmp_path, load_pictures):
  _plain(tmp_path)
  for file in (tmp_path / 'train/good').iterdir():
    file.rename(tmp_path / 'train' / file.name)
  source = load_pictures(tmp_path)
  assert source.label_names == ('good', 'crack') and source.warnings == ()
  assert source.labels[~source.is_test].tolist() == [0] * 4
  assert source.places['file'][0] == 'train/000.png'


def test_pictures_beside_the_folders_are_warned_of(tmp_path, load_pictures):
  _plain(tmp_path)
  _save(tmp_path / 'train/000.png')
  _save(tmp_path / 'test/000.png')
  (line,) = load_pictures(tmp_path).warnings
  assert line.startswith('2 pictures such as train/000.png are left out')


def test_a_kind_with_the_name_of_the_train_folder_is_refused(
  tmp_path, load_pictures
):
  _plain(tmp_path, normal='scratch', kinds=('scratch',))
  with pytest.raises(errors.UserError, match='has scratch, named as .* good;'):
    load_pictures(tmp_path)


@pytest.mark.parametrize(
  ('kinds', 'tested', 'match'),
  [
    (('crack', 'hole'), 'dent', r'all 6 test pictures are anomalous.*rename'),
    ((), 'good', r'all 2 test pictures are normal'),
  ],
)
def test_one_kind_only_is_warned_of(
  tmp_path, load_pictures, kinds, tested, match
):
  source = load_pictures(_plain(tmp_path, kinds=kinds, tested=tested))
  (line,) = source.warnings
  assert line.startswith(match.split('.*')[0])


# Masks of test/crack/000 and 001, as people call them: SQUARE and CORNER.
@pytest.mark.parametrize(
  'paths',
  [
    'ground_truth/crack/{}_mask.png',
    'ground_truth/crack/{}.png',
    'ground_truth/crack/{}.PNG',
    'ground_truth/crack/{}_gt.png',
    'ground_truth/crack/{}-mask.bmp',
    'ground_truth/crack/{} mask.tif',
    'ground_truth/crack/mask_{}.png',
    'ground_truth/crack/gt_{}.png',
    'ground_truth/crack/{}_label.PNG',
    'ground_truth/crack/{}_Mask.png',
    'ground_truth/crack/{}_ground_truth.webp',
    'ground_truth/crack/{}mask.png',
    'ground_truth/Crack/{}_mask.png',
    'ground_truth/crack_mask/{}.png',
    'ground_truth/test/crack/{}.png',
    'ground_truth/{}_mask.png',
    'Ground_Truth/crack/{}.png',
    'groundtruth/crack/{}.png',
    'gt/crack/{}.png',
    'masks/crack/{}.png',
    'mask/crack/{}_mask.jpg',
    'ground_truth/crack/{}_mask.jpg',
    'ground_truth/crack/{}.jpe',
    'test/crack_mask/{}.png',
    'test/crack_mask/{}.jpg',
    'test/crack_gt/{}_gt.png',
    'test/masks/crack/{}.png',
    'test/crack/mask/{}.png',
    'test/crack/ground_truth/{}_mask.png',
    'test/crack/{}_mask.png',
    'test/crack/mask_{}.bmp',
    'test/mask/{}.png',
  ],
)
def test_masks_by_any_usual_name(tmp_path, load_pictures, paths):
  _plain(tmp_path)
  if 'mask/{}' in paths or paths.startswith('ground_truth/{}'):
    (tmp_path / 'test/good').rename(tmp_path / 'test/elsewhere')
    for i in range(2):  # Names that only one picture has.
      _save(tmp_path / f'test/good/good{i}.png')
    for file in (tmp_path / 'test/elsewhere').iterdir():
      file.unlink()
  _save(tmp_path / paths.format('000'), SQUARE)
  _save(tmp_path / paths.format('001'), CORNER)
  source = load_pictures(tmp_path)
  assert source.label_names == ('good', 'crack')
  assert len(source.inputs) == 8 and source.labels.sum() == 2
  files = source.places['file'].tolist()
  first = source.masks[files.index('test/crack/000.png')]
  second = source.masks[files.index('test/crack/001.png')]
  np.testing.assert_array_equal(first, SQUARE > 0)
  np.testing.assert_array_equal(second, CORNER > 0)
  assert source.has_mask.all()
  among = paths.startswith(('test/crack_', 'test/crack/{', 'test/crack/mask_'))
  assert len(source.warnings) == among
  if among:
    assert 'files such as test/crack' in source.warnings[0]
    assert 'move them to ground_truth' in source.warnings[0]
  assert source.notes['anomalies_with_mask'] == 2
  assert 'test/crack: 2 anomalous, 2 with a mask' in source.remarks
  assert source.dropped == ()


def test_btad(tmp_path, load_pictures):
  _plain(tmp_path, 'ok', ('ko',), 'ok', '.bmp')
  _save(tmp_path / 'ground_truth/ko/000.png', SQUARE)
  _save(tmp_path / 'ground_truth/ko/001.png', CORNER)
  _save(tmp_path / 'ground_truth/ok/000.png', SQUARE * 0)
  source = load_pictures(tmp_path)
  assert source.label_names == ('ok', 'ko')
  assert _marked(source) == {'test/ko/000.bmp': 6, 'test/ko/001.bmp': 4}
  assert source.dropped == () and source.warnings == ()


def test_loco(tmp_path, load_pictures):
  kinds = ('logical_anomalies', 'structural_anomalies')
  _plain(tmp_path, kinds=kinds)
  _save(tmp_path / 'validation/good/000.png')
  _save(tmp_path / 'validation/good/001.png')
  masks = tmp_path / 'ground_truth'
  _save(masks / f'{kinds[0]}/000/000.png', SQUARE)
  _save(masks / f'{kinds[0]}/000/001.png', CORNER)
  _save(masks / f'{kinds[0]}/001/000.png', CORNER)
  _save(masks / f'{kinds[1]}/000/000.png', SQUARE)
  _save(masks / f'{kinds[1]}/001/000.png', SQUARE)
  source = load_pictures(tmp_path)
  assert _marked(source) == {
    'test/logical_anomalies/000.png': 10,  # Both.
    'test/logical_anomalies/001.png': 4,
    'test/structural_anomalies/000.png': 6,
    'test/structural_anomalies/001.png': 6,
  }
  assert source.is_test.tolist() == [False] * 6 + [True] * 6
  assert source.dropped == () and source.warnings == ()
  lines = '\n'.join(source.remarks)
  assert 'validation/good: 2 normal, added to those that train' in lines
  assert '1 of 4 masks have several files' in lines


def test_numbered_masks_all_count(tmp_path, load_pictures):
  _plain(tmp_path)
  _save(tmp_path / 'ground_truth/crack/000_mask_1.png', SQUARE)
  _save(tmp_path / 'ground_truth/crack/000_mask_2.png', CORNER)
  _save(tmp_path / 'ground_truth/crack/001_mask0.png', CORNER)
  source = load_pictures(tmp_path)
  assert _marked(source) == {'test/crack/000.png': 10, 'test/crack/001.png': 4}


def test_visa_as_one_class(tmp_path, load_pictures):
  _plain(tmp_path, kinds=('bad',), suffix='.JPG')
  labels = (SQUARE > 0) * np.uint8(1) + (CORNER > 0) * np.uint8(3)
  _save(tmp_path / 'ground_truth/bad/000.png', labels)
  _save(tmp_path / 'ground_truth/bad/001.png', CORNER)
  assert _marked(load_pictures(tmp_path)) == {
    'test/bad/000.JPG': 10,  # Each kind of defect has a value other than black.
    'test/bad/001.JPG': 4,
  }


def _visa(root):
  files = [f'Data/Images/Normal/{i:04d}.JPG' for i in range(5)]
  files += [f'Data/Images/Anomaly/{i:03d}.JPG' for i in range(3)]
  files += [(f'Data/Masks/Anomaly/{i:03d}.png', SQUARE) for i in range(3)]
  _folder(root, files)
  (root / 'image_anno.csv').write_text('image,label,mask\n')
  return root


@pytest.mark.parametrize('beside', [True, False])
def test_visa_with_its_split(tmp_path, load_pictures, beside):
  root = _visa(tmp_path / 'candle')
  normal, other = 'candle/Data/Images/Normal', 'candle/Data/Images/Anomaly'
  mask = 'candle/Data/Masks/Anomaly'
  rows = ['object,split,label,image,mask']
  rows += [f'candle,train,normal,{normal}/{i:04d}.JPG,' for i in (4, 0, 1)]
  rows += [f'candle,test,normal,{normal}/{i:04d}.JPG,' for i in (2, 3)]
  rows += [
    f'candle,test,anomaly,{other}/{i:03d}.JPG,{mask}/{i:03d}.png'
    for i in range(3)
  ]
  rows += ['pcb1,train,normal,pcb1/Data/Images/Normal/0000.JPG,']
  csv = (tmp_path if beside else root) / 'split_csv/1cls.csv'
  csv.parent.mkdir()
  csv.write_text('\n'.join(rows) + '\n')
  source = load_pictures(root)
  files = source.places['file']
  assert sorted(files[source.is_test]) == [
    *(f'Data/Images/Anomaly/{i:03d}.JPG' for i in range(3)),
    'Data/Images/Normal/0002.JPG',
    'Data/Images/Normal/0003.JPG',
  ]
  assert source.label_names == ('Normal', 'Anomaly')
  assert source.labels[~source.is_test].tolist() == [0, 0, 0]
  assert set(_marked(source).values()) == {6} and len(_marked(source)) == 3
  assert 'Data/Images/Normal, train: 3 normal' in source.remarks
  (root / 'Data/Images/Normal/0003.JPG').unlink()
  with pytest.raises(errors.UserError, match='Normal/0003.JPG, which is not'):
    load_pictures(root)
  csv.write_text('object,split,label,image,mask\n')
  with pytest.raises(errors.UserError, match='has no row of "candle"'):
    load_pictures(root)


def test_visa_without_a_split(tmp_path, load_pictures):
  source = load_pictures(_visa(tmp_path / 'candle'), protocol='random_rows')
  assert source.is_test is None and source.labelled
  assert source.labels.sum() == 3 and len(source.inputs) == 8
  assert source.masks.any(axis=(1, 2)).sum() == 3


def test_visa_without_normal_pictures(tmp_path, load_pictures):
  _save(tmp_path / 'candle/Data/Images/Anomaly/000.JPG')
  with pytest.raises(errors.UserError, match='candle has no normal picture'):
    load_pictures(tmp_path / 'candle', protocol='random_rows')


def _dagm(root, said=None):
  for part in ('Train', 'Test'):
    lines = ['1']
    for i in range(1, 7):
      name = f'{i:04d}.PNG'
      _save(root / part / name)
      bad = i == 5
      if bad:
        _save(root / f'{part}/Label/{i:04d}_label.PNG', SQUARE)
      label = f'{i:04d}_label.PNG' if bad else '0'
      lines.append(f'{i}\t{int(said or bad)}\t{name}\t0\t{label}')
    (root / f'{part}/Label/Labels.txt').write_text('\r\n'.join(lines) + '\r\n')
  return root


def test_dagm(tmp_path, load_pictures):
  source = load_pictures(_dagm(tmp_path / 'Class1'))
  assert source.label_names == ('normal', 'defect')
  assert len(source.inputs) == 11 and source.is_test.sum() == 6
  assert _marked(source) == {'Test/0005.PNG': 6}
  assert 'Train/0005.PNG' not in _kinds(source)
  assert 'Train: 1 anomalous, left out' in source.remarks
  assert 'Test: 1 anomalous, 1 with a mask' in source.remarks
  (left,) = source.dropped
  assert left['count'] == 1 and 'Train/0005.PNG' in left['why']


def test_dagm_whose_labels_contradict_the_masks(tmp_path, load_pictures):
  with pytest.raises(
    errors.UserError, match='0001.PNG has a defect, but .* no'
  ):
    load_pictures(_dagm(tmp_path / 'Class1', said=True))


def test_mvtec_3d_reads_the_colours(tmp_path, load_pictures):
  for place in ('train/good', 'test/good', 'test/hole'):
    for i in range(3):
      _save(tmp_path / f'{place}/rgb/{i:03d}.png')
      _save(tmp_path / f'{place}/xyz/{i:03d}.tiff', _pixels(1).astype('f4'))
      _save(tmp_path / f'{place}/gt/{i:03d}.png', SQUARE * ('hole' in place))
  source = load_pictures(tmp_path)
  assert set(_kinds(source).values()) == {'', 'hole'}
  assert len(source.inputs) == 9
  assert _marked(source) == {f'test/hole/rgb/{i:03d}.png': 6 for i in range(3)}
  assert source.warnings == ()


def test_folders_that_no_person_made(tmp_path, load_pictures):
  _plain(tmp_path)
  for name in ('@eaDir', '__MACOSX', '.ipynb_checkpoints', '#recycle', '.git'):
    for parent in ('train', 'test', 'train/good', 'test/crack', 'ground_truth'):
      _save(tmp_path / parent / name / '000.png')
  (tmp_path / 'test/dent/deep').mkdir(parents=True)
  (tmp_path / 'train/bad').mkdir()
  (tmp_path / 'test/hole').mkdir()
  (tmp_path / 'test/hole/Thumbs.db').write_bytes(b'x')
  _save(tmp_path / 'ground_truth/crack/000.png', SQUARE)
  source = load_pictures(tmp_path)
  assert source.label_names == ('good', 'crack') and len(source.inputs) == 8
  for empty in ('test/dent', 'test/hole', 'train/bad'):
    assert f'{empty}: empty' in source.remarks


def test_linked_folders(tmp_path, load_pictures):
  root = _plain(tmp_path / 'set')
  for i in range(3):
    _save(tmp_path / f'camera/monday/{i}.png')
  (root / 'train/good/monday').symlink_to(tmp_path / 'camera/monday')
  (root / 'test/dent').symlink_to(tmp_path / 'camera', True)
  (root / 'train/good/self').symlink_to(root / 'train/good')
  (root / 'train/good/all').symlink_to(root)
  (root / 'train/good/nowhere').symlink_to(tmp_path / 'nowhere')
  (tmp_path / 'camera/monday/up').symlink_to(tmp_path / 'camera')
  kinds = _kinds(load_pictures(root))
  assert [f for f in kinds if f.startswith('train')] == [
    *(f'train/good/{i:03d}.png' for i in range(4)),
    *(f'train/good/monday/{i}.png' for i in range(3)),
  ]
  assert [f for f, kind in kinds.items() if kind == 'dent'] == [
    f'test/dent/monday/{i}.png' for i in range(3)
  ]


def test_a_linked_train_folder(tmp_path, load_pictures):
  _plain(tmp_path / 'set')
  (tmp_path / 'set/train/good').rename(tmp_path / 'good')
  (tmp_path / 'set/train/good').symlink_to(tmp_path / 'good')
  assert (~load_pictures(tmp_path / 'set').is_test).sum() == 4


def _two_masks(root):
  _save(root / 'ground_truth/crack/000_mask.png', SQUARE)
  _save(root / 'ground_truth/crack/000.png', CORNER)


def _of_two_kinds(root):
  _plain(root, kinds=('crack', 'dent'))
  _save(root / 'ground_truth/000_mask.png', SQUARE)


def _of_two_suffixes(root):
  _save(root / 'test/crack/000.jpg')
  _save(root / 'ground_truth/crack/000_mask.png', SQUARE)


def _grey_and_masks(root):
  _save(root / 'test/crack_mask/000.png', SQUARE)
  _save(root / 'test/crack_mask/001.png')


def _masks_of_nothing(root):
  _save(root / 'test/crack_mask/007.png', SQUARE)


def _black_and_white_pictures(root):
  for i in range(2):
    _save(root / f'test/crack/{i:03d}.png', CORNER)
    _save(root / f'test/crack_mask/{i:03d}.png', SQUARE)


def _two_trains(root):
  _save(root / 'Train/good/000.png')


@pytest.mark.parametrize(
  ('change', 'match'),
  [
    (_two_masks, r'crack/000.png has two masks that differ.*remove one'),
    (_of_two_kinds, r'may be the mask of .*000.png or of .*000.png'),
    (_of_two_suffixes, r'000_mask.png may be the mask of'),
    (_grey_and_masks, r'crack_mask may hold pictures or masks: of 2 .* 1 are'),
    (_masks_of_nothing, r'crack_mask may hold.*0 have the name of a picture'),
    (_black_and_white_pictures, r'crack_mask may hold pictures or masks'),
    (_two_trains, r'has (Train and train|train and Train); remove or rename'),
  ],
)
def test_two_meanings_are_refused(tmp_path, load_pictures, change, match):
  change(_plain(tmp_path))
  with pytest.raises(errors.UserError, match=match) as caught:
    load_pictures(tmp_path)
  assert '\n' not in str(caught.value)


def test_two_masks_that_agree(tmp_path, load_pictures):
  _plain(tmp_path)
  _save(tmp_path / 'ground_truth/crack/000_mask.png', SQUARE)
  _save(tmp_path / 'ground_truth/crack/000.bmp', SQUARE)
  assert _marked(load_pictures(tmp_path)) == {'test/crack/000.png': 6}


def test_pictures_called_like_masks(tmp_path, load_pictures):
  """Files are faces with and without masks: none is black and white."""
  _plain(tmp_path, kinds=('face', 'face_mask', 'label'))
  _save(tmp_path / 'test/face/000_mask.png')
  source = load_pictures(tmp_path)
  assert source.label_names == ('good', 'face', 'face_mask', 'label')
  assert np.bincount(source.labels).tolist() == [6, 3, 2, 2]
  assert source.masks is None


def test_masks_that_are_missing_are_counted_at_the_top(tmp_path, load_pictures):
  _plain(tmp_path)
  _save(tmp_path / 'ground_truth/crack/first.png', SQUARE)
  (line,) = load_pictures(tmp_path).warnings
  assert line.startswith(
    '2 of 2 anomalous test pictures have no mask, such as test/crack/000.png;'
    ' 1 files fit no picture, such as ground_truth/crack/first.png; expected'
  )
  _save(tmp_path / 'ground_truth/crack/001.png', SQUARE)
  assert load_pictures(tmp_path).warnings[0].startswith('1 of 2 anomalous')


@pytest.mark.parametrize(
  ('mask', 'match'),
  [
    (255 - SQUARE, r'masks mark 91% of their pictures on average.*inverted'),
    (SQUARE // 255 + 1, r'masks mark 100% of their pictures'),
    (SQUARE * 0, r'2 of 2 masks of anomalous pictures mark nothing'),
  ],
)
def test_doubtful_masks_are_warned_of(tmp_path, load_pictures, mask, match):
  _plain(tmp_path)
  for i in range(2):
    _save(tmp_path / f'ground_truth/crack/{i:03d}.png', mask.astype(np.uint8))
  (line,) = load_pictures(tmp_path).warnings
  assert match.split('.*')[0].removeprefix('r') in line


def test_a_mask_of_a_normal_picture(tmp_path, load_pictures):
  _plain(tmp_path)
  for i in range(2):
    _save(tmp_path / f'ground_truth/crack/{i:03d}.png', SQUARE)
    _save(tmp_path / f'ground_truth/good/{i:03d}.png', CORNER * (i > 0))
  source = load_pictures(tmp_path)
  assert set(_marked(source)) == {'test/crack/000.png', 'test/crack/001.png'}
  (line,) = source.warnings
  assert line.startswith('1 of 2 masks of normal pictures mark something')


def test_pictures_of_other_kinds_are_warned_of(tmp_path, load_pictures):
  _plain(tmp_path)
  _save(tmp_path / 'train/good/9.gif')
  _save(tmp_path / 'test/crack/9.ppm')
  (line,) = load_pictures(tmp_path).warnings
  assert line.startswith('2 pictures such as train/good/9.gif are left out')


def test_the_folder_above_is_named_a_mend(tmp_path, load_pictures):
  _plain(tmp_path / 'bottle')
  with pytest.raises(errors.UserError, match='such as .*/bottle'):
    load_pictures(tmp_path)


def test_names_that_are_not_utf8(tmp_path, load_pictures):
  root = _plain(tmp_path)
  raw = os.fsencode(root)
  for folder, name in ((b'test/crack', b'fissur\xe9.png'),
                       (b'test/d\xe9faut', b'\xff.png')):  # fmt: skip
    os.makedirs(os.path.join(raw, folder), exist_ok=True)
    content = (root / 'test/crack/000.png').read_bytes()
    with open(os.path.join(raw, folder, name), 'wb') as file:
      file.write(content)
  source = load_pictures(root)
  assert source.label_names == ('good', 'crack', r'd\xe9faut')
  files = source.places['file'].tolist()
  assert r'test/crack/fissur\xe9.png' in files
  assert r'test/d\xe9faut/\xff.png' in files
  for text in (*files, *source.remarks, *source.label_names):
    text.encode()
