"""The layouts of VisA and DAGM."""

import numpy as np
import pytest

from memae_jax.runtime import errors
from tests.data.images import pictures


def test_visa_as_one_class(tmp_path, load_pictures):
  pictures.plain(tmp_path, kinds=('bad',), suffix='.JPG')
  labels = (pictures.SQUARE > 0) * np.uint8(1) + (
    pictures.CORNER > 0
  ) * np.uint8(3)
  pictures.save(tmp_path / 'ground_truth/bad/000.png', labels)
  pictures.save(tmp_path / 'ground_truth/bad/001.png', pictures.CORNER)
  assert pictures.marked(load_pictures(tmp_path)) == {
    'test/bad/000.JPG': 10,  # Each kind of defect has a value other than black.
    'test/bad/001.JPG': 4,
  }


@pytest.mark.parametrize('beside', [True, False])
def test_visa_with_its_split(tmp_path, load_pictures, beside):
  root = pictures.visa(tmp_path / 'candle')
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
  assert (
    set(pictures.marked(source).values()) == {6}
    and len(pictures.marked(source)) == 3
  )
  assert 'Data/Images/Normal, train: 3 normal' in source.remarks
  (root / 'Data/Images/Normal/0003.JPG').unlink()
  with pytest.raises(errors.UserError, match='Normal/0003.JPG, which is not'):
    load_pictures(root)
  csv.write_text('object,split,label,image,mask\n')
  with pytest.raises(errors.UserError, match='has no row of "candle"'):
    load_pictures(root)


def test_visa_without_a_split(tmp_path, load_pictures):
  root = pictures.visa(tmp_path / 'candle')
  source = load_pictures(root, protocol='random_rows')
  assert source.is_test is None and source.labelled
  assert source.labels.sum() == 3 and len(source.inputs) == 8
  assert source.masks.any(axis=(1, 2)).sum() == 3


def test_visa_without_normal_pictures(tmp_path, load_pictures):
  pictures.save(tmp_path / 'candle/Data/Images/Anomaly/000.JPG')
  with pytest.raises(errors.UserError, match='candle has no normal picture'):
    load_pictures(tmp_path / 'candle', protocol='random_rows')


def test_dagm(tmp_path, load_pictures):
  source = load_pictures(pictures.dagm(tmp_path / 'Class1'))
  assert source.label_names == ('normal', 'defect')
  assert len(source.inputs) == 11 and source.is_test.sum() == 6
  assert pictures.marked(source) == {'Test/0005.PNG': 6}
  assert 'Train/0005.PNG' not in pictures.kinds(source)
  assert 'Train: 1 anomalous, left out' in source.remarks
  assert 'Test: 1 anomalous, 1 with a mask' in source.remarks
  (left,) = source.dropped
  assert left['count'] == 1 and 'Train/0005.PNG' in left['why']


def test_dagm_whose_labels_contradict_the_masks(tmp_path, load_pictures):
  with pytest.raises(
    errors.UserError, match='0001.PNG has a defect, but .* no'
  ):
    load_pictures(pictures.dagm(tmp_path / 'Class1', said=True))
