"""Crops, tiles and what a method of patches learns and says of pictures."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from memae_jax import losses
from memae_jax.methods import base
from memae_jax.methods.images import patches
from memae_jax.runtime import errors
from tests import fakes, helpers
from tests.methods import fitting


@dataclasses.dataclass(frozen=True)
class Halved(base.Method):
  """Rebuilds half of each pixel, and keeps what it was given."""

  stages = (base.Train(), base.Collect(keeps='rows', most=7))

  def init(self, key, samples, hyper):
    return {'params': {'scale': jnp.float32(0.5)}, 'seen': samples}

  def loss(self, variables, batch, hyper, across):
    error = batch.mean(batch.x**2)
    return base.LossParts(error, {'reconstruction': error}, {'x': batch.x})

  def collect(self, variables, x, hyper, mask, stage, round_):
    return x.reshape(len(x), -1)

  def finish(self, variables, collected, hyper, stage, round_, rng):
    return {'collected': collected}, True

  def predict(self, variables, x, hyper, mask, keys):
    out = variables['params']['scale'] * x
    found = losses.of(x, out)
    found['scores']['own'] = jnp.max(x, axis=(1, 2, 3))
    return base.Prediction(**found, output=out)


def _pictures(count=3, size=(11, 9), channels=1, seed=0):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(count, *size, channels)).astype(np.float32)


def _method(shape, **options):
  options = {'side': 4, 'stride': 3} | options
  return patches.Patches(Halved(), patches.Options(**options), shape)


@pytest.mark.parametrize(
  'size, side, stride', [((4, 4), 4, 4), ((11, 9), 4, 3), ((9, 17), 5, 5)]
)
def test_tiles_cover_a_picture_and_end_with_it(size, side, stride):
  count = np.zeros(size, int)
  for row, column in patches.corners(size, side, stride):
    assert 0 <= row <= size[0] - side and 0 <= column <= size[1] - side
    count[row : row + side, column : column + side] += 1
  assert count.min() == 1  # Corners of the picture are in one tile alone.


def test_tiles_of_the_paper():
  """Strides of 30 pixels; 256 - 128 is no multiple of it."""
  found = patches.corners((256, 256), 128, 30)
  assert sorted(set(found[:, 0].tolist())) == [0, 30, 60, 90, 120, 128]


def _keys(count):
  return jax.random.split(jax.random.key(3), count)


@pytest.mark.parametrize('mirror', [False, True])
def test_a_crop_is_a_part_of_the_picture(mirror):
  (picture,) = _pictures(1, channels=2)
  options = patches.Options(4, 4, mirror=mirror)
  crops = jax.vmap(lambda key: patches.crop(picture, key, options))(_keys(200))
  windows = np.lib.stride_tricks.sliding_window_view(picture, (4, 4), (0, 1))
  windows = np.moveaxis(windows, 2, -1).reshape(-1, 4, 4, 2)
  flipped = windows[:, :, ::-1]
  known = {w.tobytes(): i for i, w in enumerate(windows)}
  of_flipped = {np.ascontiguousarray(w).tobytes() for w in flipped}
  crops = [np.asarray(one).tobytes() for one in crops]
  straight = [one in known for one in crops]
  assert len({known[one] for one in crops if one in known}) > 30  # Of 48.
  assert all(one in known or one in of_flipped for one in crops)
  assert np.mean(straight) == 1 if not mirror else 0.3 < np.mean(straight) < 0.7


def test_turned_crops_of_a_plane_are_planes_turned_by_the_angle():
  """Linear interpolation of a plane is exact, and it tells the angle."""
  rows, columns = np.mgrid[:40, :40].astype(np.float32)
  picture = np.stack([rows, columns], axis=-1)
  options = patches.Options(9, 9, turn=60.0)
  crops = jax.vmap(lambda key: patches.crop(picture, key, options))(_keys(100))
  crops = np.asarray(crops, np.float64)
  down = np.diff(crops, axis=1).reshape(100, -1, 2)
  right = np.diff(crops, axis=2).reshape(100, -1, 2)
  np.testing.assert_allclose(down - down[:, :1], 0, atol=1e-4)
  np.testing.assert_allclose((down**2).sum(-1), 1, atol=1e-4)
  np.testing.assert_allclose((down * right).sum(-1), 0, atol=1e-4)
  angle = np.degrees(np.arctan2(down[:, 0, 1], down[:, 0, 0]))
  assert -60.01 < angle.min() < -40 and 40 < angle.max() < 60.01
  assert crops.min() >= 0 and crops.max() <= 39  # All lie inside.


def test_maps_are_means_over_tiles():
  x = _pictures()
  method = _method(x.shape[1:])
  variables = {'params': {'scale': jnp.float32(0.5)}}
  # Each tile by itself has its own means, so such maps differ between tiles.
  found = method.predict(variables, x, (), np.ones(3, bool), _keys(3))
  total, count = np.zeros((2, 3, 11, 9))
  for row, column in patches.corners((11, 9), 4, 3):
    tile = x[:, row : row + 4, column : column + 4]
    one = losses.of(tile, 0.5 * tile)['maps']['contrast_unit']
    total[:, row : row + 4, column : column + 4] += one
    count[:, row : row + 4, column : column + 4] += 1
  mean = total / count
  np.testing.assert_allclose(found.maps['contrast_unit'], mean, atol=1e-6)
  score = mean.mean(axis=(1, 2))
  np.testing.assert_allclose(found.scores['contrast_unit'], score, atol=1e-6)
  squares = 0.25 * x**2
  np.testing.assert_allclose(found.maps['mse'], squares[..., 0], rtol=1e-5)
  np.testing.assert_allclose(found.output, 0.5 * x, rtol=1e-6)
  np.testing.assert_allclose(found.scores['own'], x.max(axis=(1, 2, 3)))


def test_validations_take_the_fewest_tiles():
  validator = _method((11, 9, 1)).validator
  assert validator.options.stride == 4
  assert validator.validator is validator


def test_a_loss_is_of_crops_and_leaves_padding_out():
  x = _pictures(4)
  x[3] = 1e6
  mask = np.array([True, True, True, False])
  method = _method(x.shape[1:], crops=5)
  given = base.Batch(x, mask, _keys(4), 3)
  parts = method.loss({}, given, (), base.Across())
  crops = np.asarray(parts.collections['x'])
  assert crops.shape == (20, 4, 4, 1)
  assert len({crop.tobytes() for crop in crops[:15]}) > 10
  np.testing.assert_allclose(parts.loss, (crops[:15] ** 2).mean(), rtol=1e-5)


def test_a_pass_collects_the_tiles_of_each_picture():
  x = _pictures(4)
  method = _method(x.shape[1:])
  assert method.stages[1].most == 1  # Nine tiles are at least seven.
  rows = method.collect({}, x, (), np.ones(4, bool), 1, 0)
  assert rows.shape == (4, 9, 16)
  for one, (row, column) in enumerate(patches.corners((11, 9), 4, 4)):
    tile = x[:, row : row + 4, column : column + 4]
    np.testing.assert_array_equal(rows[:, one], tile.reshape(4, -1))
  given = np.asarray(rows)
  got, done = method.finish({}, given, (), 1, 0, np.random.default_rng(0))
  assert done
  np.testing.assert_array_equal(got['collected'], given.reshape(-1, 16)[:7])


class _Data:
  patch, patch_for, patch_stride = 4, 'networks', 0
  patch_crops, patch_turn, patch_mirror = 1, 0.0, False


class _Model:
  task = 'reconstruct'


class _Config:
  data, model = _Data, _Model


def test_what_does_not_train_sees_whole_pictures_unless_told(monkeypatch):
  class Still(Halved):
    stages = (base.Collect(keeps='rows'),)

  shapes = []

  def of_shape(shape):
    shapes.append(shape)
    return Still()

  assert isinstance(patches.build(_Config, (8, 8, 1), of_shape), Still)
  assert shapes[-1] == (8, 8, 1)
  monkeypatch.setattr(_Data, 'patch_for', 'all')
  assert isinstance(
    patches.build(_Config, (8, 8, 1), of_shape), patches.Patches
  )
  assert shapes[-1] == (4, 4, 1)


@pytest.mark.parametrize(
  'shape, said', [((7,), 'no picture'), ((8, 3, 1), '8 x 3')]
)
def test_what_cannot_be_cut_into_patches_is_named(shape, said):
  with pytest.raises(errors.UserError, match=f'data.patch.*{said}'):
    patches.build(_Config, shape, lambda shape: Halved())


def test_tiles_with_gaps_are_refused(monkeypatch):
  monkeypatch.setattr(_Data, 'patch_stride', 5)
  with pytest.raises(errors.UserError, match='patch_stride" is 5.*gaps'):
    patches.build(_Config, (8, 8, 1), lambda shape: Halved())


FIELDS = {
  'data.patch': 6,
  'data.patch_stride': 2,
  'data.patch_crops': 2,
  'data.patch_turn': 180.0,
  'data.patch_mirror': True,
  'data.patch_for': 'all',
  'fleet.seeds': 2,
  'train.epochs': 0.5,
}


@pytest.mark.parametrize('variant', ['memae', 'mean'])
def test_a_mesh_changes_no_crop_and_no_score(variant):
  """The slots of MemAE, the pass of the mean; two devices share a batch."""
  fields = FIELDS | {'fleet.variants': (variant,)}
  found = []
  for data in (1, 2):
    exp, weights = fitting.fitted(**fields, **{'mesh.data': data})
    assert isinstance(exp.trainer.method, patches.Patches)
    found.append(fitting.scores(exp, weights, ('maps', 'output')))
  one, two = found
  count = len(exp.splits[0].test)
  assert one.maps['mse'].shape[2:] == one.output.shape[2:4] == (8, 8)
  for rule, score in one.scores.items():
    of = score[:, :count]
    assert np.isfinite(of).all() and np.ptp(of) > 0
    np.testing.assert_allclose(of, two.scores[rule][:, :count], rtol=2e-3)


@pytest.mark.slow
def test_patches_are_exported(tmp_path):
  """A scorer of whole pictures; it trains, so it is slow."""
  fields = FIELDS | {'fleet.variants': ('memae',), 'fleet.seeds': 1}
  fitting.check_export(tmp_path, **fields)


@pytest.mark.slow
@pytest.mark.parametrize('flat', ['some', 'all that train'])
def test_pictures_of_one_grey_have_finite_scores(tmp_path, flat):
  """Of what divides by deviations; it compiles three methods, so it is slow."""
  folder = fakes.pictures(tmp_path / 'pictures')
  grey = Image.fromarray(np.full((32, 32), 90, np.uint8))
  grey.save(folder / 'test/scratch/000.png')
  train = sorted((folder / 'train/good').iterdir())
  for path in train[: 1 if flat == 'some' else len(train)]:
    grey.save(path)
  config = helpers.ROOT / 'configs/mvtec.py'
  code, _, err = helpers.run(
    f'--config={config}:smoke,path={folder},size=32,'
    'variant=ae_ssim+variation+gmm_texture',
    f'--workdir={tmp_path / "run"}',
    '--config.eval.baselines=()',
    '--config.eval.pseudo=False',
    '--config.eval.odd_inputs=False',
  )
  assert code == 0, err
  assert 'equal a picture that trains' in err  # A warning names the mend.
  with np.load(next((tmp_path / 'run').rglob('scores.npz'))) as stored:
    found = [v for key, v in stored.items() if key.endswith('score')]
  assert len(found) >= 6 and all(np.isfinite(score).all() for score in found)


@pytest.mark.thorough
def test_pictures_of_1024_pixels_by_tiles(tmp_path):
  """Methods of all kinds; it trains three of them, so it is slow."""
  folder, side = fakes.pictures(tmp_path / 'large', side=1024), 1024
  run, methods = tmp_path / 'run', ('memae', 'bank', 'gmm_texture')
  code, _, err = helpers.run(
    f'--config={helpers.ROOT}/configs/image_folder.py:path={folder},size=0,'
    f'variant={"+".join(methods)},seeds=1,epochs=1.0,slots=10',
    f'--workdir={run}',
    '--config.data.patch=256',
    '--config.data.patch_for=all',
    '--config.model.widths=8,8,8,8',
    '--config.eval.baselines=mean',
    '--config.eval.bootstrap=20',
    '--config.eval.pseudo=False',
    '--config.eval.odd_inputs=False',
  )
  assert code == 0, err
  results = json.loads((run / 'results.json').read_text())
  for name in methods:
    assert results['methods'][name]['pixel_auroc']['mean'] > 0.5
  # Blocks of 256 pictures, whatever their size, took 17 GiB and more.
  assert results['environment']['peak_memory']['host_bytes'] < 6 * 2**30
  with np.load(next(run.rglob('maps.npz'))) as stored:
    names = [key for key in stored.files if key.endswith('/map')]
    shapes = {key: stored[key].shape[1:3] for key in names}
  assert shapes and set(shapes.values()) == {(side, side)}
