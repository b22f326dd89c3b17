"""Pictures that stand alone: a file, a folder, folders of kinds."""

import numpy as np
import PIL.Image
import pytest

from memae_jax import config as config_lib
from memae_jax.data import protocols
from memae_jax.data.images import image_folder, single
from memae_jax.runtime import errors


def _picture(path, seed=0, white=None, size=(8, 6)):
  path.parent.mkdir(parents=True, exist_ok=True)
  pixels = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
  if white is not None:
    pixels = np.where(white, 255, 0).astype(np.uint8)
  PIL.Image.fromarray(pixels).save(path)
  return path


def _load(path, **fields):
  data = {'path': str(path), 'protocol': 'alone', 'image_size': 0, **fields}
  config = config_lib.resolve(
    {'data': {'name': 'image_folder', **data}, 'fleet': {'variants': ('nkn',)}}
  ).data
  source = image_folder.load(config)
  return source, protocols.split(source, config, 0)


@pytest.mark.parametrize('several', [False, True])
def test_a_picture_and_a_plain_folder_have_no_labels(tmp_path, several):
  path = _picture(tmp_path / 'a.png')
  if several:
    _picture(tmp_path / 'b.png', 1)
    path = tmp_path
  source, split = _load(path)
  assert not source.labelled and len(source.inputs) == 1 + several
  assert source.places['file'].tolist() == ['a.png', 'b.png'][: 1 + several]
  every = list(range(1 + several))
  assert split.train.tolist() == split.test.tolist() == every
  assert not split.validation.size and not split.anomalous.any()


@pytest.mark.parametrize('top', ['', 'test'])
def test_folders_of_kinds_have_labels_and_masks(tmp_path, top):
  for k, kind in enumerate(('good', 'hole', 'hole')):
    _picture(tmp_path / top / kind / f'{k}.png', k)
  white = np.zeros((8, 6), bool)
  white[2:4, 3] = True
  _picture(tmp_path / 'ground_truth/hole/1_mask.png', white=white)
  if top:
    _picture(tmp_path / 'train/good/9.png', 9)  # It is left alone.
  source, split = _load(tmp_path)
  assert source.labelled and source.label_names == ('good', 'hole')
  assert split.anomalous.tolist() == [False, True, True]
  np.testing.assert_array_equal(source.masks[1], white)
  assert source.has_mask.tolist() == [True, True, False]


def test_a_mask_says_which_pixels_to_fill_in(tmp_path):
  path = _picture(tmp_path / 'a.png')
  white = np.zeros((8, 6), bool)
  white[2:5, 1:4] = True
  mask = _picture(tmp_path / 'm/mask.png', white=white)
  source, _ = _load(path, fill=str(mask))
  np.testing.assert_array_equal(source.unknown, white)
  assert _load(path)[0].unknown is None
  for pixels, words in (
    (np.zeros((8, 6), bool), 'marks none of the pixels'),
    (np.ones((8, 6), bool), 'marks all of the pixels'),
    (np.ones((4, 6), bool), r'has 4 x 6 pixels, but the pictures 8 x 6'),
  ):
    _picture(mask, white=pixels)
    with pytest.raises(errors.UserError, match=words):
      _load(path, fill=str(mask))


def test_what_is_no_picture_is_named(tmp_path):
  with pytest.raises(errors.UserError, match='neither a picture nor a folder'):
    single.layout(tmp_path / 'none.png')
  with pytest.raises(errors.UserError, match='has no picture'):
    single.layout(tmp_path)


def test_pictures_may_differ_in_size(tmp_path):
  _picture(tmp_path / 'good/a.png')
  _picture(tmp_path / 'hole/b.png', 1, size=(5, 9))
  white = np.zeros((5, 9), bool)
  white[1:3, 7:] = True
  _picture(tmp_path / 'ground_truth/hole/b_mask.png', white=white)
  source, _ = _load(tmp_path)
  assert source.inputs.shape == (2, 8, 9, 1)
  assert source.sizes.tolist() == [[8, 6], [5, 9]]
  covered = source.covered(np.array([1, 0]))
  assert covered[0, :5].all() and not covered[0, 5:].any()
  assert (source.inputs[~source.covered(np.arange(2))] == single.GREY).all()
  np.testing.assert_array_equal(source.masks[1, :5], white)
  assert not source.masks[1, 5:].any() and not source.masks[0].any()
  half, _ = _load(tmp_path, image_size=4)
  assert half.sizes is None and half.covered(np.arange(2)) is None


def test_what_is_of_one_size_is_refused_for_several(tmp_path):
  first = _picture(tmp_path / 'a.png')
  other = np.asarray(PIL.Image.open(first))
  other = np.pad(other, ((0, 2), (0, 0)), constant_values=single.GREY)
  PIL.Image.fromarray(other).save(tmp_path / 'b.png')
  words = '"data.fill" is .*a.png has 8 x 6 pixels and .*b.png has 10 x 6'
  with pytest.raises(errors.UserError, match=words):
    _load(tmp_path, fill=str(first))
  with pytest.raises(errors.UserError, match='use one of fixed, none'):
    _load(tmp_path, scaling='contrast')
  with pytest.raises(errors.UserError, match='but for a grey border'):
    _load(tmp_path)
