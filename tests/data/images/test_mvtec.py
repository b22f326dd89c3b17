"""Folders of kinds, as in MVTec AD and the sets that follow it."""

import pytest

from memae_jax.runtime import errors
from tests.data.images import pictures


@pytest.mark.parametrize(
  'name',
  ['0', 'healthy', 'Negative', 'good_2', 'ok-front', 'defect_free', 'goods',
   'no defect', 'normal 1', 'passed', 'non_defective'],
)  # fmt: skip
def test_names_with_two_meanings_are_refused(tmp_path, load_pictures, name):
  pictures.plain(tmp_path, tested=name)
  with pytest.raises(errors.UserError, match=f'{name} may be normal.*call it'):
    load_pictures(tmp_path)


def test_pictures_that_train_without_a_folder(tmp_path, load_pictures):
  pictures.plain(tmp_path)
  for file in (tmp_path / 'train/good').iterdir():
    file.rename(tmp_path / 'train' / file.name)
  source = load_pictures(tmp_path)
  assert source.label_names == ('good', 'crack') and source.warnings == ()
  assert source.labels[~source.is_test].tolist() == [0] * 4
  assert source.places['file'][0] == 'train/000.png'


def test_a_kind_with_the_name_of_the_train_folder_is_refused(
  tmp_path, load_pictures
):
  pictures.plain(tmp_path, normal='scratch', kinds=('scratch',))
  with pytest.raises(errors.UserError, match='has scratch, named as .* good;'):
    load_pictures(tmp_path)


def test_btad(tmp_path, load_pictures):
  pictures.plain(tmp_path, 'ok', ('ko',), 'ok', '.bmp')
  pictures.save(tmp_path / 'ground_truth/ko/000.png', pictures.SQUARE)
  pictures.save(tmp_path / 'ground_truth/ko/001.png', pictures.CORNER)
  pictures.save(tmp_path / 'ground_truth/ok/000.png', pictures.SQUARE * 0)
  source = load_pictures(tmp_path)
  assert source.label_names == ('ok', 'ko')
  assert pictures.marked(source) == {'test/ko/000.bmp': 6, 'test/ko/001.bmp': 4}
  assert source.dropped == () and source.warnings == ()


def test_loco(tmp_path, load_pictures):
  kinds = ('logical_anomalies', 'structural_anomalies')
  pictures.plain(tmp_path, kinds=kinds)
  pictures.save(tmp_path / 'validation/good/000.png')
  pictures.save(tmp_path / 'validation/good/001.png')
  masks = tmp_path / 'ground_truth'
  pictures.save(masks / f'{kinds[0]}/000/000.png', pictures.SQUARE)
  pictures.save(masks / f'{kinds[0]}/000/001.png', pictures.CORNER)
  pictures.save(masks / f'{kinds[0]}/001/000.png', pictures.CORNER)
  pictures.save(masks / f'{kinds[1]}/000/000.png', pictures.SQUARE)
  pictures.save(masks / f'{kinds[1]}/001/000.png', pictures.SQUARE)
  source = load_pictures(tmp_path)
  assert pictures.marked(source) == {
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


def test_mvtec_3d_reads_the_colours(tmp_path, load_pictures):
  for place in ('train/good', 'test/good', 'test/hole'):
    for i in range(3):
      pictures.save(tmp_path / f'{place}/rgb/{i:03d}.png')
      pictures.save(
        tmp_path / f'{place}/xyz/{i:03d}.tiff', pictures.noise(1).astype('f4')
      )
      pictures.save(
        tmp_path / f'{place}/gt/{i:03d}.png',
        pictures.SQUARE * ('hole' in place),
      )
  source = load_pictures(tmp_path)
  assert set(pictures.kinds(source).values()) == {'', 'hole'}
  assert len(source.inputs) == 9
  assert pictures.marked(source) == {
    f'test/hole/rgb/{i:03d}.png': 6 for i in range(3)
  }
  assert source.warnings == ()
