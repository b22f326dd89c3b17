"""Generated textures: the same ones each time, defects where masks say."""

import numpy as np
import pytest

from memae_jax.data import protocols, sources
from memae_jax.data.sets import textures
from memae_jax.runtime import errors

GENERATED = [n for n in textures.NAMES if n not in textures.PHOTOGRAPHS]


def _load(data_config, **fields):
  return sources.load(data_config(name='textures', protocol='given', **fields))


@pytest.mark.parametrize('texture', GENERATED)
def test_a_set_has_fifty_pictures_to_train_and_forty_to_test(
  texture, data_config
):
  source = _load(data_config, texture=texture, image_size=48)
  assert source.inputs.shape == (90, 48, 48, 1)
  assert source.is_test.sum() == 40 and not source.labels[:50].any()
  names = source.label_names
  counts = {name: (source.labels == i).sum() for i, name in enumerate(names)}
  assert counts == {'good': 70, **dict.fromkeys(textures.DEFECTS, 4)}
  marked = source.masks.any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels > 0)
  share = source.masks[marked].mean(axis=(1, 2))
  assert 0.001 < share.min() and share.max() < 0.1
  again = _load(data_config, texture=texture, image_size=48)
  assert sources.data_sha256(again) == sources.data_sha256(source)
  split = protocols.split(
    source, data_config(name='textures', protocol='given'), 0
  )
  assert len(split.test) == 40 and split.notes['test_rows_in_train'] == 0


@pytest.mark.parametrize('kind', textures.DEFECTS)
def test_a_defect_changes_what_its_mask_shows_and_nothing_else(kind):
  rng = np.random.default_rng(1)
  picture = rng.uniform(0.3, 0.7, (64, 64))
  before = picture.copy()
  rows, columns = (np.mgrid[:64, :64] - 32) / 8
  mask = textures.DEFECTS[kind](picture, rows, columns, rng)
  np.testing.assert_array_equal(picture[~mask], before[~mask])
  assert mask.any() and np.mean(picture[mask] != before[mask]) > 0.95


@pytest.mark.parametrize('name', textures.PHOTOGRAPHS)
def test_photographs_are_cut_in_two(name, data_config):
  reason = 'photographs come with scikit-image'
  pytest.importorskip('skimage', reason=reason)
  source = _load(data_config, texture=name, image_size=64)
  assert source.inputs.shape == (90, 64, 64, 1)
  assert source.inputs[:50].std() > 5


def test_what_lacks_scikit_image_or_room_is_named(data_config, monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'skimage.data', None)
  with pytest.raises(errors.UserError, match='pip install scikit-image'):
    _load(data_config, texture='brick')
  with pytest.raises(errors.UserError, match='48 or more'):
    _load(data_config, image_size=20)
