"""Rows of videos that learn nothing, by the rules of the networks."""

import types as pytypes

import numpy as np
import pytest

from memae_jax import losses
from memae_jax.data import types
from memae_jax.data.videos import clips, motion, views
from memae_jax.evaluation.scoring import plain_videos
from memae_jax.methods import frame_scores

_LENGTHS = (6, 1, 5)
_FIXED = types.Transform(
  *(np.asarray([v], np.float32) for v in (1 / 127.5, -1, 0, 1e9))
)
_RULES = {
  form: frame_scores.Rules(form, 3) for form in (losses.FRAME, losses.CLIP)
}


def _source(frames=1, scored='middle', seen=None):
  rng = np.random.default_rng(0)
  pictures = rng.integers(0, 256, (sum(_LENGTHS), 4, 6, 1), dtype=np.uint8)
  fields = rng.normal(size=(len(pictures), 4, 6, 2)).astype(np.float16)
  made = pictures
  if seen:
    how = views.Recipe(seen, 0.5, motion.Settings('blocks'))
    made = how.view(pictures, fields)
  lengths = _LENGTHS if frames == 1 else _LENGTHS[::2]
  videos = [clips.Video(str(i), n, True) for i, n in enumerate(lengths)]
  config = pytypes.SimpleNamespace(
    clip_frames=frames,
    clip_stride=1,
    frame_step=1,
    scored=scored,
    motion='none',
  )
  reading = clips.Reading(pictures=pictures if seen else None)
  source = clips.source('made', made, videos, config, reading=reading)
  return source, pictures.astype(np.float64), fields.astype(np.float64)


def _score(source, name, form=losses.FRAME):
  rows = np.arange(len(source.inputs))
  return plain_videos.score(source, _FIXED, rows, name, _RULES[form])


def _reduced(squares, cells):
  flat = np.sort(cells.reshape(len(cells), -1), axis=1)
  return {
    'mse': squares.reshape(len(squares), -1).mean(axis=1),
    'max_cell': flat[:, -1],
    'largest_cells': flat[:, -3:].mean(axis=1),
  }


@pytest.mark.parametrize('seen', [None, 'speed'])
def test_frame_difference_of_single_frames(seen):
  """At the begin of a video it is that to the frame after; alone it is 0."""
  source, pictures, _ = _source(seen=seen)
  found = _score(source, 'frame_difference')
  before = [1, 0, 1, 2, 3, 4, 6, 8, 7, 8, 9, 10]
  change = np.square((pictures - pictures[before]) / 127.5)
  expected = _reduced(change, change[..., 0])
  with np.errstate(divide='ignore'):
    ratio = 10 * np.log10(np.maximum(expected['mse'] / 4, 1e-10))
  for rule, values in {**expected, 'psnr': ratio}.items():
    np.testing.assert_allclose(found[rule], values, rtol=1e-4, err_msg=rule)
  rows = np.array([4, 0, 9])
  maps = plain_videos.cells(source, _FIXED, rows, 'frame_difference')
  assert maps.dtype == np.float32
  np.testing.assert_allclose(maps, change[rows, ..., 0], rtol=1e-4, atol=1e-6)
  assert found['mse'][6] == 0 and found['psnr'][6] == -100


@pytest.mark.parametrize(
  ('scored', 'frame', 'form'),
  [('middle', 2, losses.CLIP), ('last', 3, losses.FRAME)],
)
def test_frame_difference_is_of_the_scored_frame(scored, frame, form):
  source, pictures, _ = _source(frames=4, scored=scored)
  found = _score(source, 'frame_difference', form)
  number = source.inputs.number
  change = np.square(
    (pictures[number[:, frame]] - pictures[number[:, frame - 1]]) / 127.5
  )
  for rule, values in _reduced(change, change[..., 0]).items():
    np.testing.assert_allclose(found[rule], values, rtol=1e-4, err_msg=rule)
  more = {losses.CLIP: {'mse_centre', 'psnr_centre'}, losses.FRAME: {'psnr'}}
  assert set(found) == {'mse', 'max_cell', 'largest_cells'} | more[form]


def test_no_bank_is_the_fastest_cells():
  for seen in ('speed', 'motion', 'both'):
    source, _, fields = _source(seen=seen)
    assert plain_videos.fits(source, 'no_bank')
    speed = np.hypot(fields[..., 0], fields[..., 1])
    speed /= (0.5 + np.arange(4) / 3)[:, None]
    found = _score(source, 'no_bank')
    for rule, values in _reduced(*2 * [np.square(speed)]).items():
      np.testing.assert_allclose(found[rule], values, rtol=1e-5, err_msg=rule)
    rows = np.array([3, 8])
    maps = plain_videos.cells(source, _FIXED, rows, 'no_bank')
    np.testing.assert_allclose(maps, speed[rows] ** 2, rtol=1e-5)
  plain, _, _ = _source()
  assert not plain_videos.fits(plain, 'no_bank')
  assert plain_videos.fits(plain, 'frame_difference')
  image = types.Source('made', np.zeros((2, 3, 3, 1)), np.zeros(2), ('a',))
  assert not plain_videos.fits(image, 'frame_difference')


def test_rows_are_scored_as_the_networks_where_they_can_be():
  by_rule = dict.fromkeys(('mse', 'max_cell', 'largest_cells'))
  chosen = plain_videos.chosen
  assert chosen(by_rule, 'max_cell') == 'max_cell'
  assert chosen(by_rule, 'mae_clip') == 'mse'
