"""Runs of methods that others made for pictures of defects."""

import json

import numpy as np
import pytest
from PIL import Image

from tests import helpers
from tests.methods import fitting
from tests.methods.images import direct

FIELDS = {
  'variation': {'methods.variation.align': 'rotate'},
  'gmm_texture': {'methods.gmm_texture.components': 3},
  'dictionary': {'methods.dictionary.patch': 4, 'methods.dictionary.stride': 2},
  'pixelcnn': {
    'methods.pixelcnn.width': 4,
    'methods.pixelcnn.layers': 2,
    'train.epochs': 1.0,
  },
}


@pytest.mark.slow  # Each trains, exports, and loads a program.
@pytest.mark.parametrize('name', FIELDS)
def test_an_exported_scorer_gives_the_same_scores_and_maps(name, tmp_path):
  fields = {'fleet.variants': (name,), 'fleet.seeds': 2} | FIELDS[name]
  fitting.check_export(tmp_path, **fields)


@pytest.mark.slow  # Compiles for two ways to map a fleet.
@pytest.mark.parametrize('name', FIELDS)
def test_seeds_side_by_side_are_those_one_after_another(name):
  fields = {'fleet.variants': (name,), 'fleet.seeds': 2} | FIELDS[name]
  found = []
  for how in ('map', 'vmap'):
    exp, weights = fitting.fitted(**fields, **{'train.fleet_map': how})
    found.append(fitting.scores(exp, weights).scores[exp.rule])
  one, other = found
  assert np.abs(one[0] - one[1]).max() > 1e-3  # The seed draws samples.
  np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def _folder(path):
  """Pictures of a texture, and some with a brighter square and its mask."""
  pictures = np.uint8(127.5 * (1 + np.clip(direct.texture(22, 0, 32), -1, 1)))
  for i, picture in enumerate(pictures[..., 0]):
    kind = 'train/good' if i < 14 else ('test/good', 'test/spot')[i % 2]
    if kind == 'test/spot':
      mask = np.zeros_like(picture)
      mask[i : i + 8, 6:14] = 255
      picture = np.maximum(picture, mask)
      place = path / 'ground_truth' / 'spot' / f'{i}_mask.png'
      place.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(mask).save(place)
    place = path / kind / f'{i}.png'
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(place)
  return path


@pytest.mark.thorough
def test_they_stand_beside_banks_in_one_run(tmp_path):
  path = _folder(tmp_path / 'set')
  names = 'variation', 'gmm_texture', 'dictionary', 'bank'
  code, _, err = helpers.run(
    f'--config={helpers.ROOT}/configs/image_folder.py:smoke,path={path},'
    f'variant={"+".join(names)}',
    f'--workdir={tmp_path / "run"}',
    '--config.methods.dictionary.patch=8',
    '--config.eval.baselines=mean',
  )
  assert code == 0, err
  results = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert set(results['methods']) == set(names)
  pairs = results['differences'].keys()
  assert {'gmm_texture - dictionary', 'dictionary - bank'} <= pairs
  for name in names:
    assert results['methods'][name]['pixel_auroc']['mean'] > 0.9, name
  page = (tmp_path / 'run' / 'report.html').read_text()
  for label in ('Variation model', 'GMM of texture', 'CNN feature dictionary'):
    assert label in page
