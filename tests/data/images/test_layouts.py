"""Roles of the files in folders of pictures, in layouts that people have."""

import os

import pytest

from memae_jax.data.images import layouts
from tests.data.images import pictures


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
  source = load_pictures(pictures.plain(tmp_path, normal, tested=tested))
  assert source.label_names == (normal, 'crack')
  assert source.labels.sum() == 2 and source.is_test.sum() == 4
  kinds = pictures.kinds(source)
  assert kinds[f'test/{tested}/001.png'] == ''
  assert kinds['test/crack/001.png'] == 'crack'
  assert source.warnings == ()
  assert f'test/{tested}: 2 normal' in source.remarks
  assert 'test/crack: 2 anomalous' in source.remarks
  assert f'train/{normal}: 4 normal' in source.remarks


@pytest.mark.parametrize(
  'name', ['not_good', 'abnormal', 'ko', 'NG', 'broken', '1', 'bad', 'okra']
)
def test_kinds_that_only_look_like_normal(tmp_path, load_pictures, name):
  source = load_pictures(pictures.plain(tmp_path, kinds=(name,)))
  assert source.label_names == ('good', name) and source.labels.sum() == 2


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
  source = load_pictures(pictures.plain(tmp_path, kinds=kinds, tested=tested))
  (line,) = source.warnings
  assert line.startswith(match.split('.*')[0])


def test_folders_that_no_person_made(tmp_path, load_pictures):
  pictures.plain(tmp_path)
  for name in ('@eaDir', '__MACOSX', '.ipynb_checkpoints', '#recycle', '.git'):
    for parent in ('train', 'test', 'train/good', 'test/crack', 'ground_truth'):
      pictures.save(tmp_path / parent / name / '000.png')
  (tmp_path / 'test/dent/deep').mkdir(parents=True)
  (tmp_path / 'train/bad').mkdir()
  (tmp_path / 'test/hole').mkdir()
  (tmp_path / 'test/hole/Thumbs.db').write_bytes(b'x')
  pictures.save(tmp_path / 'ground_truth/crack/000.png', pictures.SQUARE)
  source = load_pictures(tmp_path)
  assert source.label_names == ('good', 'crack') and len(source.inputs) == 8
  for empty in ('test/dent', 'test/hole', 'train/bad'):
    assert f'{empty}: empty' in source.remarks


def test_linked_folders(tmp_path, load_pictures):
  root = pictures.plain(tmp_path / 'set')
  for i in range(3):
    pictures.save(tmp_path / f'camera/monday/{i}.png')
  (root / 'train/good/monday').symlink_to(tmp_path / 'camera/monday')
  (root / 'test/dent').symlink_to(tmp_path / 'camera', True)
  (root / 'train/good/self').symlink_to(root / 'train/good')
  (root / 'train/good/all').symlink_to(root)
  (root / 'train/good/nowhere').symlink_to(tmp_path / 'nowhere')
  (tmp_path / 'camera/monday/up').symlink_to(tmp_path / 'camera')
  kinds = pictures.kinds(load_pictures(root))
  assert [f for f in kinds if f.startswith('train')] == [
    *(f'train/good/{i:03d}.png' for i in range(4)),
    *(f'train/good/monday/{i}.png' for i in range(3)),
  ]
  assert [f for f, kind in kinds.items() if kind == 'dent'] == [
    f'test/dent/monday/{i}.png' for i in range(3)
  ]


def test_a_linked_train_folder(tmp_path, load_pictures):
  pictures.plain(tmp_path / 'set')
  (tmp_path / 'set/train/good').rename(tmp_path / 'good')
  (tmp_path / 'set/train/good').symlink_to(tmp_path / 'good')
  assert (~load_pictures(tmp_path / 'set').is_test).sum() == 4


def test_names_that_are_not_utf8(tmp_path, load_pictures):
  root = pictures.plain(tmp_path)
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


def test_categories_of_five_sets_are_found_and_read(tmp_path, load_pictures):
  root = pictures.five_sets(tmp_path)
  found = layouts.categories(root)
  assert [path.relative_to(root).as_posix() for path in found] == [
    'DAGM2007/Class1',
    'btad/BTech/01',
    'loco/juice_bottle',
    'mvtec/metal_nut',
    'mvtec/screw',
    'visa/candle',
  ]
  for path in found:
    protocol = 'random_rows' if path.name == 'candle' else 'given'
    assert load_pictures(path, protocol=protocol).labels.any()
    assert layouts.categories(path) == [path]
  assert layouts.categories(root / 'btad') == found[1:2]
  assert layouts.categories(root / 'papers') == []
  assert layouts.categories(root / 'nowhere') == []
