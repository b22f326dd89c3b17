"""The variation model in closed form, and parts that are turned."""

import numpy as np
import pytest

from memae_jax.methods.images import variation
from memae_jax.runtime import errors
from tests.methods.images import direct, test_turning


def _fit(train, **fields):
  fields = {f'methods.variation.{k}': v for k, v in fields.items()}
  return direct.fit(variation.build, 'variation', train, **fields)


def test_three_pictures_in_closed_form():
  x = np.random.default_rng(0).uniform(-1, 1, (4, 5, 6, 3)).astype(np.float32)
  train, test = x[:3], x[3:]
  train[:, 0] = train[0, 0]  # The floor counts there.
  grey = (x.astype(np.float64) + 1) / 2 @ [0.299, 0.587, 0.114]
  mean = grey[:3].sum(axis=0) / 3
  deviation = np.sqrt(((grey[:3] - mean) ** 2).sum(axis=0) / 3)
  assert (deviation[0] < 1e-6).all() and (deviation[1:] > 2 / 255).any()
  expected = np.abs(grey[3:] - mean) / np.maximum(deviation, 2 / 255)
  found = _fit(train)[1](test)
  maps = found.maps[variation.RULE]
  np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-4)
  score = found.scores[variation.RULE]
  np.testing.assert_allclose(score, expected.max(axis=(1, 2)), rtol=1e-4)


def test_of_identical_pictures_the_floor_is_all():
  x = np.random.default_rng(0).uniform(-0.9, 0.9, (6, 4, 1)).astype(np.float32)
  variables, predict = _fit(np.stack([x] * 5))
  assert not variables['variation']['deviation'].any()
  other = x.copy()
  other[2, 3] += 4 / 255  # Two grey levels: as much as the floor.
  maps = predict(np.stack([x, other])).maps[variation.RULE]
  expected = np.zeros((2, 6, 4))
  expected[1, 2, 3] = 1
  np.testing.assert_allclose(maps, expected, atol=1e-4)


def _parts(degrees, defect=None):
  parts = []
  for turn in degrees:
    part = test_turning.bar(turn, (turn % 3 - 1.0, turn % 5 - 2.0))
    if defect is not None:
      part[defect] += 0.3
    parts.append(2 * part - 1)
  return np.float32(parts)[..., None]


def test_turned_parts_can_be_told_from_defects_once_they_are_aligned():
  """A lighter place on a bar, as it lies in the picture as given."""
  train = _parts(range(0, 360, 24))
  defect = np.s_[18:22, 20:24]
  good, bad = (_parts((71, 155, 239, 313), place) for place in (None, defect))
  apart = {}
  for align in ('none', 'rotate'):
    _, predict = _fit(train, align=align)
    normal, found = predict(good), predict(bad)
    maps = found.maps[variation.RULE]
    assert maps.shape == (4, *test_turning.SIZE)
    inside = maps[:, 18:22, 20:24].mean(axis=(1, 2))
    apart[align] = inside / normal.maps[variation.RULE].max(axis=(1, 2))
    if align == 'rotate':
      lowest = found.scores[variation.RULE].min()
      assert lowest > normal.scores[variation.RULE].max()
      for one in maps:
        row, column = np.unravel_index(one.argmax(), one.shape)
        assert 17 <= row <= 22 and 19 <= column <= 24
  assert (apart['rotate'] > 1).all() and (apart['none'] < 1).all()


def test_both_ends_of_parts_agree_whichever_came_first():
  upright = np.float64(test_turning.bar(0))
  noise = np.random.default_rng(0).normal(0, 0.01, (9, *upright.shape))
  pictures = upright + noise
  pictures[[1, 4, 5, 8]] = pictures[[1, 4, 5, 8], ::-1, ::-1]
  found = variation.agreed(pictures)
  assert np.ptp(found, axis=0).max() < 0.1 < np.ptp(pictures, axis=0).max()


@pytest.mark.slow  # Compiles the turning for one more size.
def test_background_alone_is_compared_as_it_lies():
  """Light that falls off by less than foreground would."""
  x = np.random.default_rng(0).uniform(0, 0.02, (6, 9, 8, 1))
  x = np.float32(x + np.linspace(0, 0.1, 8)[:, None])
  one, other = (
    _fit(x[:4], align=align)[1](x[4:]).maps[variation.RULE]
    for align in ('none', 'rotate')
  )
  np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_other_scalings_have_no_grey_levels():
  with pytest.raises(errors.UserError, match='"fixed" and not "standard"'):
    direct.built(
      variation.build,
      'variation',
      (8, 8, 1),
      **{'data.scaling': 'standard'},
    )


def test_the_seed_draws_as_many_pictures_as_are_asked_for():
  for samples in (0, 30):
    method, _ = direct.built(
      variation.build,
      'variation',
      (8, 8, 1),
      **{'methods.variation.samples': samples},
    )
    assert [stage.most for stage in method.stages] == [samples]
