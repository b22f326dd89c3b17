"""Films and masks of CUHK Avenue."""

import zipfile

import numpy as np
import pytest
import scipy.io

from memae_jax.data import prepare
from memae_jax.data.prepare.builders import cuhk_avenue, raw
from memae_jax.runtime import errors
from tests.data.prepare.builders import trees

RNG = np.random.default_rng(0)


@pytest.fixture
def avenue(tmp_path, monkeypatch):
  trees.shrink(monkeypatch, cuhk_avenue.CuhkAvenue)
  root = tmp_path / 'raw'
  for part in ('training', 'testing'):
    for number in (1, 2):
      frames = RNG.integers(0, 256, (20, 18, 32), np.uint8)
      trees.film(
        root / f'Avenue Dataset/{part}_videos/{number:02d}.avi', frames
      )
  masks = root / 'ground_truth_demo/testing_label_mask'
  masks.mkdir(parents=True)
  for number in (1, 2):
    cells = np.empty((1, 20), object)
    for i in range(20):
      cells[0, i] = np.full((18, 32), i >= 9 + number, np.uint8)
    scipy.io.savemat(masks / f'{number}_label.mat', {'volLabel': cells})
  return root


def test_avenue(avenue, tmp_path, load_prepared):
  prepare.prepare('cuhk_avenue', tmp_path / 'sets', avenue)
  source = load_prepared('cuhk_avenue')
  assert source.inputs.shape == (20, 16, 18, 32, 1)
  assert source.labels[10:].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 1, 1]
  marked = source.masks[:].any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels == 1)
  assert load_prepared('cuhk_avenue', colour='rgb').inputs.shape[-1] == 3


def test_avenue_film_cut_short(avenue, tmp_path, load_prepared):
  frames = RNG.integers(0, 256, (19, 18, 32), np.uint8)
  trees.film(avenue / 'Avenue Dataset/testing_videos/02.avi', frames)
  prepare.prepare('cuhk_avenue', tmp_path / 'sets', avenue)
  with pytest.raises(errors.UserError, match='"02" has 19 frames, but 20 lab'):
    load_prepared('cuhk_avenue')


def test_avenue_archives(avenue, tmp_path, monkeypatch):
  folder = tmp_path / 'archives'
  folder.mkdir()
  for name in ('Avenue Dataset', 'ground_truth_demo'):
    target = folder / f'{name.replace(" ", "_")}.zip'
    with zipfile.ZipFile(target, 'w') as archive:
      for file in (avenue / name).rglob('*.*'):
        archive.write(file, file.relative_to(avenue))
  monkeypatch.setattr(raw, 'check_file', lambda *args: None)
  assert prepare.prepare('cuhk_avenue', tmp_path / 'sets', folder).is_dir()


def test_avenue_errors(avenue, tmp_path):
  masks = avenue / 'ground_truth_demo/testing_label_mask'
  (masks / '2_label.mat').unlink()
  trees.refused(tmp_path, 'cuhk_avenue', avenue, '2_label.mat is missing')
  (masks / '1_label.mat').unlink()
  masks.rmdir()
  trees.refused(tmp_path, 'cuhk_avenue', avenue, 'and testing_label_mask')
