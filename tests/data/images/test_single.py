"""Pictures that stand alone: a file, a folder, folders of kinds."""

import numpy as np
import PIL.Image
import pytest

from memae_jax import config as config_lib
from memae_jax.data import protocols
from memae_jax.data.images import image_folder, single
from memae_jax.runtime import errors


def _picture(path, seed=0, white=None):
  path.parent.mkdir(parents=True, exist_ok=True)
  pixels = np.random.default_rng(seed).integers(0, 256, (8, 6), np.uint8)
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
